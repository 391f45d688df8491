"""What the network says about one image, in plain numpy: the only thing that leaves the model."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..image.grid import Grid


class Maps(NamedTuple):
    """What a runtime says of N images of (H, W); h = H / stride, w = W / stride.

    Attributes
    ----------
    heatmaps : (N, K, h, w) float32
        Probability of each disc; what is missing to 1 is background.
    level_mm : (N, h, w) float32
        Template position along the spine; NaN where the network was not taught any.
    attention : (N, h, w) float32
        In [0, 1].
    """

    heatmaps: np.ndarray
    level_mm: np.ndarray
    attention: np.ndarray


@dataclass(frozen=True, eq=False)
class Prediction:
    """The network's answer on a stack of sagittal slabs.

    Attributes
    ----------
    heatmaps : (N, K, h, w) float32
        Probability that a pixel is disc value ``k + 1``. Softmax with the background dropped, so
        the sum over K is at most 1, and 1 minus it is the probability of "no disc here".
    level_mm : (N, h, w) float32
        Position along the spine, in template mm (see `anatomy.LEVEL_MM`); superior is larger.
        It means something only within about 2 cm of the spinal cord.
    attention : (N, h, w) float32
        The network's attention map in [0, 1].
    grid : Grid of shape (N, h, w)
        Where the pixels lie. Axes run left, inferior and posterior: h from superior to inferior.
    """

    heatmaps: np.ndarray = field(repr=False)
    level_mm: np.ndarray = field(repr=False)
    attention: np.ndarray = field(repr=False)
    grid: Grid

    @property
    def any_disc(self) -> np.ndarray:
        """(N, h, w) probability that a pixel is any disc, in [0, 1]."""
        return np.clip(self.heatmaps.sum(axis=1), 0, 1)

    @property
    def has_attention(self) -> bool:
        """Whether the network looks at some places more than at others."""
        return bool((self.attention != 1).any())

    def __post_init__(self) -> None:
        """Raise ValueError unless the arrays and the grid have one stack shape (N, h, w)."""
        if self.heatmaps.ndim != 4:
            raise ValueError(f"heatmaps must be (N, K, h, w), not {self.heatmaps.shape}")
        n, _, h, w = self.heatmaps.shape
        for name, shape in (
            ("level_mm", self.level_mm.shape),
            ("attention", self.attention.shape),
            ("grid", tuple(self.grid.shape)),
        ):
            if shape != (n, h, w):
                raise ValueError(f"{name} is {shape}, but the heatmaps' stack is {(n, h, w)}")
