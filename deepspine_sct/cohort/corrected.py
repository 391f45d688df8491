"""Label files in the folder of the results that a person has corrected: no run replaces or removes them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from deepspine_sct.caution import Caution
from deepspine_sct.cohort.bids_derivative import ScanFiles
from deepspine_sct.files.provenance import NAME, makers_of


def corrected_files(files: ScanFiles) -> frozenset[Path]:
    """List the label files of a scan whose last maker is not this program, each with the JSON file that says so.

    That is SCT's manual-correction, or the page by `sct_deepspine_correct`. Labels without a JSON file, or with an
    empty one, were left by a run that was killed: they are corrected by nobody. A damaged one is a person's work.
    """
    pairs = ((files.labels, files.sidecar), (files.levels, files.levels_sidecar))
    return frozenset(path for pair in pairs if _is_corrected(*pair) for path in pair)


def _is_corrected(label: Path, sidecar: Path) -> bool:
    try:
        said = label.exists() and sidecar.stat().st_size > 0
    except OSError:
        return False
    return said and not any(maker["Name"] == NAME for maker in makers_of(sidecar)[-1:])


def kept_cautions(files: ScanFiles, corrected: Collection[Path]) -> tuple[Caution, ...]:
    """Warn of each corrected label file of a scan: what lies beside it was not made from it."""
    kept = [path for path in (files.labels, files.levels) if path in corrected]
    return tuple(
        Caution(
            "corrected_by_hand",
            f"{path.name} was corrected by hand and is not replaced, but all other files of the scan, and this report, "
            "are of the automatic labels; remove it and run with --force to have it made again",
        )
        for path in kept
    )
