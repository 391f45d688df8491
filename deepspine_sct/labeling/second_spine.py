"""A second spine beside the one that was named: two people or two pictures of one in an image."""

from __future__ import annotations

import numpy as np

from ..caution import Caution
from ..model.output import Prediction
from .discs import Labeling

STRONG = 0.5
"""Probability of a disc, whichever, from which a pixel counts."""

BESIDE_MM = (25.0, 60.0)
"""Farther from the named spine than this, left or right and back or front, at its own height, no disc of it can lie:
the first is the half of a vertebra, the second the depth of one with its processes."""

BIN_MM, FEWEST = 10.0, 4
"""A second spine shows at so many heights, each of this length. None of the 96 real and simulated scans of single
spines at hand shows anything at any height, and two copies of a neck side by side do at 12 and more."""

_SIDES = (("left", "right"), ("back", "front"))


def about_second_spine(labeling: Labeling, prediction: Prediction) -> list[Caution]:
    """Warn where discs show in another column than the one that was named.

    Parameters
    ----------
    labeling : Labeling
        The named discs.
    prediction : Prediction
        What the network saw.

    Returns
    -------
    list of Caution
        One, or none.
    """
    if len(labeling.discs) < 2:
        return []
    named_xyz = np.array([disc.xyz_mm for disc in labeling.discs])[::-1]  # upwards, as interpolation wants it
    strong = np.argwhere(prediction.heatmaps.sum(axis=1) >= STRONG)
    xyz_mm = prediction.grid.to_world(strong)
    column_xy = np.stack([np.interp(xyz_mm[:, 2], named_xyz[:, 2], named_xyz[:, axis]) for axis in (0, 1)], -1)
    offset_xy = xyz_mm[:, :2] - column_xy
    low_mm, high_mm = named_xyz[[0, -1], 2]
    beside = (np.abs(offset_xy) > BESIDE_MM).any(axis=1) & (xyz_mm[:, 2] > low_mm) & (xyz_mm[:, 2] < high_mm)
    if np.unique(np.floor(xyz_mm[beside, 2] / BIN_MM)).size < FEWEST:
        return []
    offset_mm = np.median(offset_xy[beside], axis=0)
    axis = int(np.abs(offset_mm).argmax())
    side = _SIDES[axis][int(offset_mm[axis] > 0)]
    text = (
        f"a second spine shows about {abs(offset_mm[axis]):.0f} mm to the {side} of the one that was named, and its"
        " discs may be among the labels; crop the image to one spine"
    )
    return [Caution("second_spine", text)]
