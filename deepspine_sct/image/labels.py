"""Disc points from a label file, read strictly: a file that is taken for something else shifts every name.

A label file marks each disc by one voxel, or a small blob of them, whose value is the disc's. What is
refused here was seen in the wild: labels that were resampled like an image, the levels of a labelled
cord, whole discs or vertebrae, and one value that was clicked twice.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..anatomy import SPACING_MM, SPECIAL_VALUES, check_values, disc_name
from ..errors import DeepspineError, NoLabels
from .grid import Grid
from .nifti import read_any

WHOLE_TOLERANCE = 0.01
"""Farther than this from a whole number a value was computed, not written: scaling and conversion to
floats leave 2.9999999 and 3.0000457, interpolation leaves 0.756."""

BLOB_MM = 5.0
"""A voxel farther than this from the middle of its blob makes it none: the cord within one vertebra is
14 mm long or more, a whole disc 30 mm deep."""

NEAREST, LESS_MM, LEAST_MM = 0.3, 4.0, 4.0
FARTHEST, MORE_MM = 1.6, 8.0
"""Two discs lie at least `NEAREST` times the usual distance apart, less 4 mm, and at most `FARTHEST` times, and 8 mm:
from a child of half the size of an adult, two of whose vertebrae have collapsed, to a very tall adult. They are never
nearer than `LEAST_MM`: no vertebra is so low."""

_INTERPOLATED = (
    "was it resampled with interpolation? give the original, or resample it by nearest neighbour "
    "(sct_resample -x nn, antsApplyTransforms -n NearestNeighbor)"
)
_IMAGE_SHARE = 0.1  # of all voxels; a file that marks more looks like an image


def read_labels(path: str | os.PathLike[str]) -> dict[int, np.ndarray]:
    """Read disc points from a label file.

    Parameters
    ----------
    path : path
        NIfTI file on any grid whose non-zero voxels hold disc values, each value in one place. SCT's
        special values are skipped.

    Returns
    -------
    dict of int to (3,) array
        World RAS+ mm of each disc value, superior to inferior: the centre of mass of its voxels.

    Raises
    ------
    DeepspineError
        When the file cannot be read (see `nifti.read_any`), or is no label file: it holds values that
        are no whole numbers or no discs, marks one value in two places or marks more than a small
        blob. The message guesses what the file is.
    NoLabels
        When it holds no disc.
    """
    path = Path(path)
    volume = read_any(path)
    values = np.rint(volume.data)
    _check_whole(path, volume.data, values)
    present = set(np.unique(values).tolist()) - {0.0, *SPECIAL_VALUES}
    try:
        discs = check_values(present)
    except DeepspineError as error:
        raise DeepspineError(f"{path}: {error}{_guess_of_values(values)}") from error
    if not discs:
        raise NoLabels(f"{path}: holds no disc label; give one voxel per disc, valued 1 to 25")
    marks = {value: np.argwhere(values == value) for value in discs}
    blobs = {value: _blobs(ijk) for value, ijk in marks.items()}
    for value, parts in blobs.items():
        for part in parts:
            _check_size(path, value, part, volume.grid, len(discs))
    for value, parts in blobs.items():
        _check_single(path, value, parts, marks)
    _check_nesting(path, marks, volume.grid)
    return {value: volume.grid.to_world(ijk.mean(axis=0)) for value, ijk in marks.items()}


def check_inside(path: str | os.PathLike[str], points: Mapping[int, np.ndarray], grid: Grid) -> None:
    """Refuse discs that lie outside of the image that they are said to be of.

    Raises
    ------
    DeepspineError
        Naming ``path`` and the first one.
    """
    for value, xyz_mm in sorted(points.items()):
        if not grid.contains(grid.to_index(xyz_mm)):
            raise DeepspineError(f"{path}: disc {value} ({disc_name(value)}) lies outside of the image; check it")


def check_order(path: str | os.PathLike[str], points: Mapping[int, np.ndarray]) -> None:
    """Refuse discs that are not in the order of their values from head to foot.

    Parameters
    ----------
    path : path
        File of the discs, for the message.
    points : mapping of int to (3,) array
        World RAS+ mm of each disc value.

    Raises
    ------
    DeepspineError
        Naming the first two that are swapped, or saying that all of them run upwards.
    """
    values = sorted(points)
    pairs = list(zip(values, values[1:], strict=False))
    swapped = [(upper, lower) for upper, lower in pairs if points[lower][2] >= points[upper][2]]
    if not swapped:
        return
    upper, lower = swapped[0]
    if len(swapped) == len(pairs) > 1:
        raise DeepspineError(f"{path}: the values grow from foot to head; count the discs from the head downwards")
    raise DeepspineError(f"{path}: disc {lower} lies above disc {upper}; two labels are swapped; correct them")


def check_distances(source: str | os.PathLike[str], points: Mapping[int, np.ndarray]) -> None:
    """Refuse discs that no spine can have so near to, or so far from, each other.

    All pairs are looked at: of a whole neck within 3 cm only the discs that are farther apart say that something is
    wrong.

    Parameters
    ----------
    source : path
        Where they are given, for the message.
    points : mapping of int to (3,) array
        World RAS+ mm of each disc value.

    Raises
    ------
    DeepspineError
        Naming the first two, neighbours before others.
    """
    values = np.array(sorted(points), dtype=int)
    if len(values) < 2:
        return
    xyz_mm = np.array([points[value] for value in values], dtype=float)
    mm = np.linalg.norm(xyz_mm[:, None] - xyz_mm, axis=-1)
    along_mm = np.append(0.0, np.cumsum(SPACING_MM))[values - 1]
    usual_mm = along_mm - along_mm[:, None]
    possible = (mm >= np.maximum(NEAREST * usual_mm - LESS_MM, LEAST_MM)) & (mm <= FARTHEST * usual_mm + MORE_MM)
    wrong = np.argwhere(np.triu(~possible, k=1))
    if len(wrong) == 0:
        return
    first, second = min(wrong.tolist(), key=lambda pair: (pair[1] - pair[0], pair[0]))
    upper, lower = int(values[first]), int(values[second])
    raise DeepspineError(
        f"{source}: discs {upper} ({disc_name(upper)}) and {lower} ({disc_name(lower)}) lie {mm[first, second]:.0f} mm"
        f" apart, where an adult has about {usual_mm[first, second]:.0f} mm; check their values and their places"
    )


def _check_whole(path: Path, data: np.ndarray, values: np.ndarray) -> None:
    """Refuse values that no label has, and guess where they come from."""
    broken = data[np.abs(data - values) > WHOLE_TOLERANCE]
    if not broken.size:
        return
    if data.min() >= 0 and data.max() <= 1:
        guess = "is it a heatmap, a soft segmentation or interpolated? give one voxel per disc, valued 1 to 25"
    elif _looks_like_an_image(values):
        guess = "is it the image itself? give one voxel per disc, valued 1 to 25"
    else:
        guess = _INTERPOLATED
    example = broken[np.abs(broken).argmax()]
    raise DeepspineError(f"{path}: holds {example:.5g}, which is not a whole number, in {broken.size} voxels; {guess}")


def _guess_of_values(values: np.ndarray) -> str:
    """Say what a file with values that are no discs may be; "" without an idea."""
    if _looks_like_an_image(values):
        return " (is it the image itself?)"
    if np.count_nonzero(values) > 50 * np.unique(values).size:
        return " (is it a segmentation, with its own numbers for the parts?)"
    return ""


def _looks_like_an_image(values: np.ndarray) -> bool:
    return np.count_nonzero(values) > _IMAGE_SHARE * values.size


def _blobs(ijk: np.ndarray) -> list[np.ndarray]:
    """Part voxels (n, 3) into groups that touch, corner to corner at least."""
    from scipy import ndimage  # slow to load

    place = tuple((ijk - ijk.min(axis=0)).T)
    box = np.zeros(np.ptp(ijk, axis=0) + 1, dtype=bool)
    box[place] = True
    parts, n_parts = ndimage.label(box, np.ones((3, 3, 3)))
    return [ijk[parts[place] == part] for part in range(1, n_parts + 1)]


def _touch(first: np.ndarray, second: np.ndarray) -> bool:
    """Tell whether two groups of voxels (n, 3) touch."""
    from scipy.spatial import KDTree  # slow to load

    gaps, _ = KDTree(first).query(second, p=np.inf)
    return bool(gaps.min() <= 1)


def _check_single(path: Path, value: int, blobs: list[np.ndarray], marks: Mapping[int, np.ndarray]) -> None:
    """Refuse a value that is in several places; those around other values come from interpolation."""
    if len(blobs) == 1:
        return
    others = [ijk for other, ijk in marks.items() if other != value]
    around_others = any(_touch(part, ijk) for part in blobs for ijk in others)
    places = " and ".join(str(tuple(part[0].tolist())) for part in blobs[:2])
    raise DeepspineError(
        f"{path}: disc {value} ({disc_name(value)}) is marked in {len(blobs)} places, at voxels {places};"
        f" {_INTERPOLATED if around_others else 'keep only one'}"
    )


def _check_nesting(path: Path, marks: Mapping[int, np.ndarray], grid: Grid) -> None:
    """Refuse blobs that lie within each other, as interpolated labels do that were rounded afterwards."""
    values = list(marks)
    for upper, lower in zip(values, values[1:], strict=False):
        first, second = marks[upper], marks[lower]
        apart_mm = np.linalg.norm(grid.to_world(first.mean(axis=0)) - grid.to_world(second.mean(axis=0)))
        if apart_mm < BLOB_MM and len(first) + len(second) > 2 and _touch(first, second):
            raise DeepspineError(
                f"{path}: discs {upper} and {lower} lie within each other, {apart_mm:.1f} mm apart; {_INTERPOLATED}"
            )


def _check_size(path: Path, value: int, ijk: np.ndarray, grid: Grid, n_values: int) -> None:
    """Refuse what is larger than a small blob; three voxels along each axis are always small."""
    xyz_mm = grid.to_world(ijk)
    reach_mm = np.linalg.norm(xyz_mm - xyz_mm.mean(axis=0), axis=1).max()
    if reach_mm <= max(BLOB_MM, float(np.linalg.norm(grid.zooms_mm)) + 1e-6):
        return
    height_mm, width_mm = np.ptp(xyz_mm[:, 2]), np.ptp(xyz_mm[:, :2], axis=0).max()
    guess = "is it a segmentation of the cord, of whole discs or of vertebrae?"
    if n_values > 1 and height_mm >= width_mm:
        guess = "are these vertebral levels, as of a labelled cord (its discs are in *_labeled_discs.nii.gz)?"
    raise DeepspineError(
        f"{path}: value {value} fills {len(ijk)} voxels up to {2 * reach_mm:.0f} mm across, which is not a point;"
        f" {guess} give one voxel per disc at its posterior tip"
    )
