"""Orientation and intensity of the images that the network sees, in training and in use."""

from __future__ import annotations

import numpy as np

from .grid import CANONICAL
from .volume import Volume, crop, reorient

CLIP_PERCENTILES = (1.0, 99.5)
"""Intensities beyond these are clipped: above lie vessels and coil hot spots, seldom anatomy."""


def canonical(volume: Volume) -> Volume:
    """View a volume in (L, I, P): ``data[k]`` is an upright sagittal image, anterior left.

    Parameters
    ----------
    volume : Volume
        Image in any orientation.

    Returns
    -------
    Volume
        A view of the same memory.
    """
    return reorient(volume, CANONICAL)


def without_fill(volume: Volume) -> Volume:
    """Darken the voxels that were not measured, if one value far from all others stands for them.

    After a scan was rotated or unwarped, its corners hold such a value, for example -32768. It would leave the tissue
    without contrast.

    Parameters
    ----------
    volume : Volume
        Image in any orientation.

    Returns
    -------
    Volume
        The same volume. If a corner holds a value that is farther from all others than these are from each other, a
        copy in which the lowest of the others stands in its place.
    """
    data = volume.data
    i, j, k = (n // 2 for n in data.shape)
    # Three lines through the middle nearly always show that a value is not apart, so not all voxels are looked at.
    middle = np.concatenate([data[:, j, k], data[i, :, k], data[i, j, :]])
    corners = data[np.ix_(*([0, n - 1] for n in data.shape))]
    for fill in (corners.min(), corners.max()):
        if _is_apart(fill, middle) and _is_apart(fill, data):
            return Volume(np.where(data == fill, data[data != fill].min(), data), volume.grid)
    return volume


def _is_apart(value: np.generic, others: np.ndarray) -> bool:
    """Tell whether a value is farther from all other values than these are from each other."""
    others = others[others != value]
    low, high = (float(others.min()), float(others.max())) if others.size else (0.0, 0.0)
    return low < high and not 2 * low - high <= float(value) <= 2 * high - low


def without_margins(volume: Volume) -> Volume:
    """Cut off the outer planes that show nothing, each of one value: padding, or a masked scan.

    The pixels that the network sees then lie in the same places, and have the same contrast,
    whatever margins a scan was given.

    Parameters
    ----------
    volume : Volume
        Image in any orientation.

    Returns
    -------
    Volume
        A view of the same memory; one plane at least is left along each axis.
    """
    while True:
        low, high = zip(*(_shown(volume.data, axis) for axis in range(3)), strict=True)
        trimmed = crop(volume, low, high)
        if trimmed.data.shape == volume.data.shape:
            return volume
        volume = trimmed  # a line of another value in a margin has hidden it until now


def _shown(data: np.ndarray, axis: int) -> tuple[int, int]:
    """First plane across an axis that shows something, and the one behind the last."""
    planes = np.moveaxis(data, axis, 0)
    low, high = 0, len(planes)
    while high - low > 1 and _is_flat(planes[low]):
        low += 1
    while high - low > 1 and _is_flat(planes[high - 1]):
        high -= 1
    return low, high


def _is_flat(plane: np.ndarray) -> bool:
    # The first line decides in nearly every case, without a look at the others.
    return bool((plane[0] == plane[0, 0]).all() and (plane == plane[0, 0]).all())


def normalise(image: np.ndarray) -> np.ndarray:
    """Clip outliers, then bring each image to zero mean and unit variance.

    Parameters
    ----------
    image : (H, W) or (N, H, W) array
        One sagittal image or a stack of them, finite. The images of a stack are treated separately.

    Returns
    -------
    float32 array
        Same shape; all zeros where an image is constant between the two percentiles.

    Raises
    ------
    ValueError
        When `image` has another number of dimensions.
    """
    if image.ndim not in (2, 3):
        raise ValueError(f"expected (H, W) or (N, H, W), not {image.shape}")
    low, high = np.percentile(image, CLIP_PERCENTILES, axis=(-2, -1), keepdims=True)
    # In float64: the mean of a bright, flat image would lose its contrast to float32 rounding.
    clipped = np.clip(image, low, high, dtype=np.float64)
    clipped -= clipped.mean(axis=(-2, -1), keepdims=True)
    deviation = clipped.std(axis=(-2, -1), keepdims=True)
    varies = high > low
    return (clipped * varies / np.where(varies, deviation, 1)).astype(np.float32)
