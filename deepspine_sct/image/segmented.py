"""Tell a segmentation from a scan: few different values, in patches of one value each."""

from __future__ import annotations

import numpy as np

from ..errors import DeepspineError
from .volume import Volume

FEW_VALUES = 128
"""A segmentation has at most so many values, TotalSegmentator's 118 among them. Four of 127 scans at hand have as few,
and none less than 83."""

FLAT_SHARE = 0.75
"""At least so many of the neighbouring voxels of a segmentation have one value, without the background: 0.92 to 1.00
where vertebrae or levels are marked, 0.72 to 0.82 with voxels of 5.6 mm. The real scans at hand have at most 0.43, and
cut down to sixteen grey values 0.64."""


def check_is_scan(volume: Volume) -> None:
    """Refuse a segmentation: discs in it are named like those of a scan, and as surely.

    Parameters
    ----------
    volume : Volume
        Image in (L, I, P).

    Raises
    ------
    DeepspineError
        When it has few values, in flat patches.
    """
    middle = volume.data[volume.data.shape[0] // 2]  # shows nearly always that there are many
    if np.unique(middle).size > FEW_VALUES:
        return
    values, counts = np.unique(volume.data, return_counts=True)
    if values.size > FEW_VALUES or _flat_share(volume.data, values[counts.argmax()]) < FLAT_SHARE:
        return
    raise DeepspineError(
        f"the image is a segmentation and no scan: it has only {values.size} different values, each in patches; give"
        " the scan that it was made from"
    )


def _flat_share(data: np.ndarray, background: float) -> float:
    """Share of neighbours, both of them other than the background, that have the same value.

    Up and down, or front and back, whichever is less. Rows and columns that repeat the one before are left out first:
    a scan that was enlarged without interpolation would be flat.
    """
    for axis in (1, 2):
        first, second = _neighbours(data, axis)
        data = data.compress(np.append(True, (first != second).any(axis=(0, 3 - axis))), axis)
    shares = []
    for axis in (1, 2):
        first, second = _neighbours(data, axis)
        both = (first != background) & (second != background)
        shares.append(np.count_nonzero((first == second) & both) / max(np.count_nonzero(both), 1))
    return float(min(shares))


def _neighbours(data: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """All rows but the last one and all but the first one, or so the columns."""
    return (data[:, :-1], data[:, 1:]) if axis == 1 else (data[:, :, :-1], data[:, :, 1:])
