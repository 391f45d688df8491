"""Run a checkpoint through torch: the reference, and the way to a GPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from .checkpoint import checksum, load_checkpoint
from .device import pick_device
from .output import Maps
from .runtime import Postponed


class TorchRuntime:
    """A checkpoint on a torch device.

    Parameters
    ----------
    path : Path
        Checkpoint of `save_checkpoint`.
    device : str
        See `pick_device`.

    Raises
    ------
    DeepspineError
        When the checkpoint cannot be read or there is no CUDA device.
    """

    def __init__(self, path: Path, device: str = "auto"):
        self._made_from = Path(path).absolute(), device
        self.device = torch.device(pick_device(device))
        network, self.description = load_checkpoint(path)
        self.network = network.to(self.device, memory_format=torch.channels_last)
        self.multiple = network.config.multiple
        self.threads = 1  # torch has its own
        self.checksum = checksum(path)

    def __reduce__(self) -> tuple[type[Postponed], tuple[object, ...]]:
        """Pickle the path; another process loads the file when it needs it, on a device that it has."""
        return Postponed, (type(self), *self._made_from, self.checksum, self.description)

    def run(self, images: np.ndarray) -> Maps:
        """Run normalised images (N, H, W), H and W multiples of ``multiple``."""
        batch = torch.from_numpy(np.ascontiguousarray(images, np.float32))[:, None].to(self.device)
        with torch.inference_mode():
            scores, attention = self.network(batch.contiguous(memory_format=torch.channels_last))
            scores = scores[-1].float()
            if self.description.get("loss") == "mse":  # the original's: one sigmoid per disc, no level
                heatmaps, level = scores[:, :-2].sigmoid(), torch.full_like(scores[:, -1], torch.nan)
            else:
                heatmaps, level = scores[:, :-1].softmax(1)[:, :-1], scores[:, -1] * 100
        return Maps(*(tensor.contiguous().cpu().numpy() for tensor in (heatmaps, level, attention[:, 0])))
