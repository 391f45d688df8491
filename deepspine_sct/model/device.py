"""Which device a network runs on."""

from __future__ import annotations

from ..errors import DeepspineError

DEVICES = ("auto", "cpu", "cuda")
"""What a user can ask for."""


def pick_device(name: str) -> str:
    """Return the device of torch for what a user asks for.

    Parameters
    ----------
    name : str
        One of `DEVICES`. ``auto`` takes CUDA where there is a device.

    Returns
    -------
    {"cpu", "cuda"}

    Raises
    ------
    DeepspineError
        When CUDA is asked for and there is no such device.
    """
    import torch  # slow to load, and -h only asks for the choices

    if name == "cuda" and not torch.cuda.is_available():
        raise DeepspineError("-device cuda: no CUDA device is available; use -device cpu")
    return "cuda" if name != "cpu" and torch.cuda.is_available() else "cpu"
