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
from .source import is_compressed, open_source

BLOCK_VOXELS = 2**20
"""Voxels that are converted at a time."""

LARGEST = 1e32
"""Of an intensity: single floats end at 3.4e38, and means add many up. What is larger stands for no data."""


def float_voxels(path: Path, header: Any, slope: float | None = None, intercept: float | None = None) -> np.ndarray:
    """Read voxels as single floats.

    Parameters
    ----------
    path : Path
        NIfTI file.
    header : nibabel header
        Its header.
    slope, intercept : float, optional
        Scaling, None for none.

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
    for start, stored in stored_blocks(path, header):
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


def stored_voxels(path: Path, header: Any) -> np.ndarray:
    """Read voxels without converting integers; floats are treated as by `float_voxels`.

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
        return float_voxels(path, header)
    if not is_compressed(path):
        with open_source(path) as stream:
            mapped = np.memmap(stream, dtype, "r", header.get_data_offset(), n_voxels)
            return mapped.view(np.ndarray)
    data = np.empty(n_voxels, dtype)
    for start, stored in stored_blocks(path, header):
        data[start : start + stored.size] = stored
    return data


def stored_blocks(path: Path, header: Any) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the stored voxels piece by piece, each with the index of its first voxel."""
    dtype, n_voxels = header.get_data_dtype(), prod(header.get_data_shape())
    with open_source(path) as stream:
        stream.seek(header.get_data_offset())
        for start in range(0, n_voxels, BLOCK_VOXELS):
            n_bytes = min(BLOCK_VOXELS, n_voxels - start) * dtype.itemsize
            stored = stream.read(n_bytes)
            if len(stored) < n_bytes:
                raise DeepspineError(f"{path}: ends before its last voxel; copy it again")
            yield start, np.frombuffer(stored, dtype)
        stream.read(1)  # gzip compares its checksum only once the end is reached
