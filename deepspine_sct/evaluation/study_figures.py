"""Figures of a study: distances per level, confusion of levels, and the spacing prior."""

from collections.abc import Mapping, Sequence

import numpy as np

from deepspine_sct.anatomy import DISC_NAMES, DISC_VALUES, SPACING_MM
from deepspine_sct.evaluation.metrics import CaseScore
from deepspine_sct.labeling.prior import SkeletonPrior
from deepspine_sct.pictures.figure import new_figure, to_png
from deepspine_sct.pictures.matplotlib_settings import own_settings


@own_settings()
def render_boxes(scores: Mapping[str, Sequence[CaseScore]], tolerance_mm: float) -> bytes:
    """Draw the distance of each disc to its own truth, one box per level and tool, as a PNG file.

    Boxes hold the middle half, whiskers reach 1.5 times its length; the dotted line is the
    tolerance.
    """
    levels = sorted({v for cases in scores.values() for case in cases for v in case.distance_mm})
    figure = new_figure(max(5.0, 0.7 * len(levels) + 2), 4.2)
    axes = figure.add_subplot()
    width = 0.8 / len(scores)
    for n, (tool, cases) in enumerate(scores.items()):
        distances = [[mm for c in cases if (mm := c.distance_mm.get(v, np.nan)) == mm] for v in levels]
        places = np.arange(len(levels)) + (n - (len(scores) - 1) / 2) * width
        colour = f"C{n}"
        axes.boxplot(
            distances,
            positions=places,
            widths=0.8 * width,
            manage_ticks=False,
            patch_artist=True,
            boxprops={"facecolor": colour, "alpha": 0.5},
            medianprops={"color": "black"},
            flierprops={"marker": ".", "markersize": 3},
        )
        axes.plot([], [], color=colour, linewidth=6, alpha=0.5, label=tool)
    axes.axhline(tolerance_mm, color="grey", linestyle=":", linewidth=1)
    names = [f"{value}\n{DISC_NAMES[value]}" for value in levels]
    axes.set_xticks(range(len(levels)), names, fontsize=7)
    axes.set(ylabel="distance to the disc of that name [mm]", title="Distance per level")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)
    return to_png(figure)


def confusion(cases: Sequence[CaseScore]) -> np.ndarray:
    """Count which name each true disc was given.

    Returns
    -------
    (26, 26) array of int
        Row ``v - 1``: predictions that lie on true disc v, by the value they were given. Last
        column: true discs with no prediction on them. Last row: predictions on no true disc.
    """
    n = len(DISC_VALUES)
    counts = np.zeros((n + 1, n + 1), dtype=int)
    for case in cases:
        for value, at in case.place.items():
            counts[at - 1, value - 1] += 1
        for value in case.unseen:
            counts[value - 1, n] += 1
        for value in case.ghost:
            counts[n, value - 1] += 1
    return counts


@own_settings()
def render_confusion(cases: Sequence[CaseScore], title: str) -> bytes:
    """Draw `confusion`, each row as shares of its sum, as a PNG file."""
    counts = confusion(cases)
    used = np.flatnonzero(counts.sum(0) + counts.sum(1))
    counts = counts[np.ix_(used, used)]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    labels = [str(v + 1) if v < len(DISC_VALUES) else "none" for v in used]
    size_in = max(3.5, 0.36 * len(used) + 1.6)
    figure = new_figure(size_in, size_in)
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, column in np.argwhere(counts):
        colour = "white" if shares[row, column] > 0.6 else "black"
        text = str(counts[row, column])
        axes.text(column, row, text, ha="center", va="center", fontsize=6, color=colour)
    axes.set_xticks(range(len(used)), labels, fontsize=7)
    axes.set_yticks(range(len(used)), labels, fontsize=7)
    axes.set(xlabel="name given", ylabel="true disc", title=title)
    return to_png(figure)


@own_settings()
def render_prior(prior: SkeletonPrior, n_measured: Sequence[int] | None = None) -> bytes:
    """Draw the distances between successive discs that a prior expects, as a PNG file.

    Parameters
    ----------
    prior : to draw; bars are one standard deviation, at the template's body size
    n_measured : how many spines each distance was measured in
    """
    spacing_mm = np.array(prior.spacing_mm)
    figure = new_figure(9.0, 4.0)
    axes = figure.add_subplot()
    at = np.arange(len(spacing_mm))
    axes.errorbar(at, spacing_mm, spacing_mm * prior.spread, fmt="o", capsize=3, label="this prior")
    axes.plot(at, SPACING_MM, "_", color="grey", markersize=14, label="PAM50")
    names = [f"{v}-{v + 1}" for v in DISC_VALUES[:-1]]
    if n_measured is not None:
        names = [f"{name}\nn={n}" for name, n in zip(names, n_measured, strict=True)]
    axes.set_xticks(at, names, fontsize=6.5)
    title = f"Body size {prior.scale_mean:.2f} of the template (SD {prior.scale_sd:.2f} in the log)"
    axes.set(xlabel="discs", ylabel="distance between tips [mm]", title=title)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return to_png(figure)
