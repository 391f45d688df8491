"""The label files that are made of the corrections of the page, and what beside them no longer holds."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..anatomy import disc_name
from ..errors import DeepspineError
from ..files.edited import about_to_write, as_written, edited_since
from ..files.names import DISC_LABELS, beside_discs, sidecar_of, stem_of
from ..files.outputs import check_files, make_folders, refuse_twin
from ..files.provenance import (
    NO_DISC_LEFT,
    corrected_by,
    generated_by,
    makers_of,
    other_source,
    sidecar,
    sources,
)
from ..files.tables import write_json
from ..files.target import remove
from ..image.disc_voxels import place_discs
from ..image.grid import CANONICAL, Grid
from ..image.labels import check_distances, check_order
from ..image.nifti import read_grid, write_discs
from .corrections import Correction
from .identity import identify

SAME_PLACE_MM = 0.01
"""A corner of the image may lie this far from where the page had it: its numbers are rounded."""

_LOG = logging.getLogger(__name__)
_PAGE = "the page deepspine.html of deepspine_sct"


def write_corrected(
    correction: Correction, ofolder: Path, path_data: Path | None = None, overwrite: bool = False
) -> tuple[Path, list[Path]]:
    """Write the discs of one scan as a label file on the grid of its image, with its provenance beside it.

    What lies beside it and was made from other labels is removed.

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
    label : Path
        The label file.
    removed : list of Path
        What no longer held.

    Raises
    ------
    DeepspineError
        When the image is missing or another one than the page showed, a disc lies outside of it
        or above one of a lower value, two lie as no spine has them, labels of others would be replaced, or a file
        cannot be written or removed.
    """
    image = find_image(correction.image, path_data)
    grid = read_grid(image)
    _check_grid(image, grid, correction.grid)
    target = label_file(correction.image, ofolder)
    check_files([target, sidecar_of(target)], [image])  # before either is read, or written without the other
    refuse_twin(target)
    _refuse_labels_of_others(target, image, overwrite)
    placed = place_discs(target, grid, correction.points)
    lost = [disc_name(value) for value in correction.points if value not in placed]
    if lost:
        raise DeepspineError(f"{image}: {', '.join(lost)} lies outside of the image; correct it on the page")
    check_order(image, correction.points)
    check_distances(image, correction.points)
    before = target.read_bytes() if target.is_file() else b""
    about_to_write(target)
    write_discs(target, grid, correction.points, like=image)
    write_json(sidecar_of(target), provenance(correction, image, target) | as_written(target))
    return target, [] if target.read_bytes() == before else _remove(_stale(target))


def remove_emptied(
    correction: Correction, ofolder: Path, path_data: Path | None = None, overwrite: bool = False
) -> tuple[Path, list[Path]]:
    """Remove the label file of a scan, all of whose discs a person has deleted, and what was made from it.

    A JSON file in its place says so: no run labels the scan again unasked.

    Parameters
    ----------
    correction : Correction
        Without a disc.
    ofolder, path_data, overwrite
        As for `write_corrected`. The image need not be there.

    Returns
    -------
    told : Path
        The JSON file.
    removed : list of Path
        What was removed; empty where there was nothing.

    Raises
    ------
    DeepspineError
        When the labels are those of others or of another image, or a file cannot be removed or written.
    """
    image = _image_in(path_data, correction.image)
    target = label_file(correction.image, ofolder)
    told = sidecar_of(target)
    check_files([target, told])
    refuse_twin(target)
    _refuse_labels_of_others(target, image, overwrite)
    if target.exists():
        _check_grid(target, read_grid(target), correction.grid)
    removed = _remove([target, *_stale(target)])
    make_folders([told])
    write_json(told, provenance(correction, image, target) | {NO_DISC_LEFT: True})
    return told, removed


def _stale(label: Path) -> list[Path]:
    """List what lies beside a label file and was made from labels that are no more."""
    beside = beside_discs(label)
    levels, their_json = beside.get("levels"), beside.get("levels_sidecar")
    # Levels without a JSON file stay as well: the folder may be one in which this program has never written any.
    if levels and their_json and levels.exists() and (corrected_by(levels) or not makers_of(their_json)):
        _LOG.warning("%s: stays, as a person may have made it; check whether it fits the labels", levels)
        beside = {kind: path for kind, path in beside.items() if path not in (levels, their_json)}
    return [path for path in beside.values() if path.exists()]


def _remove(paths: Iterable[Path]) -> list[Path]:
    """Remove files, and return those that were there."""
    removed = []
    for path in filter(os.path.lexists, paths):
        try:
            remove(path)
        except OSError as error:
            raise DeepspineError(f"{path}: cannot be removed ({error.strerror}); check the permissions") from error
        removed.append(path)
    return removed


def _refuse_labels_of_others(label: Path, image: Path, overwrite: bool) -> None:
    """Refuse to touch a label file of another image, or one whose last maker is not the page.

    Who edits a file of the page later adds a maker to its JSON, or saves another image beside it.
    """
    if overwrite:
        return
    last = makers_of(sidecar_of(label))[-1:]
    of_page = any(_PAGE in str(maker.get("Description", "")) for maker in last)
    if label.exists() and (not of_page or edited_since(label)):
        raise DeepspineError(
            f"{label}: holds labels that were not made on the page, or were edited since; give another -ofolder, or "
            "replace or remove them with -overwrite 1"
        )
    if other := other_source(label, image):
        raise DeepspineError(f"{label}: is the label file of {other}; give another -ofolder, or -overwrite 1")


def find_image(image: Path, path_data: Path | None = None) -> Path:
    """Find the image of a scan where the page saw it, or below another folder.

    Raises
    ------
    DeepspineError
        When it is not there.
    """
    path = _image_in(path_data, image)
    if not path.exists():
        raise DeepspineError(f"{path}: no such image; say with -path-data where the data set is now")
    return path


def _image_in(path_data: Path | None, image: Path) -> Path:
    return image if path_data is None else path_data / bids_folder(image) / image.name


def label_file(image: Path, ofolder: Path) -> Path:
    """Name the label file of an image."""
    folder = bids_folder(image)
    suffix = DISC_LABELS if folder.parts else "_labeled_discs"
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
    what = what if correction.points else "all removed"
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
