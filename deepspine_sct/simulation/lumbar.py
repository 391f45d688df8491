"""Real lumbar anatomies: the scan, its tissues and its discs, in the scanner and along the canal.

A folder ``lumbar/`` holds, for every subject, ``NAME_T2w.nii.gz``, ``NAME_tissue.nii.gz`` (1 vertebra, 2 disc, 3 canal)
and ``NAME_discs.nii.gz`` (one voxel per disc). The sacrum is not labelled there. Its bodies and the remnants of its
discs are told apart here by their brightness, in front of the canal, so that they can be repainted with the lumbar
ones.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from deepspine_sct.anatomy import LEVEL_MM, N_DISCS
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.labels import read_labels
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.image.volume import Volume

VERTEBRA, DISC, CANAL = 1, 2, 3
"""Values of the tissues."""

SITE = "lumbar"  # of every subject: they come from one collection
_STEP_MM = 1.0
_SMOOTH_MM = 5.0  # of the canal's middle line
_END_MM = 25.0  # the line goes on straight in the direction of its last so many millimetres
_BEYOND_MM = 140.0
_SACRAL_TILT_DEG = (20.0, 65.0)  # the sacral canal runs backwards on its way down, at least and at most so
# The sacrum: bodies of this depth at its top, without any of it so far below L5/S1, begin so far in front of the tips.
_SACRUM_DEPTH_MM, _SACRUM_LENGTH_MM, _BEHIND_BODIES_MM = 30.0, 95.0, 1.5
# Of a disc: it reaches so far down and back from its point, is looked at in so many slices on either side, and its
# point stays unless it is so far in front of its end.
_DISC_HALF_MM, _SLICES_BESIDE, _TOO_FAR_IN_FRONT_MM = (9.0, 22.0), 2, 3.5
_DARK = 0.6  # of the marrow's brightness: darker than this, a sacral body's pixel is a remnant of a disc or its rim


@dataclass(frozen=True)
class CanalLine:
    """The middle line of the spinal canal, by arc length from its upper to its lower end.

    Attributes
    ----------
    at_mm : (N, 3) left-right, down and back [mm] from voxel 0 of the canonical volume, one point per millimetre
    s_mm : (N,) the template's position of each point, decreasing
    size : lengths of this body over those of the template
    """

    at_mm: np.ndarray
    s_mm: np.ndarray
    size: float

    @property
    def front(self) -> np.ndarray:
        """(N, 2) unit vectors (down, back) that point to anterior, across the line."""
        along = np.gradient(self.at_mm[:, 1:], axis=0)
        along /= np.linalg.norm(along, axis=1, keepdims=True)
        return np.stack([along[:, 1], -along[:, 0]], -1)

    def to_template(self, points_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return template ``s`` and ``u`` [mm] of points (..., 2) = (down, back) [mm]."""
        _, nearest = cKDTree(self.at_mm[:, 1:]).query(points_mm)
        u_mm = ((points_mm - self.at_mm[nearest, 1:]) * self.front[nearest]).sum(-1)
        return self.s_mm[nearest], u_mm / self.size


@dataclass(frozen=True)
class LumbarSubject:
    """One real lumbar scan.

    Attributes
    ----------
    name : file stem without the contrast
    scan : (N, H, W) T2w volume in (L, I, P), 1 = cerebrospinal fluid
    tissue : (N, H, W) uint8, 0 elsewhere or `VERTEBRA`, `DISC`, `CANAL`; the sacrum included
    points : world position (3,) [mm] of each disc value
    line : middle line of the canal
    """

    name: str
    scan: Volume
    tissue: np.ndarray
    points: dict[int, np.ndarray]
    line: CanalLine


def load_subjects(folder: Path) -> list[LumbarSubject]:
    """Read every subject of a folder, in the order of their names."""
    return [read_subject(path) for path in sorted(folder.glob("*_T2w.nii.gz"))]


def read_subject(path: Path) -> LumbarSubject:
    """Read one subject from the path of its ``NAME_T2w.nii.gz``."""
    name = path.name.removesuffix("_T2w.nii.gz")
    scan = canonical(read_volume(path))
    mask = canonical(read_volume(path.with_name(f"{name}_tissue.nii.gz")))
    tissue = np.rint(mask.data).astype(np.uint8)
    points = read_labels(path.with_name(f"{name}_discs.nii.gz"))
    points = {value: _at_end_of_disc(xyz_mm, tissue, scan.grid) for value, xyz_mm in points.items()}
    zooms_mm = scan.grid.zooms_mm
    tips_mm = {value: scan.grid.to_index(xyz_mm) * zooms_mm for value, xyz_mm in points.items()}
    line = _canal_line(tissue == CANAL, zooms_mm, tips_mm)
    fluid = np.percentile(scan.data[tissue == CANAL], 90)
    scan = Volume((scan.data / fluid).astype(np.float32), scan.grid)
    _add_sacrum(tissue, scan.data, zooms_mm, line, tips_mm)
    return LumbarSubject(name, scan, tissue, points, line)


def _at_end_of_disc(xyz_mm: np.ndarray, tissue: np.ndarray, grid: Grid) -> np.ndarray:
    """Return a disc's point, moved to the posterior end of the disc's mask where it lies far in front of it.

    The points come from one slice of the masks each. In eight of 216 discs that slice misses the part of the disc that
    reaches the canal, and the point is 4 to 9 mm off.
    """
    ijk = grid.to_index(xyz_mm)
    first = max(0, round(ijk[0]) - _SLICES_BESIDE)
    disc_ijk = np.argwhere(tissue[first : round(ijk[0]) + _SLICES_BESIDE + 1] == DISC) + (first, 0, 0)
    away_mm = np.abs(disc_ijk - ijk) * grid.zooms_mm
    disc_ijk = disc_ijk[(away_mm[:, 1] < _DISC_HALF_MM[0]) & (away_mm[:, 2] < _DISC_HALF_MM[1])]
    last = disc_ijk[:, 2].max(initial=0)
    if (last - ijk[2]) * grid.zooms_mm[2] < _TOO_FAR_IN_FRONT_MM:
        return xyz_mm
    return grid.to_world((ijk[0], disc_ijk[disc_ijk[:, 2] == last, 1].mean(), last))


def _canal_line(canal: np.ndarray, zooms_mm: np.ndarray, tips_mm: dict[int, np.ndarray]) -> CanalLine:
    rows = np.flatnonzero(canal.any((0, 2)))
    centres = np.array([np.argwhere(canal[:, row]).mean(0) for row in rows])  # (slice, column)
    middle_mm = np.column_stack([centres[:, 0], rows, centres[:, 1]]) * zooms_mm
    at_mm = _even(ndimage.gaussian_filter1d(middle_mm, _SMOOTH_MM / zooms_mm[1], axis=0, mode="nearest"))
    at_mm = _without_hook(at_mm, tips_mm[N_DISCS])
    n_end = int(_END_MM / _STEP_MM)
    _, back, down = (at_mm[-1] - at_mm[-1 - n_end])[[0, 2, 1]]
    tilt = np.clip(np.arctan2(back, down), *np.radians(_SACRAL_TILT_DEG))
    down = np.array([0.0, np.cos(tilt), np.sin(tilt)]) * _STEP_MM
    up = (at_mm[0] - at_mm[n_end]) / n_end * (0.0, 1.0, 1.0)
    steps = np.arange(1, _BEYOND_MM / _STEP_MM)[:, None]
    at_mm = _even(np.concatenate([(at_mm[0] + up * steps)[::-1], at_mm, at_mm[-1] + down * steps]))
    values = sorted(tips_mm)
    _, tip_at = cKDTree(at_mm[:, 1:]).query(np.array([tips_mm[v][1:] for v in values]))
    levels_mm = LEVEL_MM[np.array(values) - 1]
    size = float((tip_at[-1] - tip_at[0]) * _STEP_MM / (levels_mm[0] - levels_mm[-1]))
    n = len(at_mm)
    knots = np.concatenate([[0], tip_at, [n - 1]])
    ends_mm = levels_mm[0] + tip_at[0] * _STEP_MM / size, levels_mm[-1] - (n - 1 - tip_at[-1]) * _STEP_MM / size
    s_mm = np.interp(np.arange(n), knots, np.concatenate([ends_mm[:1], levels_mm, ends_mm[1:]]))
    return CanalLine(at_mm, s_mm, size)


def _without_hook(at_mm: np.ndarray, lowest_tip_mm: np.ndarray) -> np.ndarray:
    """Cut a line (N, 3) where it turns forwards below L5/S1: there it has left the sacral canal."""
    lowest = int(np.linalg.norm(at_mm[:, 1:] - lowest_tip_mm[1:], axis=1).argmin())
    along = np.gradient(at_mm, axis=0)
    forwards = np.flatnonzero(np.arctan2(along[:, 2], along[:, 1]) < np.radians(_SACRAL_TILT_DEG[0]) / 2)
    hook = forwards[forwards > lowest]
    return at_mm[: max(lowest + 1, hook[0] - int(_SMOOTH_MM / _STEP_MM))] if len(hook) else at_mm


def _even(points_mm: np.ndarray) -> np.ndarray:
    """Resample a line (N, 3) to one point per millimetre of arc."""
    arc_mm = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points_mm[:, 1:], axis=0), axis=1))])
    at_mm = np.arange(0.0, arc_mm[-1], _STEP_MM)
    return np.column_stack([np.interp(at_mm, arc_mm, column) for column in points_mm.T])


def _add_sacrum(tissue: np.ndarray, scan: np.ndarray, zooms_mm, line: CanalLine, tips_mm) -> None:
    """Label sacral bodies and remnants of discs, in place, in front of the canal below L5/S1."""
    rows_mm, cols_mm = (np.arange(n) * zoom for n, zoom in zip(tissue.shape[1:], zooms_mm[1:], strict=True))
    s_mm, u_mm = line.to_template(np.stack(np.meshgrid(rows_mm, cols_mm, indexing="ij"), -1))
    depth_mm = LEVEL_MM[-1] - s_mm
    front = line.to_template(tips_mm[N_DISCS][1:])[1] + _BEHIND_BODIES_MM - 0.06 * np.clip(depth_mm, 0, None)
    taper = np.clip(1 - depth_mm / _SACRUM_LENGTH_MM, 0, 1)
    zone = (depth_mm > 3) & (taper > 0) & (u_mm > front) & (u_mm < front + _SACRUM_DEPTH_MM * taper)
    marrow = np.median(scan[tissue == VERTEBRA])
    smooth = ndimage.gaussian_filter(scan, (0, 0.7, 0.7))
    free = zone & (tissue == 0)
    tissue[free & (smooth >= _DARK * marrow)] = VERTEBRA
    tissue[free & (smooth < _DARK * marrow)] = DISC
