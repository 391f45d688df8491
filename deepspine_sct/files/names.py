"""The name of an image file, without its suffix, and of the files beside it."""

from __future__ import annotations

from pathlib import Path

SUFFIXES = (".nii", ".nii.gz")
"""Of the images that are read and written, in any case."""


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
