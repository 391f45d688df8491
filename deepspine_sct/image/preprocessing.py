"""Orientation and intensity of the images that the network sees, in training and in use."""

from __future__ import annotations

import numpy as np

from .grid import CANONICAL
from .volume import Volume, reorient

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
