"""Run a checkpoint on images: arrays in, arrays out."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ..errors import DeepspineError
from .checkpoint import checksum, load_checkpoint

SHIPPED = Path(__file__).with_name("weights") / "deepspine.safetensors"
"""The weights that come with the package."""


class Maps(NamedTuple):
    """What the network says of N images of (H, W); h = H / stride, w = W / stride.

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


class TorchRuntime:
    """A checkpoint on a torch device.

    Parameters
    ----------
    path : Path
        Checkpoint of `save_checkpoint`.
    device : {"auto", "cpu", "cuda"}
        ``auto`` takes CUDA where there is a device.

    Raises
    ------
    DeepspineError
        When the checkpoint cannot be read or there is no CUDA device.
    """

    def __init__(self, path: Path, device: str = "auto"):
        if device == "cuda" and not torch.cuda.is_available():
            raise DeepspineError("-device cuda: no CUDA device is available; use -device cpu")
        name = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
        self.device = torch.device(name)
        network, self.description = load_checkpoint(path)
        self.network = network.to(self.device, memory_format=torch.channels_last)
        self.multiple = network.config.multiple
        self.checksum = checksum(path)

    def run(self, images: np.ndarray) -> Maps:
        """Run normalised images (N, H, W), H and W multiples of ``multiple``."""
        batch = torch.from_numpy(np.ascontiguousarray(images, np.float32))[:, None].to(self.device)
        with torch.inference_mode():
            scores, attention = self.network(batch.contiguous(memory_format=torch.channels_last))
            scores = scores[-1].float()
            if self.description.get("loss") == "mse":  # the original's: one sigmoid a disc, no level
                heatmaps, level = scores[:, :-2].sigmoid(), torch.full_like(scores[:, -1], torch.nan)
            else:
                heatmaps, level = scores[:, :-1].softmax(1)[:, :-1], scores[:, -1] * 100
        return Maps(*(tensor.contiguous().cpu().numpy() for tensor in (heatmaps, level, attention[:, 0])))
