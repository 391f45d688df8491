"""Which scan an entry of the page is about: one row for each scan, whatever is labelled again."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..files.names import stem_of

_BIDS_NAME = re.compile(r"(sub-[0-9A-Za-z+]+)(?:_(ses-[0-9A-Za-z+]+))?(?:_[a-z]+-[0-9A-Za-z+]+)*_([0-9A-Za-z]+)")
_LONGEST_STEM = 80


@dataclass(frozen=True)
class Identity:
    """What a scan is called on the page.

    Attributes
    ----------
    dataset, subject, session : names; session is "" where there is none
    contrast : BIDS suffix of the scan, such as "T2w", else what the user said, such as "t2"
    key : name of the entry's file and folder; the same scan always has the same one
    is_bids : whether the file has a BIDS name
    """

    dataset: str
    subject: str
    session: str
    contrast: str
    key: str
    is_bids: bool


def identify(image: Path, contrast: str = "", dataset: str = "", subject: str = "") -> Identity:
    """Find out which scan an image file is.

    A BIDS name says it by its entities. For any other name, data set and subject are the names of
    the third and the second folder above the file, as in SCT's report.

    Parameters
    ----------
    image : Path
        The file; it need not exist.
    contrast : str
        What the user said, for names that do not say it.
    dataset, subject : str
        What the user said; it goes before anything else.

    Returns
    -------
    Identity
    """
    path = Path(os.path.abspath(image))  # a scan is the same one by whatever way it is reached
    stem = stem_of(path)
    match = _BIDS_NAME.fullmatch(stem)
    if match:
        found = (_bids_root(path, match[1]), match[1], match[2] or "", match[3])
        unique = f"{dataset or found[0]}/{stem}"
    else:
        folders = ([folder.name for folder in path.parents] + ["", "", ""])[:3]
        found = (folders[2], folders[1], "", contrast)
        unique = str(path)
    names = (dataset or found[0], subject or found[1], *found[2:])
    digest = hashlib.sha256(unique.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    readable = re.sub(r"[^0-9A-Za-z_+-]", "-", stem)[:_LONGEST_STEM]
    return Identity(*names, f"{readable}-{digest}", match is not None)


def distinct_names(images: Sequence[str]) -> list[str]:
    """Shorten the paths of the images of a page to names that tell them apart: a/t2.nii.gz and b/t2.nii.gz.

    Parameters
    ----------
    images : sequence of str
        Paths.

    Returns
    -------
    list of str
        The end of each path, of as few parts as no other one ends in; the whole path where there is no such end.
    """
    parts = [image.split("/") for image in images]
    names = [path[-1] for path in parts]
    for n_parts in range(2, max(map(len, parts), default=0) + 1):
        counts = Counter(names)
        if len(counts) == len(names):
            break
        names = [
            "/".join(path[-n_parts:]) if counts[name] > 1 else name for path, name in zip(parts, names, strict=True)
        ]
    return names


def _bids_root(path: Path, subject: str) -> str:
    """Name of the data set: the folder in which the subject's folder lies, else the nearest one."""
    for folder in path.parents:
        if folder.name == subject:
            return folder.parent.name
    return path.parent.name
