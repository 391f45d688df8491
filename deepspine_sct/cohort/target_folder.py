"""The folder of the results as a BIDS derivative data set: made, recognised, and refused where it is another's."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path
from urllib.parse import unquote, urlsplit

from deepspine_sct import __version__
from deepspine_sct.cohort.bids_derivative import LOG_FOLDER
from deepspine_sct.errors import DeepspineError
from deepspine_sct.files import provenance
from deepspine_sct.files.atomic import atomic_path
from deepspine_sct.files.outputs import check_folder, same_file
from deepspine_sct.files.tables import read_json, write_json
from deepspine_sct.quality_control.page_folder import ENTRIES_NAME

DESCRIPTION_NAME = "dataset_description.json"

_BIDSIGNORE = """\
*_label-discs_dlabel.nii.gz
*_label-discs_dlabel.json
*_label-discs_report.json
*_label-discs_measures.tsv
*_label-vertebrae_dseg.nii.gz
*_label-vertebrae_dseg.json
deepspine_*.tsv
deepspine_*.json
deepspine.html
deepspine
logs/
"""

_README = """\
# Labels of intervertebral discs

Made by deepspine_sct. Open `deepspine.html` in a browser to look at all scans and to correct labels;
it needs neither a server nor a network.

- `sub-*/[ses-*/]anat/*_label-discs_dlabel.nii.gz`: one voxel per disc at its posterior tip, with the value of the
  Spinal Cord Toolbox: 1 = top of C1, 2 = C1/C2, 3 = C2/C3, 8 = C7/T1, 20 = T12/L1, 25 = L5/S1. The file beside it,
  `.json`, says what made it.
- `*_label-discs_report.json`: the same discs in millimetres, with the confidence of each and warnings.
- `*_label-discs_measures.tsv`: distances between the discs, angles, lordosis and kyphosis, levels of the cord.
- `*_label-vertebrae_dseg.nii.gz`: vertebral levels of the spinal cord, where a segmentation was given.
- `deepspine_images.tsv`: what became of every scan, and why it should be looked at.
- `deepspine_discs.tsv`: every disc; `deepspine_measures.tsv`: all measures. The `.json` file beside each
  table explains its columns.
- `logs/`: what became of every scan, and what the program said about it.

A scan that has failed has no labels, even if an earlier run had found some. A scan whose image file is missing keeps
the labels of an earlier run. A label file that a person has corrected stays: the JSON file beside it names
that person, or a program, as its last maker in `GeneratedBy`, or has the checksum of another file (`LabelChecksum`),
as when a viewer has saved the file, or is missing. Where a person has removed all discs of a scan, there is
no label file, and that JSON file says so (`NoDiscLeft`).

Files that BIDS has no name for are listed in `.bidsignore`. The disc labels are called what spine-generic calls them.
"""


def open_target(target: Path, source: Path, checksum: str) -> str:
    """Make the output folder a BIDS derivative data set of this program, unless it is one already.

    Returns
    -------
    str
        The date that its files carry: when the first run with this network and version began, so
        that a scan which is labelled again gives the same files.

    Raises
    ------
    DeepspineError
        When the folder holds another data set or the results of one, or cannot be written.
    """
    known = check_usable(target, source)
    target.mkdir(parents=True, exist_ok=True)
    goes_on = (known.get("Version"), known.get("ModelChecksum")) == (__version__, checksum) and "Date" in known
    date = known["Date"] if goes_on else provenance.now()
    uri = source.resolve().as_uri()
    if goes_on and _recorded_source(target) == uri:
        return date
    for name, text in ((".bidsignore", _BIDSIGNORE), ("README.md", _README)):
        with atomic_path(target / name) as path:
            path.write_text(text, encoding="utf-8")
    description = _description(target, provenance.generated_by(checksum, date))
    write_json(target / DESCRIPTION_NAME, description | _linked(_links(target) | {"raw": uri}))
    return date


def check_usable(target: Path, source: Path) -> dict[str, str]:
    """Refuse a folder that cannot take the results of a data set, and write nothing.

    Returns
    -------
    dict of str to str
        What the folder says of its maker, this program; {} where nothing was labelled into it yet.

    Raises
    ------
    DeepspineError
        As `open_target`.
    """
    _refuse_source(target, source)
    for folder in (target, target / LOG_FOLDER, target / ENTRIES_NAME):
        check_folder(folder)
    known = _own_maker(target, "give a new or an empty folder")
    _refuse_results_of_another(target, source)
    subject = next(target.glob("sub-*"), None)
    # Labels of an expert have the names of ours, and mostly no JSON file that says whose they are.
    if subject and not known and not (target / LOG_FOLDER).is_dir():
        raise DeepspineError(
            f"{target}: holds {subject.name}, which this program has not written; give a new or an empty folder"
        )
    return known


def _description(target: Path, maker: dict[str, str]) -> dict[str, object]:
    """Describe a target folder as made by us, the first maker; what a person has added to it, or renamed, stays."""
    path = target / DESCRIPTION_NAME
    return {
        "Name": "Labels of intervertebral discs",
        **(read_json(path) if path.exists() else {}),
        "BIDSVersion": "1.9.0",
        "DatasetType": "derivative",
        "GeneratedBy": [maker, *provenance.makers_of(path)[1:]],
    }


def link_segmentations(target: Path, cords: Path) -> str:
    """Note in the description of a target folder where segmentations lie; those of earlier runs stay in it.

    Parameters
    ----------
    target : Path
        Of `open_target`.
    cords : Path
        Folder of the segmentations.

    Returns
    -------
    str
        Name of the folder in BIDS URIs.
    """
    links, uri = _links(target), cords.resolve().as_uri()
    known = next((name for name, place in links.items() if place == uri), None)
    if known:
        return known
    names = ("segmentations" + (str(n) if n > 1 else "") for n in count(1))
    name = next(name for name in names if name not in links)
    path = target / DESCRIPTION_NAME
    write_json(path, read_json(path) | _linked(links | {name: uri}))
    return name


def _linked(links: dict[str, str]) -> dict[str, object]:
    """Entries of a description that name other data sets; the first one is that which was labelled."""
    return {"SourceDatasets": [{"URL": uri} for uri in links.values()], "DatasetLinks": links}


def _links(target: Path) -> dict[str, str]:
    """URI of each data set that the sidecars of a target folder name; the one that was labelled is the first."""
    try:
        return {str(name): str(uri) for name, uri in read_json(target / DESCRIPTION_NAME)["DatasetLinks"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def check_target(target: Path, source: Path) -> None:
    """Refuse a folder into which this program has labelled nothing: it is not ours to write into.

    Raises
    ------
    DeepspineError
        When it is missing, is the data set itself or another data set, or holds the results of one.
    """
    _refuse_source(target, source)
    if not _own_maker(target, "give the folder into which the level participant has labelled"):
        raise DeepspineError(f"{target}: nothing was labelled into it yet; run the level participant first")
    _refuse_results_of_another(target, source)


def _refuse_source(target: Path, source: Path) -> None:
    if same_file(target, source):
        raise DeepspineError(f"{target}: is the data set itself; give another folder for the results")


def _refuse_results_of_another(target: Path, source: Path) -> None:
    """Refuse a folder that was made from another data set: scans of the same name would replace each other.

    A data set that was moved, or that this machine sees at another place, is the same one: where it was is no
    folder any more.
    """
    uri = _recorded_source(target)
    place = unquote(urlsplit(uri).path)
    if uri.startswith("file:") and os.path.isdir(place) and not same_file(Path(place), source):
        raise DeepspineError(f"{target}: holds results of another data set, {uri}; give another folder")


def _recorded_source(target: Path) -> str:
    """URI of the data set from which a target folder was made; "" where it does not say."""
    try:
        return str(read_json(target / DESCRIPTION_NAME)["SourceDatasets"][0]["URL"])
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return ""


def _own_maker(target: Path, remedy: str) -> dict[str, str]:
    """Read what the description of a target folder says of its maker; {} where there is none."""
    path = target / DESCRIPTION_NAME
    if not path.exists():
        return {}
    makers = provenance.makers_of(path)
    if makers and makers[0]["Name"] == provenance.NAME:
        return makers[0]
    raise DeepspineError(f"{target}: holds another data set; {remedy}")
