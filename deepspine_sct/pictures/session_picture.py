"""A picture of a session: its scans side by side at one height of the world, with the discs that they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..anatomy import disc_name
from ..files.atomic import atomic_path
from ..image.preprocessing import canonical
from ..image.volume import Volume
from .figure import new_figure, to_png
from .matplotlib_settings import drawable, own_settings
from .overlay import sagittal_image

HEIGHT_IN = 9.0
MM_PER_IN = 60.0
"""Scale of a session that is as tall as the picture can show at it; taller ones are drawn smaller."""


@dataclass(frozen=True, eq=False)
class Panel:
    """One scan of the picture.

    Attributes
    ----------
    volume : Volume
        The scan, in any orientation.
    points : mapping of int to (3,) array
        World RAS+ position of each disc [mm], in the scan's own world.
    moved_mm : (3,) array
        What is to be added to its world to reach that of the first scan [mm].
    title : str
        What stands above it.
    """

    volume: Volume
    points: Mapping[int, np.ndarray]
    moved_mm: np.ndarray
    title: str


@own_settings()
def draw_session(path: str | Path, panels: Sequence[Panel]) -> None:
    """Write a picture of scans side by side, as a whole or not at all.

    Every scan stands where the person was in the first one, so that one disc lies at one height in all
    panels. A line across them marks each disc, with its name on the left.

    Parameters
    ----------
    path : str or Path
        PNG file.
    panels : sequence of Panel
        At least one.

    Raises
    ------
    DeepspineError
        When matplotlib is not installed or the file cannot be written.
    """
    shown = [_place(panel) for panel in panels]
    low_mm, high_mm = min(place[2] for _, place in shown), max(place[3] for _, place in shown)
    widths_mm = [place[1] - place[0] for _, place in shown]
    mm_per_in = max(MM_PER_IN, (high_mm - low_mm) / HEIGHT_IN)
    figure = new_figure(sum(widths_mm) / mm_per_in + 1.5, (high_mm - low_mm) / mm_per_in + 0.8)
    columns = figure.subplots(1, len(panels), sharey=True, squeeze=False, width_ratios=widths_mm)[0]
    heights_mm = _heights(panels)
    for axes, panel, (image, place) in zip(columns, panels, shown, strict=True):
        low, high = np.percentile(image, (1, 99.5))
        axes.imshow(image, cmap="gray", vmin=low, vmax=high, extent=place, aspect="equal", interpolation="bicubic")
        axes.set_facecolor("black")
        axes.set_xlim(place[:2])
        axes.set_xticks([])
        axes.set_title(drawable(panel.title), fontsize=8, parse_math=False)
        for height_mm in heights_mm.values():
            axes.axhline(height_mm, color="deepskyblue", linewidth=0.5, alpha=0.6)
        points = np.array(list(panel.points.values())).reshape(-1, 3) + panel.moved_mm
        axes.plot(-points[:, 1], points[:, 2], "o", color="gold", markersize=4, markeredgecolor="black")
    columns[0].set_ylim(low_mm, high_mm)
    columns[0].set_yticks(list(heights_mm.values()), [f"{v}  {disc_name(v)}" for v in heights_mm], fontsize=7)
    picture = to_png(figure)
    with atomic_path(path) as temporary:
        temporary.write_bytes(picture)


def _place(panel: Panel) -> tuple[np.ndarray, tuple[float, float, float, float]]:
    """Mid-sagittal image (H, W), and what it covers [mm]: to the back, from and to, then upwards, from and to."""
    points = np.array(list(panel.points.values())).reshape(-1, 3)
    image, _, _ = sagittal_image(panel.volume, points)
    grid = canonical(panel.volume).grid
    _, n_rows, n_cols = grid.shape
    middle_ijk = (np.array(grid.shape) - 1) / 2
    ends = [grid.to_world(np.array([middle_ijk[0], row, middle_ijk[2]])) for row in (n_rows - 0.5, -0.5)]
    sides = [grid.to_world(np.array([middle_ijk[0], middle_ijk[1], col])) for col in (-0.5, n_cols - 0.5)]
    back_mm = [-float(side[1] + panel.moved_mm[1]) for side in sides]
    up_mm = [float(end[2] + panel.moved_mm[2]) for end in ends]
    return image, (back_mm[0], back_mm[1], up_mm[0], up_mm[1])


def _heights(panels: Sequence[Panel]) -> dict[int, float]:
    """Mean height of each disc [mm], after the movement."""
    heights: dict[int, list[float]] = {}
    for panel in panels:
        for value, xyz_mm in panel.points.items():
            heights.setdefault(value, []).append(float(xyz_mm[2] + panel.moved_mm[2]))
    return {value: float(np.mean(heights[value])) for value in sorted(heights)}
