"""A second spine beside the one that was named: two people or two pictures of one in an image."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..caution import Caution
from ..model.output import Prediction
from .discs import Labeling
from .heatmap import find_candidates
from .prior import SkeletonPrior
from .skeleton import rate

STRONG = 0.5
"""Probability of a disc, whichever, from which a pixel counts."""

BESIDE_MM = (25.0, 60.0)
"""Farther from the named spine than this, left or right and back or front, at its own height, no disc of it can lie:
the first is the half of a vertebra, the second the depth of one with its processes."""

BIN_MM, FEWEST = 10.0, 4
"""A second spine shows at so many heights, each of this length. None of the 96 real and simulated scans of single
spines at hand shows anything at any height, and two copies of a neck side by side do at 12 and more."""

LEAST_FIT = 4.5
"""A second spine can be named like the first: what shows beside has such a `Labeling.fit`, at least. It is 6.0 or more
in 26 images of two spines, put together from the scans at hand, and 3.1 for the muscles and ribs, 30 mm to the left and
right, that the network takes for discs in PAM50's T2w template."""

_SIDES = (("right", "left"), ("front", "back"))


def about_second_spine(labeling: Labeling, prediction: Prediction, prior: SkeletonPrior) -> list[Caution]:
    """Warn where discs show in another column than the one that was named.

    Parameters
    ----------
    labeling : Labeling
        The named discs.
    prediction : Prediction
        What the network saw.
    prior : SkeletonPrior
        Distances between discs.

    Returns
    -------
    list of Caution
        One, or none.
    """
    if len(labeling.discs) < 2:
        return []
    scale_mm, heatmaps = prediction.grid.zooms_mm, prediction.heatmaps
    # In mm along the axes of the image (leftwards, downwards, backwards): an oblique header changes nothing then.
    named_mm = prediction.grid.to_index([disc.xyz_mm for disc in labeling.discs]) * scale_mm
    named_mm = named_mm[np.argsort(named_mm[:, 1])]
    strong = np.argwhere(heatmaps.sum(axis=1) >= STRONG)
    strong_mm = strong * scale_mm
    column = np.stack([np.interp(strong_mm[:, 1], named_mm[:, 1], named_mm[:, axis]) for axis in (0, 2)], -1)
    offset = strong_mm[:, [0, 2]] - column
    high_mm, low_mm = named_mm[[0, -1], 1]
    beside = (np.abs(offset) > BESIDE_MM).any(axis=1) & (strong_mm[:, 1] > high_mm) & (strong_mm[:, 1] < low_mm)
    if np.unique(np.floor(strong_mm[beside, 1] / BIN_MM)).size < FEWEST:
        return []
    if _fit(strong[beside], prediction, prior) < LEAST_FIT:
        return []
    offset_mm = np.median(offset[beside], axis=0)
    axis = int(np.abs(offset_mm).argmax())
    side = _SIDES[axis][int(offset_mm[axis] > 0)]
    text = (
        f"a second spine shows about {abs(offset_mm[axis]):.0f} mm to the {side} of the one that was named, and its"
        " discs may be among the labels; crop the image to one spine"
    )
    return [Caution("second_spine", text)]


def _fit(pixels: np.ndarray, prediction: Prediction, prior: SkeletonPrior) -> float:
    """Rate as a spine what some pixels (n, 3) of the slabs show: slab, row and column."""
    heatmaps = prediction.heatmaps
    shown = np.zeros((len(heatmaps), *heatmaps.shape[2:]), heatmaps.dtype)
    shown[tuple(pixels.T)] = 1
    others = replace(prediction, heatmaps=heatmaps * shown[:, None])
    return rate(find_candidates(others, STRONG), prior).fit
