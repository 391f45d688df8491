"""Which images of a BIDS data set to label, and why the others are left out.

The official BIDS schema, through bids-validator, says what is a BIDS name. Images are not opened
here, except for files too small to be one: a folder of a hundred thousand scans is searched in a
minute, and a disk that hangs on one of them holds up a worker, not the run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from deepspine_sct.data.bids import Scan, survey, without_twins
from deepspine_sct.data.bids_files import find_files
from deepspine_sct.data.pointer import why_not_here
from deepspine_sct.errors import DeepspineError
from deepspine_sct.files.names import sidecar_of
from deepspine_sct.files.outputs import same_file
from deepspine_sct.wording import counted


@dataclass(frozen=True)
class Findings:
    """What a search found.

    Attributes
    ----------
    scans : to be labelled, sorted by name
    skipped : reason for each image or folder that is left out, by its path below the data set
    without_sidecar : scans that have no JSON file of their own; they are labelled all the same
    others : how many images there are of each suffix that was not asked for
    """

    scans: list[Scan]
    skipped: dict[str, str]
    without_sidecar: list[Scan]
    others: Mapping[str, int] = field(default_factory=dict)


def search(
    root: Path,
    suffixes: tuple[str, ...],
    participants: Collection[str] = (),
    sessions: Collection[str] = (),
) -> Findings:
    """Search a BIDS data set for scans.

    Parameters
    ----------
    root : Path
        The data set.
    suffixes : tuple of str
        BIDS suffixes of the scans, such as "T2w".
    participants, sessions : collection of str
        Labels to choose, with or without their prefix "sub-" or "ses-"; none chooses all.

    Raises
    ------
    DeepspineError
        When there is no such folder, participant or session, no scan that can be labelled, or
        bids-validator is missing.
    """
    subjects = tuple(_prefixed("sub-", participants)) or ("sub-*",)
    chosen = set(_prefixed("ses-", sessions))
    found, files = survey(root, suffixes, subjects=subjects)
    found = [scan for scan in found if not chosen or scan.session in chosen]
    wanted = " or ".join(suffixes)
    without = [f"{name} with a {wanted} image" for name in sorted(chosen - {scan.session for scan in found})]
    absent = [*without, *sorted(_absent(root, participants))]
    if absent:
        raise DeepspineError(f"{root}: holds no {' and no '.join(absent)}; check the label")
    scans, skipped = _sift(found)
    passed = {place: reason for place, reason in files.passed.items() if not chosen or chosen & set(place.split("/"))}
    skipped = dict(sorted((passed | skipped).items()))
    if not scans:
        first, reason = next(iter(skipped.items()))
        raise DeepspineError(
            f"{root}: none of {counted(len(skipped), 'image')} can be labelled; the first one is {first}: {reason}"
        )
    bare = [scan for scan in scans if not sidecar_of(scan.image).exists()]
    return Findings(scans, skipped, bare, files.others)


def find_beside(root: Path, scan: Scan, suffixes: tuple[str, ...]) -> list[Path]:
    """Find the other images in the folder of a scan that a search for these suffixes finds too, sorted.

    Of files that are one and the same, as git-annex makes of equal ones, the first is enough; none is the scan.

    Parameters
    ----------
    root : Path
        The data set.
    scan : Scan
        One of its scans.
    suffixes : tuple of str
        BIDS suffixes of the images.
    """
    images = find_files(root, suffixes, (scan.folder,)).images
    there = [replace(scan, image=image, folder=folder) for image, folder in images]
    found, _ = _sift(without_twins(there, {}))
    distinct = [scan.image]
    for other in found:
        if other.stem != scan.stem and not any(same_file(other.image, image) for image in distinct):
            distinct.append(other.image)
    return distinct[1:]


def _prefixed(prefix: str, labels: Iterable[str]) -> list[str]:
    """Names of labels, each with its prefix; BIDS allows letters, digits and a plus in a label."""
    names = [label.removeprefix(prefix) for label in labels]
    for name in names:
        if not name.replace("+", "").isalnum() or not name.isascii():
            raise DeepspineError(f"'{name}' is not a BIDS label; use only letters, digits and +")
    return [prefix + name for name in names]


def _absent(root: Path, participants: Iterable[str]) -> set[str]:
    return {name for name in _prefixed("sub-", participants) if not (root / name).is_dir()}


def _sift(found: list[Scan]) -> tuple[list[Scan], dict[str, str]]:
    """Part the scans that can be labelled from those that cannot."""
    from bids_validator import BIDSValidator  # reads the schema: not for -h

    scans, skipped = [], {}
    for scan in found:
        # A suffix that BIDS does not know, such as STIR, is the user's own wish: the rest of the name must do.
        name = f"/{scan.path}"
        in_bids = f"{name.rpartition('_')[0]}_T2w.nii.gz"
        if not (BIDSValidator.parse(name) or BIDSValidator.parse(in_bids)):
            skipped[scan.path] = "is not named as BIDS asks; rename it"
        elif reason := why_not_here(scan.image):
            skipped[scan.path] = reason
        else:
            scans.append(scan)
    return scans, skipped


def left_out_lines(findings: Findings) -> list[str]:
    """Sum up what a run does not touch, for its end."""
    lines = []
    if findings.skipped:
        lines.append(f"Skipped: {counted(len(findings.skipped), 'file or folder', 'files or folders')}, as said above")
    if findings.others:
        counts = ", ".join(f"{n} {suffix}" for suffix, n in sorted(findings.others.items()))
        lines.append(f"Images of other suffixes, which --contrast or --suffix would take: {counts}")
    return lines
