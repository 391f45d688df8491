"""Images that are in memory already, such as nibabel's and SCT's."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

from ..errors import DeepspineError
from .grid import Grid
from .volume import Volume
from .voxels import LARGEST


def as_volume(image: Any) -> Volume:
    """Take an image from memory as one that was read from a file.

    Parameters
    ----------
    image : Volume, nibabel image or SCT's Image
        Three-dimensional; further dimensions, where there are any, must have length 1.

    Returns
    -------
    Volume
        float32; NaN, infinity and what float32 cannot hold sums of are 0, as in an image that is read, and so is
        what a masked array hides. The image itself is not changed.

    Raises
    ------
    DeepspineError
        When it is no image, not three-dimensional, without a usable geometry, or shows nothing, or when its
        voxels are still in a file that cannot be read.
    """
    data, affine = _voxels_and_affine(image)
    data = np.ma.filled(data, 0)  # what a masked array hides was not measured, as NaN was not
    if data.dtype.kind not in "iufb":
        raise DeepspineError("the image has colour or complex voxels; give a scalar image")
    if data.ndim < 3 or any(n != 1 for n in data.shape[3:]):
        raise DeepspineError(f"the image has the shape {data.shape}; give a three-dimensional image")
    data = data.reshape(data.shape[:3])
    try:
        grid = Grid(data.shape, affine)
    except ValueError as error:
        raise DeepspineError(f"the image has no usable geometry ({error}); correct its affine") from error
    with np.errstate(over="ignore", invalid="ignore"):
        values = data.astype(np.float32)
    values[~(np.abs(values) < LARGEST)] = 0  # also NaN
    if (values == values[0, 0, 0]).all():
        raise DeepspineError("every voxel of the image has the same value; give an image of a spine")
    return Volume(values, grid)


def as_read(volume: Volume) -> Volume:
    """Make of a volume what a file with its values would be read as.

    Returns
    -------
    Volume
        The same object, unless a voxel is no number, infinite or too large, or the array is masked or of another type:
        then what `as_volume` makes of it.

    Raises
    ------
    DeepspineError
        As `as_volume`.
    """
    data = volume.data
    if isinstance(data, np.ma.MaskedArray) or data.dtype.kind not in "iufb":
        return as_volume(volume)
    if data.dtype.kind == "f" and not (float(data.min()) > -LARGEST and float(data.max()) < LARGEST):  # False for NaN
        return as_volume(volume)
    return volume


def _voxels_and_affine(image: Any) -> tuple[np.ndarray, np.ndarray]:
    """Voxels and the way from them to the world, from each kind of image that holds both."""
    if isinstance(image, Volume):
        return image.data, image.grid.affine
    try:
        if hasattr(image, "hdr"):  # SCT's Image, which saves by its header and lets its `affine` grow old
            return np.asanyarray(image.data), image.hdr.get_best_affine()
        return np.asanyarray(image.dataobj), image.affine
    except AttributeError as error:
        raise DeepspineError(
            f"cannot label a {type(image).__name__}; give a path, a nibabel or SCT image, or a Volume with its Grid"
        ) from error
    except (OSError, EOFError, zlib.error) as error:  # nibabel reads the voxels only now
        name = getattr(error, "filename", None) or getattr(image, "get_filename", str)() or "the image"
        fault = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise DeepspineError(
            f"{name}: the voxels cannot be read ({fault}); check the file, or copy it again"
        ) from error
