"""Pictures of all cases of a group on one sheet, to look at each: true discs and found ones with their names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from benchmarks.acceptance.real_cases import make
from deepspine_sct.pictures.overlay import sagittal_image

if TYPE_CHECKING:
    from benchmarks.acceptance.real_scans import Outcome

COLUMNS = 7
TILE_IN = 3.0
TRUE, FOUND = "deepskyblue", "orange"


def write_sheets(folder: Path, data: Path, outcomes: Sequence[Outcome]) -> None:
    """Write one PNG a group: rings are true discs, dots found ones; a red title is an image that is not right."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    of_group: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        of_group[outcome.key.group].append(outcome)
    for group, members in tqdm(of_group.items(), unit="sheet", disable=None):
        columns = min(COLUMNS, len(members))
        rows = -(-len(members) // columns)
        figure = Figure(figsize=(TILE_IN * columns, 1.08 * TILE_IN * rows), dpi=100)
        panels = list(figure.subplots(rows, columns, squeeze=False).flat)
        for panel, outcome in zip(panels, members, strict=False):
            _draw(panel, data, outcome)
        for panel in panels:
            panel.set_axis_off()
        figure.subplots_adjust(0, 0, 1, 1 - 0.07 / rows, 0.01, 0.08)
        figure.savefig(folder / f"{group}.png")


def _draw(panel, data: Path, outcome: Outcome) -> None:
    """Draw one case."""
    scan, discs = make(data, outcome.key), outcome.labeling.discs
    truth = scan.edge | scan.truth
    points_mm = np.array([*truth.values(), *(disc.xyz_mm for disc in discs)])
    image, points_rc, zooms_mm = sagittal_image(scan.volume, np.array(list(truth.values())))
    points_rc = scan.volume.grid.to_index(points_mm)[:, 1:]
    low, high = np.percentile(image, (1, 99.5))
    panel.imshow(image, cmap="gray", vmin=low, vmax=high, aspect=zooms_mm[0] / zooms_mm[1])
    panel.set_autoscale_on(False)
    panel.set_axis_off()
    for value, (row, column) in zip(truth, points_rc[: len(truth)], strict=True):
        panel.plot(column, row, "o", mfc="none", mec=TRUE, ms=6, mew=0.8)
        panel.annotate(str(value), (column, row), (-6, 0), textcoords="offset points", color=TRUE, fontsize=7,
                       ha="right", va="center", clip_on=True)  # fmt: skip
    for disc, (row, column) in zip(discs, points_rc[len(truth) :], strict=True):
        panel.plot(column, row, ".", color=FOUND, ms=4)
        panel.annotate(f"{disc.value} {disc.confidence:.2f}", (column, row), (6, 0), textcoords="offset points",
                       color=FOUND, fontsize=7, va="center", clip_on=True)  # fmt: skip
    said = outcome.refused[:30] or f"level {outcome.labeling.level_confidence:.2f}"
    title = f"{outcome.key.name.removeprefix('sub-')}  {said}"
    panel.set_title(title, fontsize=8, pad=2, color="black" if outcome.score.all_named else "red")
