"""Label files in the folder of the results that a person has corrected: no run replaces, removes or restores them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from deepspine_sct.caution import Caution
from deepspine_sct.cohort.bids_derivative import ScanFiles
from deepspine_sct.files.names import sidecar_of, twin_of
from deepspine_sct.files.provenance import corrected_by, is_emptied


def corrected_files(files: ScanFiles) -> frozenset[Path]:
    """List the label files of a scan that a person may have made, each with the JSON file that says so."""
    found = set()
    if corrected_by(files.labels):
        found |= {files.labels, files.sidecar}
    if corrected_by(files.levels, untold=""):
        found |= {files.levels, files.levels_sidecar}
    return frozenset(found)


def kept_cautions(files: ScanFiles, corrected: Collection[Path]) -> tuple[Caution, ...]:
    """Warn of each corrected label file of a scan: what lies beside it was not made from it."""
    kept = [path for path in (files.labels, files.levels) if path in corrected]
    return tuple(Caution("corrected_by_hand", _about(path)) for path in kept)


def _about(path: Path) -> str:
    """Say what a person has made of a label file, and how to have it made again."""
    there = path if path.exists() else twin_of(path)
    done, it = f"{there.name} was made or corrected by hand and is not replaced", "it"
    if is_emptied(path):
        it = sidecar_of(path).name
        done = f"all discs were removed by hand, as {it} says, and no label file is written"
    return (
        f"{done}, but all other files of the scan, and this report, are of the automatic labels; remove {it} and run "
        "with --force to have the labels made again"
    )
