"""The file of marks and corrections that the page saves, and the label files that are made of it."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..anatomy import check_values, disc_name
from ..errors import DeepspineError
from ..files.names import sidecar_of, stem_of
from ..files.outputs import make_folders, refuse_overwriting
from ..files.provenance import generated_by, makers_of, other_source, sidecar, sources
from ..files.tables import read_json, write_json
from ..files.target import remove
from ..image.grid import CANONICAL, Grid
from ..image.labels import check_distances, check_order
from ..image.nifti import place_discs, read_grid, write_discs
from .identity import identify

FORMAT, VERSION = "deepspine_sct corrections", 1
MARKS = ("", "pass", "fail", "artifact")

SAME_PLACE_MM = 0.01
"""A corner of the image may lie this far from where the page had it: its numbers are rounded."""

_PAGE = "the page deepspine.html of deepspine_sct"


@dataclass(frozen=True)
class Correction:
    """What a person decided about one scan.

    Attributes
    ----------
    image : the file, as the page knew it
    mark, comment : what the person said; mark is one of `MARKS`
    corrected : whether the discs differ from the automatic ones
    points : world RAS+ position (3,) [mm] of each disc value; empty where the scan was not kept
    by_hand : disc values that a person placed or named
    grid : Grid of the scan in (L, I, P), as the page knew it; None where it showed no picture
    made : what made the automatic labels: date, command, model, version
    rater, saved : who saved the file, and when
    """

    image: Path
    mark: str
    comment: str
    corrected: bool
    points: dict[int, np.ndarray]
    by_hand: tuple[int, ...]
    grid: Grid | None
    made: dict[str, str]
    rater: str
    saved: str


def read_corrections(path: Path) -> list[Correction]:
    """Read the file that the page saves.

    Raises
    ------
    DeepspineError
        When it cannot be read, is none, or names a disc that does not exist or lies nowhere.
    """
    if not os.path.lexists(path):
        raise DeepspineError(f"{path}: no such file; the page saves corrections in the browser's folder of downloads")
    try:
        content = read_json(Path(path))
    except (OSError, ValueError) as error:
        raise DeepspineError(f"{path}: cannot be read as JSON ({error}); save the corrections again") from error
    try:
        if (content["format"], content["version"]) != (FORMAT, VERSION):
            raise ValueError("of another format or version")
        who = {"rater": str(content["rater"]), "saved": str(content["saved"])}
        return [_correction(scan, who) for scan in content["scans"]]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, DeepspineError) as error:
        detail = f"{error.args[0]} is missing" if isinstance(error, KeyError) else error
        raise DeepspineError(
            f"{path}: holds no corrections of this program's page ({detail}); save them on the page again"
        ) from error


def _correction(scan: Mapping, who: Mapping[str, str]) -> Correction:
    discs = scan["discs"] or []
    values = [operator.index(disc["value"]) for disc in discs]
    image = _image(str(scan["image"]))
    if len(check_values(values)) != len(values):
        raise ValueError(f"a disc is given twice for {scan['image']}")
    if scan["mark"] not in MARKS:
        raise ValueError(f"unknown mark for {scan['image']}")
    return Correction(
        image=image,
        mark=scan["mark"],
        comment=str(scan["comment"]),
        corrected=bool(scan["corrected"]),
        points={value: _point(disc["world_mm"]) for value, disc in zip(values, discs, strict=True)},
        by_hand=tuple(value for value, disc in zip(values, discs, strict=True) if disc["by"] == "hand"),
        grid=_grid(scan["grid"]),
        made={str(name): str(text) for name, text in scan["made"].items()},
        **who,
    )


def _image(name: str) -> Path:
    """Path of an image without "..", with which a name could lead out of the folder of the label files."""
    os.fsencode(name)  # refuses what is no name of a file
    return Path(os.path.normpath(name))


def _point(world_mm: Sequence[float]) -> np.ndarray:
    point = np.array([float(mm) for mm in world_mm])
    if point.shape != (3,) or not np.isfinite(point).all():
        raise ValueError("a disc has no place in the world")
    return point


def _grid(grid: Mapping | None) -> Grid | None:
    if grid is None:
        return None
    affine = np.vstack([np.array(grid["affine"], dtype=float).reshape(3, 4), (0, 0, 0, 1)])
    n_slices, n_rows, n_columns = (int(n) for n in grid["shape"])
    return Grid((n_slices, n_rows, n_columns), affine)


def write_corrected(
    correction: Correction, ofolder: Path, path_data: Path | None = None, overwrite: bool = False
) -> Path:
    """Write the discs of one scan as a label file on the grid of its image, with its provenance beside it.

    Parameters
    ----------
    correction : Correction
        With at least one disc.
    ofolder : Path
        Folder of the label files. A scan with a BIDS name gets
        ``sub-X[/ses-Y]/anat/<scan>_label-discs_dlabel.nii.gz`` in it, any other one
        ``<scan>_labeled_discs.nii.gz``.
    path_data : Path, optional
        Data set in which the image is sought in place of where the page saw it.
    overwrite : bool
        Also replace labels that were not made last on a page, such as those of an expert.

    Returns
    -------
    Path
        The label file.

    Raises
    ------
    DeepspineError
        When the image is missing or another one than the page showed, a disc lies outside of it
        or above one of a lower value, two lie as no spine has them, labels of others would be replaced, or a file
        cannot be written.
    """
    image = find_image(correction.image, path_data)
    grid = read_grid(image)
    _check_grid(image, grid, correction.grid)
    target = label_file(correction.image, ofolder)
    _refuse_labels_of_others(target, overwrite)
    if not overwrite and (other := other_source(target, image)):
        raise DeepspineError(f"{target}: holds the labels of {other}; give another -ofolder, or -overwrite 1")
    refuse_overwriting([target, sidecar_of(target)], [image])
    placed = place_discs(target, grid, correction.points)
    lost = [disc_name(value) for value in correction.points if value not in placed]
    if lost:
        raise DeepspineError(f"{image}: {', '.join(lost)} lies outside of the image; correct it on the page")
    check_order(image, correction.points)
    check_distances(image, correction.points)
    make_folders([target])
    write_discs(target, grid, correction.points, like=image)
    write_json(sidecar_of(target), provenance(correction, image, target))
    return target


def remove_emptied(correction: Correction, ofolder: Path, overwrite: bool = False) -> Path | None:
    """Remove the label file that an earlier call wrote of a scan, all of whose discs a person has deleted since.

    Parameters
    ----------
    correction : Correction
        Without a disc.
    ofolder, overwrite
        As for `write_corrected`.

    Returns
    -------
    Path or None
        The label file; None where there was none.

    Raises
    ------
    DeepspineError
        When the labels are those of others or of another image, or may not be removed.
    """
    target = label_file(correction.image, ofolder)
    if not target.exists():
        return None
    _refuse_labels_of_others(target, overwrite)
    _check_grid(target, read_grid(target), correction.grid)
    try:
        remove(target)
        remove(sidecar_of(target))
    except OSError as error:
        raise DeepspineError(f"{target}: cannot be removed ({error.strerror}); check the permissions") from error
    return target


def _refuse_labels_of_others(label: Path, overwrite: bool) -> None:
    """Refuse to touch a label file whose last maker is not the page: who edits one later adds a maker to its JSON."""
    if not label.exists() or overwrite:
        return
    last = makers_of(sidecar_of(label))[-1:]
    if not any(_PAGE in str(maker.get("Description", "")) for maker in last):
        raise DeepspineError(
            f"{label}: holds labels that were not made on the page, or were edited since; give another -ofolder, or "
            "replace or remove them with -overwrite 1"
        )


def find_image(image: Path, path_data: Path | None = None) -> Path:
    """Find the image of a scan where the page saw it, or below another folder.

    Raises
    ------
    DeepspineError
        When it is not there.
    """
    path = image if path_data is None else path_data / bids_folder(image) / image.name
    if not path.exists():
        raise DeepspineError(f"{path}: no such image; say with -path-data where the data set is now")
    return path


def label_file(image: Path, ofolder: Path) -> Path:
    """Name the label file of an image."""
    folder = bids_folder(image)
    suffix = "_label-discs_dlabel" if folder.parts else "_labeled_discs"
    return ofolder / folder / f"{stem_of(image)}{suffix}.nii.gz"


def bids_folder(image: Path) -> Path:
    """Folder of a BIDS image below its data set, such as ``sub-01/anat``; the empty path for any other image."""
    identity = identify(image)
    parts = image.parent.parts
    if identity.is_bids and identity.subject in parts:
        return Path(*parts[len(parts) - 1 - parts[::-1].index(identity.subject) :])
    return Path()


def _check_grid(image: Path, grid: Grid, known: Grid | None) -> None:
    """Refuse an image that is not the one in which the discs were placed."""
    now = grid.reoriented(CANONICAL)
    if known is None:
        return
    if now.shape == known.shape:
        far_mm = np.abs(now.to_world(now.corners_ijk) - known.to_world(now.corners_ijk)).max()
        if math.isfinite(far_mm) and far_mm <= SAME_PLACE_MM:
            return
    raise DeepspineError(
        f"{image}: is not the image that the page showed, because its grid differs; label the scan again and correct "
        "the new page"
    )


def provenance(correction: Correction, image: Path, label: Path) -> dict:
    """Say what a corrected label file was made from, as BIDS wants it."""
    made = correction.made
    # The version is that of the page, not of this command.
    network = generated_by(made.get("model", ""), made.get("date", ""), made.get("command", ""))
    network["Version"] = made.get("version", "")
    what = "corrected" if correction.corrected else "checked, and left as they were,"
    person = {
        "Name": "Manual",
        "Version": __version__,
        "Author": correction.rater,
        "Description": f"Discs {what} by a person on {_PAGE}",
        "Date": correction.saved,
        "DiscsByHand": [disc_name(value) for value in correction.by_hand],
        "Comment": correction.comment,
    }
    folder = bids_folder(correction.image)
    origin = {"Sources": [f"bids:raw:{(folder / image.name).as_posix()}"]} if folder.parts else sources(label, image)
    makers: Iterator[dict[str, Any]] = (
        {name: text for name, text in maker.items() if text} for maker in (network, person)
    )
    return sidecar(makers, **origin)
