"""Run an exported checkpoint (see `export`) through ONNX Runtime: no torch, and ready at once."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DeepspineError
from ..parallel import in_threads
from .output import Maps
from .runtime import Postponed
from .seal import is_intact

# From 1.29 on ONNX Runtime reports every process and network to its makers, unless this is said
# before it is loaded. Scans and what is done to them are nobody else's business.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime as ort  # noqa: E402
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors  # noqa: E402

FORMAT_VERSION = 1
"""Of the metadata in the file; raised where an older program would misread it."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")
"""Environment variables that limit the threads. SCT's batch runner sets the second to 1, as it starts
a process for every core itself."""

AT_ONCE = 4
"""Most images that are run at the same time, since each takes memory."""

LARGEST_MULTIPLE = 256
"""More pixels than this need not be padded for any network."""

_PLACES = [("images", 4), ("heatmaps", 4), ("level_mm", 3), ("attention", 3)]  # name and rank

_UNUSABLE = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,  # also where it may not be read
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
"""What ONNX Runtime raises over a damaged or foreign file; they share no class of their own."""


def thread_count(environment: Mapping[str, str]) -> int:
    """Return how many threads to run: the least that the environment says, else one a usable core."""
    texts = (environment.get(name, "").strip() for name in THREAD_VARIABLES)
    limits = [int(text) for text in texts if text.isdecimal() and int(text) > 0]
    usable = getattr(os, "sched_getaffinity", None)  # not on macOS
    return min(limits, default=len(usable(0)) if usable else os.cpu_count() or 1)


class OnnxRuntime:
    """An exported checkpoint on the CPU.

    Parameters
    ----------
    path : Path
        File written by `export.export`.
    threads : int, optional
        By default `thread_count` of the environment. The result does not depend on it.

    Raises
    ------
    DeepspineError
        When the file is missing, is no ONNX file, or is not one of ours.
    """

    def __init__(self, path: Path, threads: int | None = None):
        self._made_from = Path(path).absolute(), threads
        self.threads = min(threads or thread_count(os.environ), AT_ONCE)
        options = ort.SessionOptions()
        # A thread for each image, not several for one: no thread waits for another at every layer.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors only
        self._session = _open_session(Path(path), options)
        metadata = self._session.get_modelmeta().custom_metadata_map
        try:
            if json.loads(metadata["format"]) != FORMAT_VERSION:
                raise DeepspineError(f"{path}: export format {metadata['format']} is not known; update deepspine_sct")
            self.description: dict[str, Any] = json.loads(metadata["description"])
            self.checksum: str = metadata["checkpoint_sha256"]
            self.multiple: int = json.loads(metadata["multiple"])
        except (KeyError, json.JSONDecodeError) as error:
            raise _foreign(path) from error
        places = [*self._session.get_inputs(), *self._session.get_outputs()]
        ranks = [(place.name, len(place.shape)) for place in places]
        if ranks != _PLACES or self.multiple not in range(1, LARGEST_MULTIPLE + 1):
            raise _foreign(path)

    def __reduce__(self) -> tuple[type[Postponed], tuple[object, ...]]:
        """Pickle the path; another process loads the file when it needs it."""
        return Postponed, (type(self), *self._made_from, self.checksum, self.description)

    def run(self, images: np.ndarray) -> Maps:
        """Run normalised images (N, H, W), H and W multiples of ``multiple``."""
        # Each alone, which is faster than a batch, because a batch leaves the processor's cache.
        images = np.ascontiguousarray(images, np.float32)[:, None, None]
        try:
            answers = in_threads(self._answer, images, self.threads)
        except _UNUSABLE as error:  # too little memory among them
            reason = str(error).splitlines()[0]
            raise DeepspineError(f"the network failed ({reason}); check -model and the memory") from error
        return Maps(*(np.concatenate(maps) for maps in zip(*answers, strict=True)))

    def _answer(self, image: np.ndarray) -> list[np.ndarray]:
        return self._session.run(Maps._fields, {"images": image})


def _foreign(path: Path) -> DeepspineError:
    return DeepspineError(
        f"{path}: not exported from a deepspine_sct checkpoint; use python -m deepspine_sct.model.export"
    )


def _open_session(path: Path, options: ort.SessionOptions) -> ort.InferenceSession:
    if not path.is_file():
        raise DeepspineError(f"{path}: no such network; check -model")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DeepspineError(f"{path}: cannot be read ({error.strerror}); check the file") from error
    if not is_intact(content):
        raise DeepspineError(f"{path}: was damaged or changed, its checksum does not fit; get it again")
    try:
        # From memory, where a network cannot ask for further files.
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except _UNUSABLE as error:
        reason = str(error).splitlines()[0]
        raise DeepspineError(f"{path}: not a usable ONNX file ({reason}); get it again") from error
