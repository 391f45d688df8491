"""Pages with scans on them, for the tests of the page."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from deepspine_sct.anatomy import disc_name
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.quality_control.entry import Entry, make_entry
from deepspine_sct.quality_control.identity import identify
from deepspine_sct.quality_control.outcomes import FAILED, LABELLED
from deepspine_sct.quality_control.page_folder import write_entry, write_page
from deepspine_sct.quality_control.plane import plane_through
from deepspine_sct.quality_control.slice_pictures import draw_pictures

MADE = {"date": "2026-01-02", "command": "sct_deepspine_label -i x", "model": "ab" * 32, "version": "0.1"}


def make_report(points: Mapping[int, np.ndarray], confidence=0.98, level_confidence=0.95, warnings=()) -> dict:
    """Report of a labelled scan, as `sct_deepspine_label -json` writes it."""
    return {
        "discs": [
            {"value": value, "name": disc_name(value), "world_mm": list(map(float, xyz)), "confidence": confidence}
            for value, xyz in points.items()
        ],
        "level_confidence": level_confidence,
        "warnings": [caution.to_dict() for caution in warnings],
    }


def add_scan(folder: Path, image: Path, points: Mapping[int, np.ndarray], contrast: str = "t2", **report) -> Entry:
    """Put a scan on the page with its pictures; without a disc it has failed."""
    volume = read_volume(image, lazy=True)
    plane = plane_through(volume, np.array(list(points.values())))
    pictures = draw_pictures(volume, plane)
    outcome = (LABELLED, "") if points else (FAILED, "no disc was found")
    entry = make_entry(
        identify(image, contrast), image, *outcome, make_report(points, **report) if points else None, plane,
        pictures, MADE,
    )  # fmt: skip
    write_entry(folder, entry, pictures)
    return entry


def make_page(folder: Path, image: Path, points: Mapping[int, np.ndarray], **report) -> Path:
    """Write a page of one scan."""
    add_scan(folder, image, points, **report)
    return write_page(folder)
