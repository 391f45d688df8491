"""Which program runs the network: ONNX Runtime, which is ready long before torch, or torch."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..errors import DeepspineError, missing_package
from .device import DEVICES
from .output import Maps

_WEIGHTS = Path(__file__).with_name("weights")
SHIPPED = _WEIGHTS / "deepspine.safetensors"
"""The checkpoint that comes with the package."""
SHIPPED_ONNX = _WEIGHTS / "deepspine.onnx"
"""Its export (see `export`)."""


class Runtime(Protocol):
    """A network that is ready to run. A pickle of it holds the path of its file; see `Postponed`.

    Attributes
    ----------
    description : dict
        What the checkpoint says of itself: preprocessing, ordering prior, training.
    checksum : str
        SHA-256 of the checkpoint, in hexadecimal digits, also where its export runs.
    multiple : int
        Image height and width must be multiples of this [pixels].
    threads : int
        So many calls of `run` may go on at the same time.
    """

    description: dict[str, Any]
    checksum: str
    multiple: int
    threads: int

    def run(self, images: np.ndarray) -> Maps:
        """Run normalised images (N, H, W) float32; each alone, so that N changes no result."""


def load_runtime(path: Path | None = None, device: str = "auto") -> Runtime:
    """Load a network where it starts and runs fastest.

    Parameters
    ----------
    path : Path, optional
        Checkpoint (``.safetensors``) or export (``.onnx``). Default: the installed one, its export
        where ONNX Runtime is installed and `device` allows the CPU.
    device : str
        One of `DEVICES`. ``auto`` runs an export on the CPU, since a GPU saves less than torch takes to start, and
        a checkpoint on a GPU where there is one.

    Raises
    ------
    DeepspineError
        When the file cannot be read, the device is not available, or torch is missing for a checkpoint.
    """
    if device not in DEVICES:
        raise DeepspineError(f"device: {device!r} is not known; give one of {', '.join(DEVICES)}")
    if path is None and device != "cuda" and SHIPPED_ONNX.exists():
        with suppress(ImportError):
            from .onnx_runtime import OnnxRuntime

            return OnnxRuntime(SHIPPED_ONNX)
    path = Path(path or SHIPPED)
    if not path.is_file():  # said before torch is loaded, and a pipe would keep us waiting
        raise DeepspineError(f"{path}: no such network; check -model")
    if path.suffix.lower() == ".onnx":
        if device == "cuda":
            raise DeepspineError(
                f"{path}: an export runs on the CPU only; use -device cpu, or give the .safetensors file"
            )
        from .onnx_runtime import OnnxRuntime

        return OnnxRuntime(path)
    try:
        from .torch_runtime import TorchRuntime
    except ModuleNotFoundError as error:
        raise DeepspineError(f"{path}: {missing_package(error.name or str(error))}") from error
    return TorchRuntime(path, device)


class Postponed:
    """The network of a pickle: the one that was pickled, loaded from its file as soon as it has to run, or none.

    Were it loaded with the pickle, nobody would hear of a file that is missing: `multiprocessing.Pool` loses the task
    together with the process that cannot read it, and waits for its answer for ever.

    Parameters
    ----------
    kind : callable
        Loads the network from `path` and `option`.
    path : Path
        Its file.
    option : object
        What else `kind` wants to know.
    checksum : str
        Of the network that was pickled.
    description : dict
        What that network says of itself.
    """

    def __init__(
        self, kind: Callable[..., Runtime], path: Path, option: Any, checksum: str, description: dict[str, Any]
    ):
        self._made_from = kind, path, option
        self.checksum = checksum
        self.description: dict[str, Any] = description

    def __reduce__(self) -> tuple[type[Postponed], tuple[object, ...]]:
        """Pickle the path again."""
        return type(self), (*self._made_from, self.checksum, self.description)

    @property
    def multiple(self) -> int:
        """See `Runtime`."""
        return self._runtime.multiple

    @property
    def threads(self) -> int:
        """Of this process, which may have other cores than the one before."""
        return self._runtime.threads

    def run(self, images: np.ndarray) -> Maps:
        """Run normalised images.

        Raises
        ------
        DeepspineError
            When the file is not there, cannot be used, or holds another network by now.
        """
        return self._runtime.run(images)

    @cached_property
    def _runtime(self) -> Runtime:
        kind, path, option = self._made_from
        runtime = kind(path, option)
        if runtime.checksum != self.checksum:
            raise DeepspineError(
                f"{path}: holds another network than when the predictor was pickled; load the predictor from it anew"
            )
        return runtime
