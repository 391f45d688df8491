"""Tell a segmentation from a scan: few different values, in patches of one value each."""

from __future__ import annotations

import numpy as np

from ..errors import DeepspineError
from .volume import Volume

FEW_VALUES = 128
"""A segmentation has at most so many values, TotalSegmentator's 118 among them. Four of 127 scans at hand have as few,
and none less than 83."""

FLAT_SHARE = 0.75
"""At least so many of the neighbouring voxels of a segmentation have one value, without the background: 0.94 to 1.00
where vertebrae or levels are marked, 0.72 to 0.81 with voxels of 5.6 mm. The scans at hand have at most 0.47, and five
of them that were cut down to eight grey values 0.67."""


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
    n_values = np.unique(volume.data).size
    if n_values > FEW_VALUES or _flat_share(volume.data) < FLAT_SHARE:
        return
    raise DeepspineError(
        f"the image is a segmentation and no scan: it has only {n_values} different values, each in patches; give the"
        " scan that it was made from"
    )


def _flat_share(data: np.ndarray) -> float:
    """Share of neighbours, both brighter than the darkest voxels, that have the same value.

    Up and down, or front and back, whichever is less: a slice that is repeated is flat in one direction.
    """
    darkest, shares = data.min(), []
    for axis in (1, 2):
        first, second = (data.take(range(start, data.shape[axis] - 1 + start), axis) for start in (0, 1))
        both = (first > darkest) & (second > darkest)
        shares.append(np.count_nonzero((first == second) & both) / max(np.count_nonzero(both), 1))
    return float(min(shares))
