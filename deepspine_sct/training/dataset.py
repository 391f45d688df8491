"""Cases to tensors: an endless, indexable stream of simulated and real training samples.

Sample ``i`` of seed ``n`` is the same bytes whoever draws it, in whatever order: training can stop and resume, and
any number of workers give the same stream.
"""


import numpy as np
import torch
from torch.utils.data import Dataset

from deepspine_sct.image.preprocessing import normalise
from deepspine_sct.labeling.heatmap import encode
from deepspine_sct.training.atlas import Atlas
from deepspine_sct.training.real import RealSlice, augment
from deepspine_sct.training.simulator import Case, simulate

SHAPES = ((128, 128), (160, 96), (288, 64))  # windows of about equal cost; every batch has one
_SHAPE_SHARES = (0.6, 0.2, 0.2)


class SampleStream(Dataset):
    """Batches of samples; item ``i`` is batch ``i`` (so that a batch has one window shape).

    Parameters
    ----------
    atlas : the straight spine to simulate from
    slices : real slices to mix in; may be empty
    real_share : share of the samples that are real
    """

    def __init__(self, atlas: Atlas, slices: list[RealSlice], batch_size: int, n_batches: int, seed: int,
                 real_share: float = 0.0, spacing_mm: float = 2.0, sigma_mm: float = 4.0):  # fmt: skip
        self.atlas, self.batch_size, self.n_batches, self.seed = atlas, batch_size, n_batches, seed
        self.real_share = real_share if slices else 0.0
        self.spacing_mm, self.sigma_mm = spacing_mm, sigma_mm
        # Contrasts take turns, so that few T2w slices weigh as much as many T1w ones.
        self.by_contrast = [
            [s for s in slices if s.contrast == contrast] for contrast in sorted({s.contrast for s in slices})
        ]

    def __len__(self) -> int:
        return self.n_batches

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        rng = np.random.default_rng([self.seed, index])
        shape = SHAPES[rng.choice(len(SHAPES), p=_SHAPE_SHARES)]
        samples = [to_sample(self._draw(rng, shape), self.sigma_mm) for _ in range(self.batch_size)]
        return {key: torch.from_numpy(np.stack([s[key] for s in samples])) for key in samples[0]}

    def _draw(self, rng, shape) -> Case:
        if rng.random() < self.real_share:
            slices = self.by_contrast[rng.integers(len(self.by_contrast))]
            return augment(rng, slices[rng.integers(len(slices))], shape, self.spacing_mm)
        return simulate(rng, self.atlas, shape, self.spacing_mm)


def to_sample(case: Case, sigma_mm: float, stride: int = 2) -> dict[str, np.ndarray]:
    """Turn a case into arrays for the network, on heatmap pixels of ``stride`` image pixels.

    Returns
    -------
    image (1, H, W), target (26, h, w): disc probabilities and background, summing to one, level (1, h, w) in 100 mm,
    NaN where it is not taught, and known (1, h, w).
    """
    size = tuple(n // stride for n in case.image.shape)
    tips_rc = (case.tips_rc - (stride - 1) / 2) / stride
    discs = encode(tips_rc, size, sigma_mm / (case.spacing_mm * stride))
    discs *= case.presence[:, None, None]
    discs /= np.maximum(discs.sum(0), 1)  # Gaussians of close neighbours overlap
    target = np.concatenate([discs, 1 - discs.sum(0, keepdims=True)]).astype(np.float32)
    blocks = case.level_mm.reshape(size[0], stride, size[1], stride)
    known = case.known.reshape(size[0], stride, size[1], stride).all((1, 3))
    return {
        "image": normalise(case.image)[None],
        "target": target,
        "level": (blocks.mean((1, 3))[None] / 100).astype(np.float32),
        "known": known[None].astype(np.float32),
    }


