"""What made a file, as the JSON beside it tells BIDS, SCT and whoever corrects the labels later."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any

from deepspine_sct import __version__
from deepspine_sct.files.edited import about_to_write, edited_since, has_content
from deepspine_sct.files.names import sidecar_of, twin_of
from deepspine_sct.files.tables import read_entries, read_json, write_json

NAME = "deepspine_sct"

NO_DISC_LEFT = "NoDiscLeft"
"""Entry of the JSON file of a scan all of whose discs a person has removed: there is no label file beside it."""


def sidecar(makers: Iterable[dict[str, Any]], **more: object) -> dict[str, object]:
    """Describe a label file on the grid of its image.

    Parameters
    ----------
    makers : iterable of dict
        Of `generated_by`, the first maker first. SCT's manual-correction adds the person who corrects.
    **more
        Further entries, such as ``Sources``.

    Returns
    -------
    dict
        Content of the JSON file, with BIDS' own keys.
    """
    return {"SpatialReference": "orig", **more, "GeneratedBy": list(makers)}


def generated_by(checksum: str, date: str, command: str = "") -> dict[str, str]:
    """Say that this program made a file, with which network, when and how.

    Parameters
    ----------
    checksum : str
        SHA-256 of the network.
    date : str
        Of `now`.
    command : str, optional
        Command line.

    Returns
    -------
    dict of str to str
        An entry of BIDS' ``GeneratedBy``.
    """
    maker = {
        "Name": NAME,
        "Version": __version__,
        "Description": "Intervertebral discs found by a network; see ModelChecksum",
        "ModelChecksum": checksum,
        "Date": date,
    }
    return maker | ({"Command": command} if command else {})


@contextmanager
def being_written(label: Path) -> Iterator[None]:
    """Do as `about_to_write`, and say in the JSON file beside a label file that this program writes it.

    Who is killed before that file is complete leaves labels that are known as automatic. Where the labels cannot be
    written, no new JSON file stays either.

    Parameters
    ----------
    label : Path
        The label file, which is written inside of the ``with`` block.
    """
    about_to_write(label)
    told = sidecar_of(label)
    claim = None if told.exists() else sidecar([{"Name": NAME, "Version": __version__}])
    if claim:
        write_json(told, claim)
    try:
        yield
    except BaseException:
        if claim and read_entries(told) == claim:  # not that of another run, which has written the same labels
            told.unlink()
        raise


def makers_of(sidecar: Path) -> list[dict[str, Any]]:
    """Read what made a file, the first maker first, from the JSON file that says it; [] where it says nothing."""
    try:
        makers = read_json(sidecar)["GeneratedBy"]
        return [maker | {"Name": str(maker.get("Name", ""))} for maker in makers]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def corrected_by(label: Path, untold: str = "somebody") -> str:
    """Name who may have made a label file, other than this program: no run replaces or removes such a file unasked.

    The JSON file beside it says so: its last maker is another program, as SCT's manual-correction and
    `sct_deepspine_correct` note it, or has an author. A JSON file that cannot be read, or that names no maker, is
    perhaps a person's work, and so is a label file without a JSON file, as experts' mostly are. A label file that is
    not there because a person has removed all discs is theirs, too, and so is one that they have packed or unpacked:
    x.nii in the place of x.nii.gz. Who saves an edited file in the place of ours is known by `edited_since`.

    Parameters
    ----------
    label : Path
        The label file.
    untold : str, optional
        Who has made a label file without a JSON file: "" for the files that SCT names as this program does.

    Returns
    -------
    str
        "" where it is just not there, holds nothing, or nobody but this program has made it; also where its JSON file
        is empty.
    """
    told = sidecar_of(label)
    try:
        if not (_is_there(label) or is_emptied(label)) or told.stat().st_size == 0:
            return ""
    except FileNotFoundError:
        return untold if _holds_something(label) else ""
    except OSError:  # it is there, and who has made it cannot be read
        return "somebody"
    last = (makers_of(told) or [{"Name": ""}])[-1]
    if last["Name"] == NAME and "Author" not in last:
        return "somebody" if edited_since(label) else ""
    return str(last.get("Author") or last["Name"] or "somebody")


def is_emptied(label: Path) -> bool:
    """Tell whether a label file is not there because all discs were removed: the JSON file in its place says so."""
    try:
        return not _is_there(label) and read_entries(sidecar_of(label)).get(NO_DISC_LEFT) is True
    except OSError:  # of a folder that may not be opened
        return False


def _is_there(label: Path) -> bool:
    return label.exists() or twin_of(label).exists()


def _holds_something(label: Path) -> bool:
    try:
        return has_content(label if label.exists() else twin_of(label))
    except OSError:  # it may not be read, which the attempt to write it will tell
        return True


def sources(label: Path, image: Path, *others: Path) -> dict[str, object]:
    """Name the files that a label file depends on, for the JSON file beside it.

    Names without folders are written, as nobody who gets the file needs to know the folders of this machine. Two images
    of the same name are told apart by a checksum of the path from the label file to the image.

    Parameters
    ----------
    label : Path
        The label file, or the JSON file beside it.
    image : Path
        The image that is labelled.
    *others : Path
        Further files.

    Returns
    -------
    dict
        BIDS' ``Sources``, the image first, and ``SourcePathChecksum``.
    """
    return {"Sources": [path.name for path in (image, *others)], "SourcePathChecksum": _way_digits(label, image)}


def other_source(label: Path, image: Path) -> str:
    """Name the image that a label file was made from, if the JSON file beside it says that it was another one.

    Parameters
    ----------
    label : Path
        The label file, which need not be there. One that was emptied counts as well.
    image : Path
        The image whose labels it should hold.

    Returns
    -------
    str
        "" if it was this image, or if nothing says which one it was.
    """
    try:
        said = read_json(sidecar_of(label)) if label.exists() or is_emptied(label) else {}
        name, digits = str(said["Sources"][0]).rpartition("/")[2], said.get("SourcePathChecksum")
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return ""
    if name != image.name:
        return name
    return f"another {name}, in another folder" if digits and digits != _way_digits(label, image) else ""


def way(file: Path, image: Path) -> str:
    """Path of an image as seen from the folder of another file.

    Links to folders are followed. A link in the place of the image itself is not: git-annex puts one there, and
    changes it with every version of the image.
    """
    folder = os.path.relpath(os.path.realpath(image.parent), os.path.realpath(file.parent))
    return os.path.normpath(os.path.join(folder, image.name))


def _way_digits(label: Path, image: Path) -> str:
    """Sixteen digits that stand for the way from a label file to an image."""
    return sha256(os.fsencode(way(label, image))).hexdigest()[:16]


def now() -> str:
    """Say what time it is (UTC), or what ``SOURCE_DATE_EPOCH`` says, for builds that are repeated."""
    fixed_s = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = datetime.now(timezone.utc)
    if fixed_s.isdecimal():
        with suppress(OverflowError, ValueError, OSError):  # of a year that no calendar has
            moment = datetime.fromtimestamp(int(fixed_s), timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def without_folders(command: str) -> str:
    """Keep the last part of each path in a command: who gets a label file knows nothing of this machine's folders."""
    return shlex.join(Path(word).name if _is_path(word) else word for word in shlex.split(command))


def _is_path(word: str) -> bool:
    """Tell a path with folders from names of discs, which have a slash, too: its folder is there."""
    return bool(Path(word).name) and (os.path.isabs(word) or os.path.isdir(os.path.dirname(word)))
