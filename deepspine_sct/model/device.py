"""Which device torch computes on."""

from __future__ import annotations

import torch

from ..errors import DeepspineError


def pick_device(name: str) -> str:
    """Return the device of an option.

    Parameters
    ----------
    name : {"auto", "cpu", "cuda"}
        ``auto`` takes CUDA where there is a device.

    Returns
    -------
    {"cpu", "cuda"}

    Raises
    ------
    DeepspineError
        When CUDA is asked for and there is no such device.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise DeepspineError("-device cuda: no CUDA device is available; use -device cpu")
    return "cuda" if name != "cpu" and torch.cuda.is_available() else "cpu"
