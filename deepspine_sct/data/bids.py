"""The spine scans of a BIDS data set, each with its disc labels.

Labels lie where spine-generic keeps them, in a tree like that of the images under
``derivatives/labels``: ``sub-X/anat/sub-X_T2w.nii.gz`` is labelled by
``derivatives/labels/sub-X/anat/sub-X_T2w_label-discs_dlabel.nii.gz`` or, in older releases, by
``..._labels-disc-manual.nii.gz``.
"""

import csv
import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path

from deepspine_sct.data.bids_files import Files, find_files
from deepspine_sct.data.pointer import why_not_here
from deepspine_sct.errors import DeepspineError
from deepspine_sct.files.names import DISC_LABELS, SUFFIXES, stem_of

CONTRASTS = {"t1": "T1w", "t2": "T2w"}
"""BIDS suffix of each contrast that the commands know."""

LABEL_SUFFIXES = (DISC_LABELS, "_labels-disc-manual")
LABEL_FOLDER = "derivatives/labels"

_LOG = logging.getLogger(__name__)
_SITE_COLUMNS = ("site", "institution_id")  # of participants.tsv, the first that exists


@dataclass(frozen=True)
class Scan:
    """One image of a data set.

    Attributes
    ----------
    subject, session : BIDS names with their prefix, such as "sub-amu01"; session is "" where there
        is none
    site : where it was acquired, "" where nothing says so
    contrast : BIDS suffix, "T1w" or "T2w"
    image : the file
    folder : its folder below the data set, such as "sub-amu01/anat"
    label : its disc labels; None where there are none
    """

    subject: str
    session: str
    site: str
    contrast: str
    image: Path
    folder: str
    label: Path | None

    @property
    def stem(self) -> str:
        """File name of the image without its suffix; BIDS makes it unique in the data set."""
        return stem_of(self.image)

    @property
    def path(self) -> str:
        """Path of the image below its data set."""
        return f"{self.folder}/{self.image.name}"


def find_scans(
    root: Path,
    contrasts: tuple[str, ...] = tuple(CONTRASTS.values()),
    label_suffixes: tuple[str, ...] = LABEL_SUFFIXES,
    label_folder: str = LABEL_FOLDER,
) -> list[Scan]:
    """Find the images of some contrasts, sorted by name, with or without labels.

    Parameters
    ----------
    root : the BIDS data set
    contrasts : BIDS suffixes of the images
    label_suffixes : what follows the image's stem in the name of its labels; the first that exists
        counts
    label_folder : root of the labels, below ``root``

    Raises
    ------
    DeepspineError
        Where there is no such folder, or no such image in it.
    """
    scans, files = survey(root, contrasts, label_suffixes, label_folder)
    for place, reason in files.passed.items():
        _LOG.warning("skipped: %s: %s", place, reason)
    return scans


def survey(
    root: Path,
    contrasts: tuple[str, ...],
    label_suffixes: tuple[str, ...] = (),
    label_folder: str = LABEL_FOLDER,
    subjects: tuple[str, ...] = ("sub-*",),
) -> tuple[list[Scan], Files]:
    """Find images as `find_scans` does; return them and all that was seen on the way.

    Of two files of one name, such as ``x.nii`` and ``x.nii.gz``, one is returned and the other is passed over.

    Raises
    ------
    DeepspineError
        As `find_scans`.
    """
    if not root.is_dir():
        raise DeepspineError(f"{root}: no such folder; give the root of a BIDS data set")
    files = find_files(root, contrasts, subjects)
    if not files.images:
        wanted, subject = " or ".join(contrasts), " or ".join(subjects)
        seen = next((f"; skipped: {place}, which {reason}" for place, reason in files.passed.items()), "")
        raise DeepspineError(
            f"{root}: holds no {subject}/anat/*_{wanted} image; check the label, the suffix and the data set{seen}"
        )
    sites = _read_sites(root / "participants.tsv")
    scans = [_describe(image, folder, sites, label_suffixes, root / label_folder) for image, folder in files.images]
    return without_twins(scans, files.passed), files


def without_twins(scans: list[Scan], passed: dict[str, str]) -> list[Scan]:
    """Keep the first of two files of one name whose content is here: they are one scan, and its outputs one file.

    Parameters
    ----------
    scans : list of Scan
        Sorted by name.
    passed : dict of str to str
        Gets the reason for each file that is left out, by its path below the data set.
    """
    kept: dict[tuple[str, str], Scan] = {}
    for scan in scans:
        name = scan.folder, scan.stem
        twin = kept.setdefault(name, scan)
        if twin is not scan:
            kept[name], other = (scan, twin) if why_not_here(twin.image) else (twin, scan)
            passed[other.path] = f"has the same name as {kept[name].image.name}; remove one of them"
    return list(kept.values())


def _describe(image: Path, folder: str, sites: dict[str, str], label_suffixes, label_root: Path) -> Scan:
    subject, *_ = parts = folder.split("/")
    candidates = [
        label_root / folder / f"{stem_of(image)}{label}{suffix}"
        for label in label_suffixes
        for suffix in SUFFIXES[::-1]
    ]
    # A dangling link, as git-annex leaves, is a label that was never downloaded: reading it will
    # say so.
    label = next((path for path in candidates if path.is_symlink() or path.exists()), None)
    session = next((part for part in parts if part.startswith("ses-")), "")
    site = sites.get(subject) or _site_of_name(subject)
    return Scan(subject, session, site, stem_of(image).rpartition("_")[2], image, folder, label)


def _read_sites(table: Path) -> dict[str, str]:
    """Site of each subject by ``participants.tsv``; empty where that does not say or cannot be read."""
    if not os.path.lexists(table):
        return {}
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeError, csv.Error) as error:
        _LOG.warning("%s: ignored because it is not a table in UTF-8 (%s); sites are taken from names", table, error)
        return {}
    if rows and "participant_id" not in rows[0]:
        _LOG.warning("%s: ignored because it has no column participant_id; sites are taken from names", table)
        return {}
    column = next((name for name in _SITE_COLUMNS if rows and name in rows[0]), None)
    if column is None:
        return {}
    sites = {(row["participant_id"] or "").strip(): (row[column] or "").strip() for row in rows}
    return {subject: site for subject, site in sites.items() if site != "n/a"}  # as BIDS writes what is not known


def _site_of_name(subject: str) -> str:
    """Site in a name such as sub-brnoUhb01, as multi-centre data sets number their subjects."""
    match = re.fullmatch(r"sub-([A-Za-z]+)\d+", subject)
    return match[1] if match else ""
