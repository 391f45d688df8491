"""The voxels behind a NIfTI header: as floats, or as they are stored and read no further than needed.

They are converted block by block, so that a scan is held once.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DeepspineError
from .ahead import ReadAhead
from .source import is_compressed, open_source

BLOCK_VOXELS = 2**20
"""Voxels that are converted at a time."""

LARGEST = 1e32
"""Of an intensity: single floats end at 3.4e38, and means add many up. What is larger stands for no data."""


def float_voxels(
    path: Path,
    header: Any,
    slope: float | None = None,
    intercept: float | None = None,
    ahead: ReadAhead | None = None,
) -> np.ndarray:
    """Read voxels as single floats.

    Parameters
    ----------
    path : Path
        NIfTI file.
    header : nibabel header
        Its header.
    slope, intercept : float, optional
        Scaling, None for none.
    ahead : ReadAhead, optional
        Of this file.

    Returns
    -------
    (n,) float32 array
        In the order of the file; NaN, infinity and what float32 cannot hold sums of are 0.

    Raises
    ------
    DeepspineError
        When the file ends early, cannot be read, or holds no finite value.
    """
    data = np.empty(prod(header.get_data_shape()), dtype=np.float32)
    n_finite = 0
    for start, stored in stored_blocks(path, header, ahead):
        block = data[start : start + stored.size]
        with np.errstate(over="ignore", invalid="ignore"):
            block[:] = stored
            if slope is not None:
                block *= np.float32(slope)
                block += np.float32(intercept)
        finite = np.abs(block) < LARGEST  # False for NaN
        block[~finite] = 0
        n_finite += np.count_nonzero(finite)
    if n_finite == 0:
        raise DeepspineError(f"{path}: holds no finite value; export it again")
    return data


def stored_voxels(path: Path, header: Any, ahead: ReadAhead | None = None) -> np.ndarray:
    """Read voxels without converting integers; floats and arguments are treated as by `float_voxels`.

    Integers of an uncompressed file stay on the disk until they are looked at.

    Returns
    -------
    (n,) array
        In the type and the order of the file.

    Raises
    ------
    DeepspineError
        As `float_voxels`.
    """
    dtype, n_voxels = header.get_data_dtype(), prod(header.get_data_shape())
    if dtype.kind == "f":
        return float_voxels(path, header, ahead=ahead)
    if not is_compressed(path):
        with open_source(path) as stream:
            mapped = np.memmap(stream, dtype, "r", header.get_data_offset(), n_voxels)
            return mapped.view(np.ndarray)
    if (whole := _inflated(ahead, header)) is not None:
        return whole
    data = np.empty(n_voxels, dtype)
    for start, stored in stored_blocks(path, header):
        data[start : start + stored.size] = stored
    return data


def stored_blocks(path: Path, header: Any, ahead: ReadAhead | None = None) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the stored voxels piece by piece, each with the index of its first voxel."""
    dtype, n_voxels = header.get_data_dtype(), prod(header.get_data_shape())
    starts = range(0, n_voxels, BLOCK_VOXELS)
    if (whole := _inflated(ahead, header)) is not None:
        yield from ((start, whole[start : start + BLOCK_VOXELS]) for start in starts)
        return
    with open_source(path) as stream:
        stream.seek(header.get_data_offset())
        for start in starts:
            n_bytes = min(BLOCK_VOXELS, n_voxels - start) * dtype.itemsize
            stored = stream.read(n_bytes)
            if len(stored) < n_bytes:
                raise DeepspineError(f"{path}: ends before its last voxel; copy it again")
            yield start, np.frombuffer(stored, dtype)
        stream.read(1)  # gzip compares its checksum only once the end is reached


def _inflated(ahead: ReadAhead | None, header: Any) -> np.ndarray | None:
    """Take all stored voxels from a file that was read ahead; None where it has no content, or too little."""
    content = ahead.take() if ahead else None
    dtype, n_voxels, offset = header.get_data_dtype(), prod(header.get_data_shape()), int(header.get_data_offset())
    if content is None or len(content) < offset + n_voxels * dtype.itemsize:
        return None
    return np.frombuffer(content, dtype, n_voxels, offset)
