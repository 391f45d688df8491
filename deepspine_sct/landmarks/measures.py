"""All measures of a scan as rows of one long table: what, where, how much, in which unit.

The rows of many scans stand in one table and are pivoted by whoever reads it: one column for each
measure, or one line for each level.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..anatomy import disc_name, vertebra_name
from ..files.atomic import atomic_path
from ..image.grid import UPRIGHT
from ..image.volume import Volume, reorient
from ..labeling.cord_levels import CordLabels, centreline
from .curvature import Points, angles, disc_angles_deg, distances_mm

COLUMNS = {
    "measure": (
        "disc_distance: from the posterior tip of a disc to that of the next one below. disc_angle: by how much the "
        "spine bends in the sagittal plane at a disc, from the vertebra above to the one below. Names with lordosis "
        "or kyphosis: angle between the first and the last vertebra of the curve by the posterior tangent method "
        "(Harrison et al., Spine 2000;25:2072, 2001;26:E227 and E235). All angles are positive for lordosis. "
        "cord_length: length of the cord's middle line within a vertebral level. cord_area: mean cross section of "
        "the cord there; a voxel of a soft segmentation counts by its value. "
        "cord_lowest_slice, cord_highest_slice: axial slices, counted from the lowest one, 0."
    ),
    "level": "Disc, two discs, vertebra or curve that was measured",
    "value": "Result",
    "unit": "mm, mm2, deg or slice",
}
"""Columns of the table with their description."""


class Measure(NamedTuple):
    """A row of the table."""

    measure: str
    level: str
    value: float
    unit: str


def measure_discs(points: Points) -> Iterator[Measure]:
    """Measure distances, angles and curves.

    Parameters
    ----------
    points : mapping of int to (3,) sequence
        World RAS+ mm of each disc value.
    """
    for value, mm in distances_mm(points).items():
        yield Measure("disc_distance", f"{disc_name(value)} to {disc_name(value + 1)}", mm, "mm")
    for value, degrees in disc_angles_deg(points).items():
        yield Measure("disc_angle", disc_name(value), degrees, "deg")
    for name, degrees in angles(points).items():
        measure, _, levels = name.rpartition("_")
        region, curve, first = measure.rsplit("_", 2)
        yield Measure(f"{region}_{curve}", f"{first}-{levels}", degrees, "deg")


def measure_cord(cord: Volume, labels: CordLabels) -> Iterator[Measure]:
    """Measure the cord in each vertebral level that is segmented from one disc to the next.

    Parameters
    ----------
    cord : Volume
        Segmentation of the cord, in any orientation.
    labels : CordLabels
        What `label_cord` says of it.
    """
    upright = reorient(labels.levels, UPRIGHT)
    line_xyz = cord.grid.to_world(centreline(cord))
    steps_mm = np.linalg.norm(np.gradient(line_xyz, axis=0), axis=1)
    share = np.clip(reorient(cord, UPRIGHT).data, 0, 1)  # of a voxel that a soft segmentation gives to the cord
    voxel_mm3 = abs(np.linalg.det(cord.grid.affine[:3, :3]))
    for value in labels.whole:
        voxels = np.argwhere(upright.data == value)
        name = vertebra_name(value)
        length_mm = float(steps_mm[labels.along == value].sum())
        yield Measure("cord_lowest_slice", name, float(voxels[:, 2].min()), "slice")
        yield Measure("cord_highest_slice", name, float(voxels[:, 2].max()), "slice")
        if length_mm:
            yield Measure("cord_length", name, length_mm, "mm")
            yield Measure("cord_area", name, float(share[upright.data == value].sum()) * voxel_mm3 / length_mm, "mm2")


def lines_of(rows: Iterable[Measure]) -> list[str]:
    """Write each row as a line of tab-separated text."""
    return [f"{row.measure}\t{row.level}\t{row.value:.4g}\t{row.unit}" for row in rows]


def write_measures(path: Path, rows: Iterable[Measure]) -> None:
    """Write measures as a table of tab-separated text, which appears as a whole."""
    lines = ["\t".join(COLUMNS), *lines_of(rows)]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_measures(path: Path) -> str:
    """Read the lines of such a table, without its head; "" where there is no file."""
    return path.read_text(encoding="utf-8").partition("\n")[2] if path.is_file() else ""


def cells_of(lines: str) -> list[list[str]]:
    """Part the lines of such a table into their cells."""
    return [line.split("\t") for line in lines.splitlines()]
