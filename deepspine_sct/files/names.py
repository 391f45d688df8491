"""The name of an image file, without its suffix, and of the files beside it."""

from __future__ import annotations

from pathlib import Path

SUFFIXES = (".nii", ".nii.gz")
"""Of the images that are read and written, in any case."""

DISC_LABELS = "_label-discs_dlabel"
"""What follows the name of a BIDS scan in the name of its disc labels, as in spine-generic."""


def split_name(path: str | Path) -> tuple[str, str]:
    """File name before its suffix, and the suffix of a NIfTI file, if it has one."""
    name = Path(path).name
    suffix = next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)], name[len(name) - len(suffix) :]


def stem_of(path: str | Path) -> str:
    """File name of an image without .nii or .nii.gz."""
    return split_name(path)[0]


def sidecar_of(path: Path) -> Path:
    """Name the JSON file beside an image, where BIDS expects it."""
    return path.parent / f"{stem_of(path)}.json"


def twin_of(path: Path) -> Path:
    """Name the image that differs from another one by its ending alone: x.nii and x.nii.gz have the same JSON file."""
    stem, suffix = split_name(path)
    return path.parent / f"{stem}{'.nii.gz' if suffix.lower() == '.nii' else '.nii'}"


def beside_discs(label: Path) -> dict[str, Path]:
    """Name what this program may have put beside a disc label file, by what it is: it holds as long as the discs do.

    The label file of a BIDS scan has a report, measures and the levels of the cord, as `sct_deepspine_batch` writes
    them. Any one has the table that `sct_deepspine_measure` makes of it.
    """
    stem = stem_of(label)
    names = {"table": f"{stem}_measures.tsv"}
    if stem.endswith(DISC_LABELS):
        scan = stem.removesuffix(DISC_LABELS)
        names |= {
            "report": f"{scan}_label-discs_report.json",
            "measures": f"{scan}_label-discs_measures.tsv",
            "levels": f"{scan}_label-vertebrae_dseg.nii.gz",
            "levels_sidecar": f"{scan}_label-vertebrae_dseg.json",
        }
    return {kind: label.parent / name for kind, name in names.items()}
