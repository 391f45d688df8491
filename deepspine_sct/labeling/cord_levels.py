"""Vertebral levels of a segmented spinal cord, as `sct_label_vertebrae -discfile` writes them.

The rule is SCT's, written anew and compared with its output. A smooth line runs through the middle
of the cord, with one point in each axial slice. Every disc and every voxel of the cord belongs to
the point of the line that is nearest to it. Vertebra N are the voxels whose point lies from disc N
down to, but not including, disc N + 1; above the uppermost disc lies the vertebra before it, and
below the lowest one its own vertebra goes on. As the nearest point lies at a right angle to the
line, so do the boundaries.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..anatomy import disc_name
from ..caution import Caution
from ..errors import DeepspineError
from ..image.grid import UPRIGHT, Grid
from ..image.volume import Volume, reorient
from ..wording import counted
from .cord_segmentation import pieces_beside, slice_axis

_SMOOTHNESS_PER_MM = 20 / 3
"""SCT's smoothing of the line: sum of squared residuals [voxel^2] per mm of slice thickness, where
the cord is marked in every slice."""

END_MM = 3.0
"""A disc this far beyond the end of the segmented cord, or one slice where that is more, is not beside the cord."""

_TANGENT_MM = 10.0
"""At its ends the middle line goes on in the direction that it has over this length."""

MAX_DISTANCE_MM = 25.0
"""The posterior tip of a disc beside the cord lies about 10 mm from its middle; the canal is not this deep."""


@dataclass(frozen=True, eq=False)
class CordLabels:
    """A labeled cord, on the grid of its segmentation.

    Attributes
    ----------
    levels : Volume
        uint8: the vertebra of each voxel of the cord, 1 = C1; 0 outside and above C1.
    discs : Volume
        uint8: one voxel per disc, on the middle line of the cord.
    along : (n,) array of uint8
        The vertebra of each point of `centreline`, also where the line leaves the marked voxels, as in a syrinx.
    whole : tuple of int
        Vertebrae whose level is marked in every slice from the disc above to the disc below.
    warnings : list of Caution
        Sentences for the user.
    """

    levels: Volume
    discs: Volume
    along: np.ndarray
    whole: tuple[int, ...]
    warnings: list[Caution]

    def only(self, values: Collection[int]) -> CordLabels:
        """Leave out the discs that are not asked for; the levels stay."""
        asked = np.isin(self.discs.data, list(values))
        return replace(self, discs=Volume(np.where(asked, self.discs.data, 0).astype(np.uint8), self.discs.grid))


def centreline(cord: Volume) -> np.ndarray:
    """Draw a smooth line through the middle of the cord.

    Parameters
    ----------
    cord : Volume
        Segmentation in any orientation, marked in at least two axial slices.

    Returns
    -------
    (n, 3) array
        Continuous voxel indices in the order of the segmentation's own axes: one point in each
        axial slice from the lowest marked one upwards, also where slices between are unmarked.
    """
    from scipy.interpolate import splev, splrep  # slow to load

    upright = reorient(cord, UPRIGHT)
    ijk = np.argwhere(upright.data)
    marked, which = np.unique(ijk[:, 2], return_inverse=True)
    counts = np.bincount(which)
    slices = np.arange(marked[0], marked[-1] + 1)
    smoothness = _SMOOTHNESS_PER_MM * upright.grid.zooms_mm[2] * (len(marked) / len(slices)) ** 2
    line = np.column_stack([np.zeros((len(slices), 2)), slices])
    for axis in (0, 1):
        middle = np.bincount(which, ijk[:, axis]) / counts
        spline = splrep(marked, middle, s=smoothness, k=3 if len(marked) > 3 else 1)
        line[:, axis] = splev(slices, spline)
    axes, flips = cord.grid.moves_to(UPRIGHT)
    lengths = np.array(upright.grid.shape)
    own = np.empty_like(line)
    own[:, axes] = np.where(flips, lengths - 1 - line, line)
    return own


def label_cord(cord: Volume, points: Mapping[int, np.ndarray]) -> CordLabels:
    """Give every voxel of the cord its vertebra, and every disc its place on the middle line.

    Parameters
    ----------
    cord : Volume
        Segmentation, as `read_cord` returns it.
    points : mapping of int to (3,) array
        World RAS+ mm of each disc value; at least one. For SCT to find the same from the label
        file, these are the centres of its voxels.

    Returns
    -------
    CordLabels

    Raises
    ------
    DeepspineError
        When the discs lie far from the cord.
    """
    line = centreline(cord)
    voxels, distances_mm = _project(cord.grid, line, points)
    beyond_mm = _beyond_mm(cord.grid, line, points)
    _check_distances(distances_mm, beyond_mm)
    discs = np.zeros(cord.grid.shape, dtype=np.uint8)
    # Of discs that share a voxel the nearest one stands: the others lie beyond the cord's ends.
    for value in sorted(points, key=lambda value: -distances_mm[value]):
        discs[voxels[value]] = value
    levels = np.zeros(cord.grid.shape, dtype=np.uint8)
    cord_ijk = np.argwhere(cord.data)
    levels[tuple(cord_ijk.T)] = _levels(cord.grid, line, discs, cord_ijk)
    lost = sorted(set(points) - set(discs[discs > 0].tolist()))
    unmarked = _unmarked(levels, cord.grid)
    whole = [v for v in sorted(points) if v + 1 in points and not {v, v + 1} & {*lost, *beyond_mm}]
    return CordLabels(
        Volume(levels, cord.grid),
        Volume(discs, cord.grid),
        _levels(cord.grid, line, discs, line.astype(int)),
        tuple(v for v in whole if not _has_gap(levels, v, unmarked, cord.grid)),
        [
            *_about_lost(lost),
            *_about_ends({v: mm for v, mm in beyond_mm.items() if v not in lost}),
            *_about_gap(unmarked),
            *_about_pieces(*pieces_beside(cord)),
        ],
    )


def _check_distances(distances_mm: Mapping[int, float], beyond: Collection[int]) -> None:
    """Refuse a cord that runs beside the discs. Those below its end, as in a lumbar scan, say nothing of that."""
    apart_mm = [mm for value, mm in distances_mm.items() if value not in beyond] or list(distances_mm.values())
    if np.median(apart_mm) > MAX_DISTANCE_MM:
        raise DeepspineError(
            f"the segmented cord runs {np.median(apart_mm):.0f} mm beside the discs; give a segmentation of the same"
            " scan"
        )


def _beyond_mm(grid: Grid, line: np.ndarray, points: Mapping[int, np.ndarray]) -> dict[int, float]:
    """How far [mm] each disc that is not beside the middle line lies beyond its nearer end."""
    line_xyz = grid.to_world(line)
    slack_mm = max(END_MM, float(np.linalg.norm(np.diff(line_xyz, axis=0), axis=1).mean()))
    found: dict[int, float] = {}
    for ends_xyz in (line_xyz, line_xyz[::-1]):
        from_end_mm = np.linalg.norm(ends_xyz - ends_xyz[0], axis=1)
        inner = int(np.searchsorted(from_end_mm, _TANGENT_MM).clip(1, len(ends_xyz) - 1))
        outwards = (ends_xyz[0] - ends_xyz[inner]) / from_end_mm[inner]
        along_mm = {value: float((xyz_mm - ends_xyz[0]) @ outwards) for value, xyz_mm in points.items()}
        found |= {value: mm for value, mm in along_mm.items() if mm > slack_mm}
    return dict(sorted(found.items()))


def _unmarked(levels: np.ndarray, grid: Grid) -> np.ndarray:
    """List the axial slices between the ends of the cord in which nothing is marked."""
    axis = slice_axis(grid)
    marked = np.flatnonzero(levels.any(axis=tuple(other for other in range(3) if other != axis)))
    return np.setdiff1d(np.arange(marked[0], marked[-1] + 1), marked) if len(marked) else marked


def _project(
    grid: Grid, line: np.ndarray, points: Mapping[int, np.ndarray]
) -> tuple[dict[int, tuple[int, ...]], dict[int, float]]:
    """Voxel of each disc on the line, and how far from the disc it is [mm]."""
    from scipy.spatial import KDTree

    distances_mm, nearest = KDTree(grid.to_world(line)).query(np.array(list(points.values())))
    voxels = np.rint(line[nearest]).astype(int).clip(0, np.array(grid.shape) - 1)
    return (
        {value: tuple(voxel) for value, voxel in zip(points, voxels.tolist(), strict=True)},
        dict(zip(points, distances_mm.tolist(), strict=True)),
    )


def _levels(grid: Grid, line: np.ndarray, discs: np.ndarray, cord_ijk: np.ndarray) -> np.ndarray:
    """Vertebra of each of some voxels (n, 3) of the cord or its middle line: (n,) uint8."""
    from scipy.spatial import KDTree

    # Indices cut off, not rounded, and the discs' own voxels projected once more: SCT does so, and
    # a boundary one voxel off would make our file disagree with the one that it computes.
    tree = KDTree(grid.to_world(line.astype(int)))
    discs_ijk = np.argwhere(discs)
    _, disc_rows = tree.query(grid.to_world(discs_ijk))
    _, cord_rows = tree.query(grid.to_world(cord_ijk))
    upwards = np.argsort(disc_rows)
    values = discs[tuple(discs_ijk.T)][upwards]
    levels = np.append(values, values[-1] - 1)
    return levels[np.searchsorted(disc_rows[upwards], cord_rows)]


def _has_gap(levels: np.ndarray, value: int, unmarked: np.ndarray, grid: Grid) -> bool:
    """Whether a level lies on both sides of unmarked slices, or beside them."""
    slices = np.unique(np.argwhere(levels == value)[:, slice_axis(grid)])
    return not len(slices) or bool(np.isin(unmarked, np.arange(slices[0] - 1, slices[-1] + 2)).any())


def _about_lost(lost: Sequence[int]) -> list[Caution]:
    if not lost:
        return []
    named = ", ".join(f"{value} ({disc_name(value)})" for value in lost)
    text = f"beyond the ends of the segmented cord and left out of its labels: {named}"
    return [Caution("beyond_cord", text)]


def _about_ends(beyond_mm: Mapping[int, float]) -> list[Caution]:
    if not beyond_mm:
        return []
    named = ", ".join(f"{value} ({disc_name(value)}, {mm:.0f} mm)" for value, mm in beyond_mm.items())
    text = f"beyond the ends of the segmented cord, so that the levels beside them are cut short: {named}"
    return [Caution("beyond_cord", text)]


def _about_gap(unmarked: np.ndarray) -> list[Caution]:
    if not len(unmarked):
        return []
    slices = counted(len(unmarked), "axial slice")
    text = f"the segmented cord is interrupted: nothing is marked in {slices} between its ends"
    return [Caution("cord_gap", f"{text}; check the levels there, or segment the cord again")]


def _about_pieces(n_voxels: int, away_mm: float) -> list[Caution]:
    if not n_voxels:
        return []
    text = f"{n_voxels} voxels of the segmented cord lie beside its largest piece, up to {away_mm:.0f} mm away"
    return [Caution("cord_pieces", f"{text}, and draw its middle line there; remove them, and label the cord again")]
