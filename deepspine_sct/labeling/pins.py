"""Discs whose name the user knows: by their place, or by the axial slice that they lie in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .. import anatomy
from ..errors import DeepspineError
from ..image.grid import Grid
from .discs import Labeling
from .heatmap import Candidates

SLICE_REACH_MM = 10.0
"""How far from its slice a disc may lie and still be the one that is meant: two successive discs are
14 mm apart or more, so it is no other's."""

LINE_MM = 25.0
"""How far from the line through the other discs a disc may lie, where these end above or below it."""


@dataclass(frozen=True, eq=False)
class Height:
    """A disc of which the axial slice is known, not the place in it.

    Attributes
    ----------
    value : int
        Disc value.
    slice_index : int
        Slice of `grid`, counted upwards from 0.
    grid : Grid
        Grid of the image, its last axis upwards.
    """

    value: int
    slice_index: int
    grid: Grid

    def away_mm(self, points_xyz: np.ndarray) -> np.ndarray:
        """(n,) distance of world points (n, 3) from the middle of the slice [mm]."""
        return np.abs(self.grid.to_index(points_xyz)[:, 2] - self.slice_index) * self.grid.zooms_mm[2]


def locate(height: Height, labeling: Labeling, faint: Candidates) -> np.ndarray:
    """Find the point of the spine that is meant by a slice.

    It is the disc that is nearest to the slice, whatever its name; else the strongest faint
    candidate near the slice; else, between two discs, the point on the line between them.

    Parameters
    ----------
    height : Height
        What the user said.
    labeling : Labeling
        Named without what the user said; may be empty.
    faint : Candidates
        All that `PredictorSettings.faint` lets pass.

    Returns
    -------
    (3,) array
        World RAS+ mm.

    Raises
    ------
    DeepspineError
        When the spine does not show near the slice.
    """
    discs_xyz = np.array([disc.xyz_mm for disc in labeling.discs]).reshape(-1, 3)
    discs_xyz = discs_xyz[np.argsort(height.grid.to_index(discs_xyz)[:, 2], kind="stable")]
    away_mm = height.away_mm(discs_xyz)
    if away_mm.min(initial=np.inf) <= SLICE_REACH_MM:
        return discs_xyz[away_mm.argmin()]
    on_line_xyz = on_line(height, discs_xyz)
    near = faint.take(height.away_mm(faint.xyz_mm) <= SLICE_REACH_MM)
    if on_line_xyz is not None:
        near = near.take(np.linalg.norm(near.xyz_mm - on_line_xyz, axis=1) <= LINE_MM)
    if len(near):
        return near.xyz_mm[near.strength.argmax()]
    low, high = height.grid.to_index(discs_xyz)[[0, -1], 2] if len(discs_xyz) else (np.nan, np.nan)
    if on_line_xyz is not None and low <= height.slice_index <= high:
        return on_line_xyz
    found = f"; discs were found from slice {round(low)} to {round(high)}" if len(discs_xyz) else ""
    raise DeepspineError(
        f"-initz: near slice {height.slice_index} (0 = lowest) there is no disc that could be "
        f"{anatomy.disc_name(height.value)}{found}; give the position of the disc with -initlabel"
    )


def on_line(height: Height, discs_xyz: np.ndarray) -> np.ndarray | None:
    """Find the point (3,) in the slice on the line through discs (n, 3), going upwards; None without a disc.

    Beyond the outermost discs the line goes on upright: a spine leaves the scan rather than bend.
    """
    if len(discs_xyz) == 0:
        return None
    ijk = height.grid.to_index(discs_xyz)
    i, j = (np.interp(height.slice_index, ijk[:, 2], ijk[:, axis]) for axis in (0, 1))
    return height.grid.to_world(np.array([i, j, height.slice_index]))


def place_pins(
    candidates: Candidates, pins: Mapping[int, np.ndarray], radius_mm: float
) -> tuple[Candidates, dict[int, int]]:
    """Find or add the candidate of each pinned value.

    Parameters
    ----------
    candidates : Candidates
        In any order.
    pins : mapping of int to (3,) array
        World RAS+ mm of each known value.
    radius_mm : float
        The nearest candidate within this distance carries the value.

    Returns
    -------
    candidates : Candidates
        Superior to inferior, with one more for each pin that has none within the radius.
    pinned : dict of int to int
        Index of a candidate to its value.

    Raises
    ------
    DeepspineError
        When a value is not a disc.
    """
    anatomy.check_values(pins)
    owners: list[int] = []
    for _, xyz_mm in sorted(pins.items()):
        away_mm = np.linalg.norm(candidates.xyz_mm - xyz_mm, axis=1)
        away_mm[owners] = np.inf
        if away_mm.min(initial=np.inf) > radius_mm:
            away_mm = np.append(away_mm, 0)
            candidates = Candidates(
                np.vstack([candidates.xyz_mm, xyz_mm]),
                np.append(candidates.strength, 1.0),
                np.vstack([candidates.evidence, np.zeros(candidates.evidence.shape[1])]),
                np.append(candidates.level_mm, np.nan),
            )
        owners.append(int(away_mm.argmin()))
    rank = candidates.descending()
    place = np.argsort(rank)
    pinned = {int(place[i]): value for i, value in zip(owners, sorted(pins), strict=True)}
    return candidates.take(rank), pinned
