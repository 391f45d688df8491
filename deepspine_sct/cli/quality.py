"""What -qc adds to a run: the scan on our own page, and in SCT's report."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from deepspine_sct.evaluation import page
from deepspine_sct.evaluation.explain import KINDS, explanation, on_grid, render_map
from deepspine_sct.evaluation.overlay import render_layers, render_overlay
from deepspine_sct.evaluation.report import written_discs
from deepspine_sct.image.reformation import reform
from deepspine_sct.image.volume import Volume
from deepspine_sct.sct import qc

if TYPE_CHECKING:
    from deepspine_sct.image.straight import Straight
    from deepspine_sct.labeling.discs import Disc
    from deepspine_sct.labeling.inference import Result


def add_to_report(
    args: Namespace,
    folder: Path,
    volume: Volume,
    straight: Straight | None,
    result: Result,
    report: Mapping,
) -> None:
    """Add the scan to ``deepspine.html`` and to SCT's report, both in one folder.

    Parameters
    ----------
    args : Namespace
        With `i`, `qc_dataset`, `qc_subject` and `cmdline`.
    folder : Path
        Folder of both; made when missing.
    volume : Volume
        The scan.
    straight : Straight or None
        Image that the discs were found in, where it is another one.
    result : Result
        Discs of the scan, and what they were read from.
    report : mapping
        Report of the run.

    Raises
    ------
    DeepspineError
        When matplotlib is missing, or the folder cannot be written.
    """
    identity = page.default_identity(args.i)
    identity["dataset"] = args.qc_dataset or identity["dataset"]
    identity["subject"] = args.qc_subject or identity["subject"]
    pictures = render_pictures(volume, straight, result, written_discs(result.labeling, report))
    place = page.add_entry(folder, identity, report, pictures)
    layers = (place / f"{name}.png" for name in ("background", "overlay"))
    qc.add_entry(folder, identity, args.i, args.cmdline, *layers, when=page.date_of(place))


def render_pictures(volume: Volume, straight: Straight | None, result: Result, discs: list[Disc]) -> dict[str, bytes]:
    """Draw what a rater wants to see of a scan: PNG files by name."""
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
        shown = on_grid(explanation(result.prediction, kind), result.prediction.grid, seen.grid)
        pictures[kind] = render_map(seen, shown, seen_xyz, kind)
    return pictures
