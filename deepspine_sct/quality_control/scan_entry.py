"""What -qc adds to a run: the scan on our own page, and in SCT's report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deepspine_sct.image.reformation import reform
from deepspine_sct.image.volume import Volume
from deepspine_sct.pictures.network_maps import KINDS, explanation, on_grid, render_map
from deepspine_sct.pictures.overlay import render_layers, render_overlay
from deepspine_sct.quality_control import page, sct_report

if TYPE_CHECKING:
    from deepspine_sct.image.straight import Straight
    from deepspine_sct.labeling.discs import Disc
    from deepspine_sct.model.output import Prediction


def add_scan(
    folder: Path,
    identity: Mapping[str, str],
    image: str,
    command: str,
    report: Mapping,
    pictures: Mapping[str, bytes],
) -> None:
    """Add a scan to ``deepspine.html`` and to SCT's report, both in one folder.

    Parameters
    ----------
    folder : Path
        Folder of both; made when missing.
    identity : mapping
        `dataset`, `subject` and `contrast`.
    image : str
        Name of the image.
    command : str
        Command that labelled it.
    report : mapping
        What ``-json`` writes.
    pictures : mapping of str to bytes
        Of `render_pictures`.

    Raises
    ------
    DeepspineError
        When the folder stays locked or cannot be written.
    """
    place = page.add_entry(folder, identity, report, pictures)
    sct_report.add_entry(folder, identity, image, command, place / "background.png", place / "overlay.png")


def render_pictures(
    volume: Volume, straight: Straight | None, prediction: Prediction, discs: Sequence[Disc]
) -> dict[str, bytes]:
    """Draw what a rater wants to see of a scan.

    Parameters
    ----------
    volume : Volume
        The scan.
    straight : Straight or None
        Image that the discs were found in, where it is another one.
    prediction : Prediction
        What the network answered there.
    discs : sequence of Disc
        Those that were written.

    Returns
    -------
    dict of str to bytes
        PNG files by name.

    Raises
    ------
    DeepspineError
        When matplotlib is missing.
    """
    points_xyz = np.array([disc.xyz_mm for disc in discs])
    background, overlay = render_layers(volume, discs)
    reformed = reform(volume, points_xyz)
    moved_xyz = reformed.from_scan(points_xyz)
    moved = [replace(disc, xyz_mm=xyz) for disc, xyz in zip(discs, moved_xyz, strict=True)]
    curved = render_overlay(reformed.image, moved)
    pictures = {"background": background, "overlay": overlay, "curved": curved}
    seen, seen_xyz = volume, points_xyz
    if straight is not None:
        seen, seen_xyz = straight.image, straight.from_scan(points_xyz)
        seen_xyz = seen_xyz[np.isfinite(seen_xyz).all(axis=1)]
    for kind in KINDS:
        shown = on_grid(explanation(prediction, kind), prediction.grid, seen.grid)
        pictures[kind] = render_map(seen, shown, seen_xyz, kind)
    return pictures
