"""Starting points: a disc whose name the user knows, as a pin that the ordering obeys."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from deepspine_sct.anatomy import disc_name
from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.nifti import read_labels
from deepspine_sct.labeling.discs import Disc

SLICE_CODES = ("L", "A", "S")
"""Axis codes of the orientation that SCT calls RPI, in which it counts the slices of -initz."""

PIN_REACH_MM = 10.0
"""How far from a found disc a slice may lie and still name it: the ordering moves a pin no further,
and half the distance between two cervical discs is 9 mm."""


def pins_from_file(path: str | Path, grid: Grid) -> dict[int, np.ndarray]:
    """Read known discs from a label file.

    Parameters
    ----------
    path : str or Path
        NIfTI label file with one or more discs, on any grid in the world of the image.
    grid : Grid
        Grid of the image.

    Returns
    -------
    dict of int to (3,) array
        World RAS+ mm of each disc value.

    Raises
    ------
    DeepspineError
        When the file is unreadable or holds no disc, or a disc of it lies outside of the image.
    """
    pins = read_labels(path)
    for value, xyz_mm in pins.items():
        if not grid.contains(grid.to_index(xyz_mm)):
            raise DeepspineError(
                f"{path}: disc {value} lies outside of the image; mark it on the same scan"
            )
    return pins


def check_slice(slice_index: int, grid: Grid) -> None:
    """Refuse a slice that the image does not have, before anything slow runs.

    Parameters
    ----------
    slice_index : int
        Number of the slice, 0 = the lowest.
    grid : Grid
        Grid of the image.

    Raises
    ------
    DeepspineError
        When the image has no such slice.
    """
    n_slices = grid.reoriented(SLICE_CODES).shape[2]
    if slice_index >= n_slices:
        raise DeepspineError(
            f"-initz: slice {slice_index} is not in the image; its slices run from 0 (lowest) "
            f"to {n_slices - 1}"
        )


def pin_from_slice(
    slice_index: int, value: int, discs: Sequence[Disc], grid: Grid
) -> dict[int, np.ndarray]:
    """Find the point that -initz means: where the spine crosses a slice.

    A slice number says nothing about left-right and front-back. They are taken from the spine as
    found without a start: a line through its discs.

    Parameters
    ----------
    slice_index : int
        Number of the slice, 0 = the lowest, in the orientation that SCT calls RPI.
    value : int
        Disc value in that slice.
    discs : sequence of Disc
        Discs found without a start, whatever their names; at least one.
    grid : Grid
        Grid of the image.

    Returns
    -------
    dict of int to (3,) array
        World RAS+ mm of the one disc value.

    Raises
    ------
    DeepspineError
        When no disc was found near the slice.
    """
    upright = grid.reoriented(SLICE_CODES)
    points_ijk = upright.to_index(np.array([disc.xyz_mm for disc in discs]))
    points_ijk = points_ijk[np.argsort(points_ijk[:, 2])]
    low, high = points_ijk[[0, -1], 2]
    reach = PIN_REACH_MM / upright.zooms_mm[2]
    if not low - reach <= slice_index <= high + reach:
        raise DeepspineError(
            f"-initz: no disc near slice {slice_index} to be {disc_name(value)}; discs were found "
            f"from slice {round(low)} to {round(high)} (0 = lowest)"
        )
    i, j = (np.interp(slice_index, points_ijk[:, 2], points_ijk[:, axis]) for axis in (0, 1))
    return {value: upright.to_world(np.array([i, j, slice_index]))}


def check_pins(pins: Mapping[int, np.ndarray], values: Sequence[int] | None) -> None:
    """Refuse a start that contradicts the values that -discs allows.

    Parameters
    ----------
    pins : mapping of int to (3,) array
        Known discs.
    values : sequence of int or None
        Disc values allowed in the output; None allows all.

    Raises
    ------
    DeepspineError
        When a pinned value is not allowed.
    """
    excluded = [] if values is None else sorted(set(pins) - set(values))
    if excluded:
        raise DeepspineError(
            f"disc {excluded[0]} is given as a start but left out by -discs; widen -discs"
        )
