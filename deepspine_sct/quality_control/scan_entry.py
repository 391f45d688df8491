"""What -qc adds to a run: the scan on our own page, and in SCT's report."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..files.atomic import atomic_path
from ..files.outputs import same_file
from ..files.provenance import now
from ..image.volume import Volume
from . import sct_report
from .entry import make_entry, read_entry
from .identity import Identity
from .outcomes import DAMAGED, LABELLED
from .page_folder import ENTRIES_NAME, write_entry, write_page
from .plane import plane_through
from .slice_pictures import draw_pictures

if TYPE_CHECKING:
    from ..labeling.discs import Disc
    from ..model.output import Prediction

_LOG = logging.getLogger(__name__)


def write_scan_entry(
    folder: Path,
    identity: Identity,
    image: Path,
    volume: Volume,
    outcome: str = LABELLED,
    reason: str = "",
    report: Mapping | None = None,
    prediction: Prediction | None = None,
    made: Mapping[str, str] | None = None,
) -> None:
    """Draw a scan and write its entry, without the page: workers do this, many at a time.

    Parameters
    ----------
    folder : Path
        Folder of the page; made when missing.
    identity : Identity
        Which scan it is.
    image : Path
        The file.
    volume : Volume
        What is in it.
    outcome, reason : str
        What became of it.
    report : mapping, optional
        `Report.to_dict` of a labelled scan.
    prediction : Prediction, optional
        What the network answered on this very image.
    made : mapping of str to str, optional
        Date, command, model and version.

    Raises
    ------
    DeepspineError
        When a file cannot be written.
    """
    points_xyz = np.array([disc["world_mm"] for disc in (report or {}).get("discs", ())])
    plane = plane_through(volume, points_xyz)
    pictures = draw_pictures(volume, plane, prediction)
    entry = make_entry(identity, image, outcome, reason, report, plane, pictures, made)
    write_entry(folder, entry, pictures)


def add_scan(
    folder: Path,
    identity: Identity,
    image: Path,
    volume: Volume,
    discs: list[Disc],
    report: Mapping,
    prediction: Prediction | None,
    command: str,
    sct_identity: Mapping[str, str],
) -> None:
    """Add a labelled scan to ``deepspine.html`` and to SCT's report, both in one folder.

    Parameters
    ----------
    folder : Path
        Folder of both; made when missing.
    identity, image, volume, report, prediction
        As for `write_scan_entry`.
    discs : list of Disc
        Those that were written.
    command : str
        Command that labelled the scan.
    sct_identity : mapping
        What SCT's report calls the scan: `dataset`, `subject` and `contrast`.

    Raises
    ------
    DeepspineError
        When matplotlib is missing, or the folder cannot be written.
    """
    from ..pictures.overlay import render_layers  # loads matplotlib

    made = {
        "date": now(),
        "command": command,
        "model": report["model"]["sha256"],
        "version": report["versions"]["deepspine_sct"],
    }
    _warn_of_another(folder, identity, image)
    write_scan_entry(folder, identity, image, volume, report=report, prediction=prediction, made=made)
    write_page(folder)
    when = datetime.now()  # SCT's report is in local time
    place = sct_report.picture_folder(folder, sct_identity, command, when)
    for name, content in zip(("background_img", "overlay_img"), render_layers(volume, discs), strict=True):
        with atomic_path(place / f"{name}.png") as path:
            path.write_bytes(content)
    layers = (place / "background_img.png", place / "overlay_img.png")
    sct_report.add_entry(folder, sct_identity, image, command, *layers, when)


def _warn_of_another(folder: Path, identity: Identity, image: Path) -> None:
    """Warn where the entry that will be replaced shows another image: data sets may have folders of one name."""
    known = read_entry(folder / ENTRIES_NAME / f"{identity.key}.json")
    if known.outcome == DAMAGED:
        return
    same = False
    with suppress(OSError):  # an image in a folder that is closed to this user is another one
        same = same_file(Path(known.image), image)
    if not same:
        _LOG.warning(
            "%s: takes the place of %s on the page, because the data set of both is called %s; if they are not the "
            "same scan, give each data set a name with -qc-dataset",
            image,
            known.image,
            identity.dataset,
        )
