"""The files for other viewers in a folder: those that are made of one label file, and the colours of all."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ..errors import DeepspineError
from ..files.atomic import atomic_path
from ..files.tables import read_entries
from ..image.grid import Grid
from ..image.nifti import write_volume
from .curvature import Points
from .measure_table import label_name
from .viewers import LABELS, draw_balls, fsleyes_lut, itksnap_labels, slicer_markups


def view_files(folder: Path, stem: str) -> dict[str, Path]:
    """Name the files, by what they are."""
    names = {
        "markups": f"{stem}.mrk.json",
        "itksnap": "discs_itksnap.txt",
        "fsleyes": "discs_fsleyes.lut",
        "balls": f"{stem}_balls.nii.gz",
    }
    return {kind: folder / name for kind, name in names.items()}


def check_views(files: Mapping[str, Path], labels: Path) -> None:
    """Refuse to replace what was not made of a label file.

    Raises
    ------
    DeepspineError
        When a file that `view_files` names is there and is of other labels, or of another program.
    """
    said = read_entries(files["markups"]).get(LABELS)
    is_ours = said == label_name(files["markups"], labels)
    whose = f"was made of {said}" if said and not is_ours else "is there and was not made of these labels"
    foreign = [] if is_ours else [files["markups"], files["balls"]]
    foreign += [path for path, text in _colours(files).items() if path.is_file() and _content(path) != text]
    for path in filter(os.path.lexists, foreign):
        raise DeepspineError(f"{path}: {whose}, so it is not replaced; remove it, or give another folder")


def write_views(files: Mapping[str, Path], labels: Path, grid: Grid, points: Points) -> None:
    """Write the files that `view_files` names.

    Parameters
    ----------
    files : mapping of str to Path
        Their names; their folder must exist.
    labels : Path
        The label file.
    grid : Grid
        Its grid.
    points : mapping of int to (3,) sequence
        World RAS+ mm of each disc value.
    """
    texts = {files["markups"]: slicer_markups(points, label_name(files["markups"], labels)), **_colours(files)}
    for path, text in texts.items():
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    write_volume(files["balls"], draw_balls(grid, points), like=labels)


def _colours(files: Mapping[str, Path]) -> dict[Path, str]:
    return {files["itksnap"]: itksnap_labels(), files["fsleyes"]: fsleyes_lut()}


def _content(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
