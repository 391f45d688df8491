"""Which files of a BIDS data set are the images that are asked for, and which only look like it.

Links are followed, as DataLad and hand-made subsets of a data set consist of them. What is passed over is
named with its reason, for a scan that nobody misses is a scan that nobody labels.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deepspine_sct.data.bids_ignore import BidsIgnore
from deepspine_sct.files.names import SUFFIXES

_OTHER_FORMATS = (".mgz", ".mgh", ".nrrd", ".nhdr", ".mha", ".mhd", ".mnc", ".img", ".hdr", ".dcm", ".dicom",
                  ".nii.bz2", ".nii.xz", ".nii.zst", ".nii.zip", ".nii.z")  # fmt: skip
_DERIVED = re.compile(r"(seg|dseg|probseg|mask|dlabel|labels?|discs?|centerline|levels?)(-manual)?")
"""How names end that are no scans but were made from one."""

_PHASE = "is a phase image, in which discs do not show; the magnitude shows them"

_NO_DATA = ("derivatives", "code", "sourcedata", "rawdata", "stimuli", "phenotype")  # of a data set's folders


@dataclass(frozen=True)
class Files:
    """What was found below the folders of some subjects.

    Attributes
    ----------
    images : (file, its folder below the data set) of each image that is asked for, sorted
    passed : reason for each file or folder that looks like it and is passed over, by its path below
        the data set
    others : how many images there are of each other BIDS suffix
    """

    images: list[tuple[Path, str]] = field(default_factory=list)
    passed: dict[str, str] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)


def find_files(root: Path, suffixes: Sequence[str], subjects: Sequence[str] = ("sub-*",)) -> Files:
    """Look through the folders of some subjects.

    Parameters
    ----------
    root : Path
        The BIDS data set.
    suffixes : sequence of str
        BIDS suffixes of the images, such as "T2w".
    subjects : sequence of str
        Patterns of the subjects' folders.

    Returns
    -------
    Files
    """
    found, ignore = Files(), BidsIgnore.read(root)
    for subject in sorted({path for pattern in subjects for path in root.glob(pattern)}):
        if subject.is_dir() or subject.is_symlink():
            for path in _walk(subject, root, found.passed, ()):
                _sort(path, root, suffixes, ignore, found)
    if "sub-*" in subjects:
        found.passed.update(_misnamed_subjects(root, ignore))
    found.images.sort()
    return found


def _walk(folder: Path, root: Path, passed: dict[str, str], above: tuple[str, ...]) -> Iterator[Path]:
    """Yield all files below a folder, through links; `above` are the real places that lead here."""
    place = folder.relative_to(root).as_posix()
    real = os.path.realpath(folder)
    if real in above:
        passed[place] = "is a link to a folder that it lies in; remove it"
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        passed[place] = f"cannot be opened ({error.strerror}); check the link and the permissions"
        return
    for entry in entries:
        if os.path.isdir(entry.path):  # unlike entry.is_dir, takes a link that leads to itself for none
            if not entry.name.startswith("."):
                yield from _walk(Path(entry.path), root, passed, (*above, real))
        elif entry.is_symlink() and not os.path.exists(entry.path) and not _extension(entry.name):
            passed[Path(entry.path).relative_to(root).as_posix()] = "is a link that leads nowhere; check where it led"
        else:
            yield Path(entry.path)


def _extension(name: str) -> str:
    """How the name of an image ends, in any case; "" for other files."""
    return next((end for end in (*SUFFIXES[::-1], *_OTHER_FORMATS) if name.lower().endswith(end)), "")


def _sort(path: Path, root: Path, suffixes: Sequence[str], ignore: BidsIgnore, found: Files) -> None:
    """Put a file where it belongs: asked for, passed over for a reason, or something else."""
    extension = _extension(path.name)
    if not extension:
        return
    stem, folder = path.name[: -len(extension)], path.parent.relative_to(root).as_posix()
    suffix, place = stem.rpartition("_")[2], f"{folder}/{path.name}"
    fault = _fault(path, stem, extension, suffixes)
    if not fault and not (suffix in suffixes and path.name.endswith(SUFFIXES)):
        is_other = path.parent.name == "anat" and extension in SUFFIXES and not _DERIVED.fullmatch(suffix)
        if is_other and not (_is_phase(stem, suffixes) or ignore.reason(place, suffix)):
            found.others[suffix] += 1
        return
    left_out = ignore.reason(place, suffix if suffix in suffixes else "")
    fault = left_out or (_PHASE if _is_phase(stem, suffixes) else fault)
    if fault:
        found.passed[place] = fault
    else:
        found.images.append((path, folder))


def _fault(path: Path, stem: str, extension: str, suffixes: Sequence[str]) -> str:
    """Say what keeps a file from being an image that is asked for; "" where nothing does, or it is something else."""
    suffix = stem.rpartition("_")[2]
    if path.name.startswith("."):
        return "is a companion file of macOS, not an image; delete it" if suffix in suffixes else ""
    if suffix in suffixes and path.name.endswith(SUFFIXES):
        return "" if path.parent.name == "anat" else "lies outside of an anat folder; move it there"
    if suffix in suffixes and extension in _OTHER_FORMATS:
        return f"is no NIfTI file ({extension}); convert it to .nii.gz"
    near = next((wanted for wanted in suffixes if _resembles(stem, wanted)), None)
    return f"is not named as BIDS asks, *_{near}.nii.gz; rename it" if near else ""


def _is_phase(stem: str, suffixes: Sequence[str]) -> bool:
    """Tell the phase of a complex image from its magnitude, by BIDS' entity or as a word of its own."""
    *words, last = stem.lower().split("_") if "phase" in stem.lower() else ("",)
    return "part-phase" in words or "phase" in words or (last == "phase" and "phase" not in suffixes)


def _resembles(stem: str, wanted: str) -> bool:
    """Tell a name that somebody may have given to an image of a suffix, such as sub-1_T2W or sub-1_T2w__dup-01."""
    if _DERIVED.fullmatch(stem.rpartition("_")[2]):
        return False
    short = re.escape(wanted.removesuffix("w"))
    return re.search(rf"(^|[_-]){short}w?(?![A-Za-z])", stem, re.IGNORECASE) is not None


def _misnamed_subjects(root: Path, ignore: BidsIgnore) -> dict[str, str]:
    """Folders that hold what a subject's does, are not named like one, and are no data set of their own."""
    return {
        folder.name: "is not named sub-<label>, so what it holds is not looked at; rename it"
        for folder in sorted(root.iterdir())
        if folder.is_dir()
        and not folder.name.startswith(("sub-", ".", *_NO_DATA))
        and not (folder / "dataset_description.json").exists()  # another data set, such as results of ours
        and not ignore.reason(f"{folder.name}/")
        and ((folder / "anat").is_dir() or any(folder.glob("*/anat")))
    }
