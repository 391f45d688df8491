"""Whether an image file is whole, told by its two ends."""

from __future__ import annotations

from contextlib import suppress
from math import prod
from pathlib import Path

from ..errors import DeepspineError
from .nifti import read_header
from .source import is_compressed, open_source

_BLOCK_BYTES = 2**20


def is_whole_image(path: Path) -> bool:
    """Tell a NIfTI file that is whole from one that was cut off, is empty, or is not there.

    The header says how many bytes the image has, and the end of a gzip file says how many it holds. If both agree,
    nothing else is read. If they differ, as another program may have packed the file, the whole file is read.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz`` file.

    Returns
    -------
    bool
        False also where the file cannot be read, or is no NIfTI file.
    """
    with suppress(DeepspineError, OSError, ValueError):
        header = read_header(path)
        n_bytes = header.get_data_offset() + prod(header.get_data_shape()) * header.get_data_dtype().itemsize
        if not is_compressed(path):
            return path.stat().st_size >= n_bytes
        with open(path, "rb") as packed:
            packed.seek(-4, 2)
            if int.from_bytes(packed.read(), "little") == n_bytes % 2**32:
                return True
        with open_source(path) as stream:
            return sum(map(len, iter(lambda: stream.read(_BLOCK_BYTES), b""))) >= n_bytes
    return False
