"""A picture of a labeling: the mid-sagittal image with its discs, named and coloured."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from deepspine_sct.files.atomic import atomic_path
from deepspine_sct.image.grid import round_index
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.image.volume import Volume
from deepspine_sct.labeling.confidence import SURE, in_two_digits
from deepspine_sct.labeling.discs import Disc
from deepspine_sct.pictures.figure import to_png
from deepspine_sct.pictures.matplotlib_settings import drawable, own_settings

THICKNESS_MM = 4.0
"""Left-right width of what is averaged: the cord's canal stays in, the joints beside it out."""

HEIGHT_IN = 9.0
DOTS_PER_IN = 100

CONFIDENCE_COLOURS = "autumn"
"""Red (0) to yellow (1): bright on grey, and told apart by lightness as well as by hue."""


def sagittal_image(
    volume: Volume, points_xyz: np.ndarray, thickness_mm: float = THICKNESS_MM
) -> tuple[np.ndarray, np.ndarray, tuple[float, float]]:
    """Average the sagittal slices in the middle of some points, at the image's own resolution.

    Parameters
    ----------
    volume : Volume
        Image in any orientation.
    points_xyz : (n, 3) array
        World RAS+ mm of the points that the picture has to show; the middle slice is their median
        one, clipped to the volume. Without a point (n = 0) it is the volume's own.
    thickness_mm : float
        Left-right width of the average; at least one slice.

    Returns
    -------
    image : (H, W) float32 array
        Rows from superior to inferior, columns from anterior to posterior.
    points_rc : (n, 2) array
        Row and column of each point, projected on the image along its left-right axis [px].
    zooms_mm : (2,) tuple of float
        Distance between rows and between columns [mm].
    """
    upright = canonical(volume)
    last = upright.grid.shape[0] - 1
    points_ijk = upright.grid.to_index(np.reshape(points_xyz, (-1, 3)))
    middle = np.median(points_ijk[:, 0]) if len(points_ijk) else last / 2
    middle = int(np.clip(round_index(middle), 0, last))
    # As many on either side as fit into the thickness, so that the middle stays the middle.
    n_beside = int(max(0.0, (thickness_mm / upright.grid.zooms_mm[0] - 1) / 2))
    first = max(0, middle - n_beside)
    image = upright.data[first : middle + n_beside + 1].mean(axis=0, dtype=np.float32)
    return image, points_ijk[:, 1:], tuple(upright.grid.zooms_mm[1:].tolist())


@own_settings()
def render_overlay(
    volume: Volume,
    discs: Sequence[Disc],
    truth: Mapping[int, np.ndarray] | None = None,
    title: str = "",
) -> bytes:
    """Draw the discs on the mid-sagittal image.

    Parameters
    ----------
    volume : Volume
        Image in any orientation.
    discs : sequence of Disc
        Drawn as dots coloured by confidence, each with its name. A disc off the middle slice is
        projected on it.
    truth : mapping of int to (3,) array, optional
        World RAS+ mm of the true discs, drawn as hollow circles with their value.
    title : str
        Text above the picture.

    Returns
    -------
    bytes
        A PNG file.

    Raises
    ------
    DeepspineError
        When matplotlib is not installed.
    """
    truth = truth or {}
    points_xyz = np.array([disc.xyz_mm for disc in discs] + list(truth.values()))
    image, points_rc, zooms_mm = sagittal_image(volume, points_xyz)
    figure, axes, _ = _draw_image(image, zooms_mm)
    _draw_discs(axes, discs, points_rc[: len(discs)])
    _draw_truth(axes, list(truth), points_rc[len(discs) :])
    # A dollar sign in a file name is not mathematics.
    axes.set_title(drawable(title), fontsize=10, parse_math=False)
    return to_png(figure, "white")


@own_settings()
def render_layers(volume: Volume, discs: Sequence[Disc]) -> tuple[bytes, bytes]:
    """Draw the mid-sagittal image and its discs as two pictures that lie on each other.

    Parameters
    ----------
    volume, discs
        As for `render_overlay`.

    Returns
    -------
    background, overlay : bytes
        PNG files of one size; the overlay is transparent where no disc is drawn.

    Raises
    ------
    DeepspineError
        When matplotlib is not installed.
    """
    image, points_rc, zooms_mm = sagittal_image(volume, np.array([disc.xyz_mm for disc in discs]))
    figure, axes, shown = _draw_image(image, zooms_mm)
    background = to_png(figure, "black")
    shown.set_visible(False)
    _draw_discs(axes, discs, points_rc)
    return background, to_png(figure, "none")


def _draw_image(image: np.ndarray, zooms_mm: Sequence[float]):
    """Draw an image (H, W); return the figure, its panel and what shows the image."""
    from matplotlib.figure import Figure  # not pyplot: no window, no state that others share

    width_in = HEIGHT_IN * image.shape[1] * zooms_mm[1] / (image.shape[0] * zooms_mm[0])
    # Room for the names on a narrow image, and no banner of a wide one.
    figure = Figure(figsize=(float(np.clip(width_in, 4, 16)), HEIGHT_IN), dpi=DOTS_PER_IN)
    axes = figure.add_axes((0.02, 0.02, 0.96, 0.93))
    axes.set_axis_off()
    low, high = np.percentile(image, (1, 99.5))
    shown = axes.imshow(
        image, cmap="gray", vmin=low, vmax=high, aspect=zooms_mm[0] / zooms_mm[1],
        interpolation="bicubic",
    )  # fmt: skip
    axes.set_autoscale_on(False)  # a point at the edge must not shrink the image
    return figure, axes, shown


def draw_overlay(
    path: str | Path,
    volume: Volume,
    discs: Sequence[Disc],
    truth: Mapping[int, np.ndarray] | None = None,
    title: str = "",
) -> None:
    """Write the picture of `render_overlay` to a file, as a whole or not at all.

    Raises
    ------
    DeepspineError
        When matplotlib is not installed or the file cannot be written.
    """
    picture = render_overlay(volume, discs, truth, title)
    with atomic_path(path) as temporary:
        temporary.write_bytes(picture)


def _draw_discs(axes, discs: Sequence[Disc], points_rc: np.ndarray) -> None:
    """Draw a dot a disc, with its name behind it."""
    confidences = [disc.confidence for disc in discs]
    axes.scatter(
        points_rc[:, 1], points_rc[:, 0], c=confidences, cmap=CONFIDENCE_COLOURS, vmin=0, vmax=1,
        s=22, edgecolors="black", linewidths=0.6, zorder=3,
    )  # fmt: skip
    for disc, (row, column) in zip(discs, points_rc, strict=True):
        doubt = f"  {in_two_digits(disc.confidence)}" if disc.confidence < SURE else ""
        axes.annotate(
            f"{disc.value}  {disc.name}{doubt}", (column, row), xytext=(9, 0),
            textcoords="offset points", va="center", fontsize=8, color="white",
            bbox={"facecolor": "black", "alpha": 0.55, "linewidth": 0, "pad": 1.2},
            annotation_clip=False,
        )  # fmt: skip


def _draw_truth(axes, values: Sequence[int], points_rc: np.ndarray) -> None:
    """Draw a hollow circle a true disc, with its value in front of it."""
    axes.scatter(
        points_rc[:, 1], points_rc[:, 0], s=90, facecolors="none", edgecolors="deepskyblue",
        linewidths=1.2, zorder=2,
    )  # fmt: skip
    for value, (row, column) in zip(values, points_rc, strict=True):
        axes.annotate(
            str(value), (column, row), xytext=(-11, 0), textcoords="offset points", va="center",
            ha="right", fontsize=8, color="deepskyblue", annotation_clip=False,
        )  # fmt: skip
