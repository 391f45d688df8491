"""Where the results go, settled before any work starts and refused where they would do harm."""

import os
from argparse import Namespace
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.source import SUFFIXES, check_suffix
from deepspine_sct.quality_control.page import PAGE_NAME

LONGEST_NAME = 255
"""Bytes of a file name that every common file system takes."""


@dataclass(frozen=True)
class Outputs:
    """Paths that one run writes; None where the user did not ask for it.

    Attributes
    ----------
    discs : Path
        Label file. Its folder may have to be made first.
    json : Path or None
        Report.
    overlay : Path or None
        Picture.
    qc : Path or None
        Folder of the quality-control page.
    attention, heatmaps : Path or None
        NIfTI file of what the network looked at, and of what it saw; a picture goes beside each.
    levels, cord_discs : Path or None
        Labeled segmentation of the cord and discs on its middle line, both with -s.
    """

    discs: Path
    json: Path | None
    overlay: Path | None
    qc: Path | None
    attention: Path | None = None
    heatmaps: Path | None = None
    levels: Path | None = None
    cord_discs: Path | None = None

    @property
    def wants_picture(self) -> bool:
        """Whether a picture has to be drawn."""
        return self.overlay is not None or self.qc is not None or bool(self.explanations)

    @property
    def explanations(self) -> dict[str, Path]:
        """NIfTI file of each kind of explanation that was asked for."""
        paths = {"attention": self.attention, "heatmaps": self.heatmaps}
        return {kind: path for kind, path in paths.items() if path is not None}

    def named(self) -> dict[str, Path]:
        """Name each file that is written, the label file first."""
        page = self.qc and self.qc / PAGE_NAME
        paths = {"discs": self.discs, "json": self.json, "overlay": self.overlay, "qc": page}
        for kind, path in self.explanations.items():
            paths |= {kind: path, f"{kind}_picture": picture_of(path)}
        paths |= {"levels": self.levels, "cord_discs": self.cord_discs}
        return {name: path for name, path in paths.items() if path is not None}


def plan_outputs(args: Namespace) -> Outputs:
    """Work out every output path from the arguments of `sct_deepspine_label`.

    Parameters
    ----------
    args : Namespace
        With `i`, `s`, `o`, `ofolder`, `json`, `overlay`, `qc`, `attention`, `heatmaps`,
        `initlabel` and `model`: str or None.

    Returns
    -------
    Outputs

    Raises
    ------
    DeepspineError
        When a path has the wrong extension, lies in a folder that does not exist, is a folder, or
        would overwrite an input or another output.
    """
    discs = Path(args.o) if args.o else Path(args.ofolder) / default_name(args.i)
    outputs = Outputs(
        discs=discs,
        json=_optional_path(args.json),
        overlay=_optional_path(args.overlay),
        qc=_optional_path(args.qc),
        attention=_optional_path(args.attention),
        heatmaps=_optional_path(args.heatmaps),
        levels=discs.parent / cord_name(args.s, "_labeled") if args.s else None,
        cord_discs=discs.parent / cord_name(args.s, "_labeled_discs") if args.s else None,
    )
    for path in (outputs.discs, *outputs.explanations.values()):
        check_suffix(path)
    if outputs.overlay and outputs.overlay.suffix.lower() != ".png":
        raise DeepspineError(f"{outputs.overlay}: a picture is written as .png; name it so")
    for folder in (Path(args.ofolder), outputs.qc):  # these are made when missing
        if folder is not None and folder.exists() and not folder.is_dir():
            raise DeepspineError(f"{folder}: is a file, not a folder; give a folder")
    files = [path for name, path in outputs.named().items() if name != "qc"]
    for path in files:
        _check_place(path, folder_is_made=path.parent == discs.parent and not args.o)
    inputs = [Path(name) for name in (args.i, args.s, args.initlabel, args.model) if name]
    _refuse_overwriting(files, inputs)
    return outputs


def default_name(image: str) -> str:
    """Name the label file after the image, as SCT's commands do: t2_labeled_discs.nii.gz."""
    return f"{_split(image)[0]}_labeled_discs.nii.gz"


def cord_name(cord: str, ending: str) -> str:
    """Name a labeled cord after its segmentation, as SCT does: t2_seg_labeled.nii.gz."""
    stem, suffix = _split(cord)
    return f"{stem}{ending}{suffix}"


def picture_of(path: Path) -> Path:
    """Name the picture beside a NIfTI file."""
    return path.with_name(f"{_split(path)[0]}.png")


def _split(path: str | Path) -> tuple[str, str]:
    """File name before its suffix, and the suffix of a NIfTI file, if it has one."""
    name = Path(path).name
    suffix = next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)], name[len(name) - len(suffix) :]


def _optional_path(name: str | None) -> Path | None:
    return Path(name) if name else None


def _check_place(path: Path, folder_is_made: bool) -> None:
    if len(os.fsencode(path.name)) > LONGEST_NAME:
        raise DeepspineError(f"{path}: the name is too long; give a shorter one with -o")
    if path.is_dir():
        raise DeepspineError(f"{path}: is a folder; give the name of a file in it")
    if not folder_is_made and not path.parent.is_dir():
        raise DeepspineError(f"{path}: the folder {path.parent} does not exist; make it first")
    if path.exists() and not path.is_file():
        raise DeepspineError(f"{path}: is a pipe or a device; give the name of a file")
    if path.parent.is_dir() and not os.access(path.parent, os.W_OK):
        raise DeepspineError(f"{path}: the folder cannot be written; give another one")


def _refuse_overwriting(files: list[Path], inputs: list[Path]) -> None:
    """Refuse outputs that are one and the same file, or one of the inputs."""
    for output in files:
        for source in inputs:
            if _same_file(output, source):
                raise DeepspineError(f"{output}: is an input and would be overwritten; rename it")
    for first, second in combinations(files, 2):
        if _same_file(first, second):
            raise DeepspineError(f"{first}: two outputs would go to this file; rename one")


def _same_file(first: Path, second: Path) -> bool:
    """Tell whether two names lead to one file: by path, symbolic link or hard link."""
    if first.exists() and second.exists():
        return first.samefile(second)
    return os.path.realpath(first) == os.path.realpath(second)  # unlike Path.resolve, ends in loops
