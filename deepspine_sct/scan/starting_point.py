"""Starting points: a disc whose name the user knows, as a pin that the ordering obeys."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.grid import UPRIGHT, Grid
from deepspine_sct.image.labels import check_distances, check_order, read_labels
from deepspine_sct.labeling.pins import Height


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
        When the file is no label file (see `read_labels`), or a disc of it lies outside of the image or
        above one of a lower value, or two lie as no spine has them.
    """
    pins = read_labels(path)
    for value, xyz_mm in pins.items():
        if not grid.contains(grid.to_index(xyz_mm)):
            raise DeepspineError(f"{path}: disc {value} lies outside of the image; give a label file of the same scan")
    check_order(path, pins)
    check_distances(path, pins)
    return pins


def height_of_slice(slice_index: int, value: int, grid: Grid) -> Height:
    """Read what -initz says, before anything slow runs.

    Parameters
    ----------
    slice_index : int
        Number of the slice, 0 = the lowest, in the orientation that SCT calls RPI.
    value : int
        Disc value in that slice.
    grid : Grid
        Grid of the image.

    Returns
    -------
    Height

    Raises
    ------
    DeepspineError
        When the image has no such slice.
    """
    upright = grid.reoriented(UPRIGHT)
    if slice_index >= upright.shape[2]:
        raise DeepspineError(
            f"-initz: slice {slice_index} is not in the image; its slices run from 0 (lowest) to {upright.shape[2] - 1}"
        )
    return Height(value, slice_index, upright)


def check_pins(pins: Iterable[int], values: Sequence[int] | None) -> None:
    """Refuse a start that contradicts the values that -discs allows.

    Parameters
    ----------
    pins : iterable of int
        Values of the known discs.
    values : sequence of int or None
        Disc values allowed in the output; None allows all.

    Raises
    ------
    DeepspineError
        When a pinned value is not allowed.
    """
    excluded = [] if values is None else sorted(set(pins) - set(values))
    if excluded:
        raise DeepspineError(f"disc {excluded[0]} is given as known but left out by -discs; widen -discs")
