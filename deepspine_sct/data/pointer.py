"""Image files whose content is elsewhere, such as the notes and links that git-annex leaves."""

from __future__ import annotations

from pathlib import Path

from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.source import open_source

POINTER_BYTES = 1024
"""A smaller file may be git-annex's note of where the content is; no scan is as small."""


def why_not_here(image: Path) -> str:
    """Say why the content of an image is not here; "" where it may be."""
    if image.exists() and not 0 < image.stat().st_size < POINTER_BYTES:
        return ""
    try:
        with open_source(image):
            return ""
    except DeepspineError as error:
        return str(error).removeprefix(f"{image}: ")
