"""The data set as three tables: what became of every scan, every disc, and what the discs measure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from deepspine_sct.anatomy import disc_name
from deepspine_sct.cohort.scan_entries import CohortScan
from deepspine_sct.files.atomic import atomic_path
from deepspine_sct.files.tables import write_json
from deepspine_sct.landmarks.measures import COLUMNS, cells_of
from deepspine_sct.quality_control.entry import Entry
from deepspine_sct.quality_control.triage import Finding

_SCAN = {
    "participant_id": "Participant",
    "session_id": "Session",
    "scan": "Image, as a path below the data set",
}

IMAGE_COLUMNS = _SCAN | {
    "outcome": "labelled, skipped, failed or not done",
    "reason": "Why the scan was not labelled",
    "n_discs": "Number of discs that were found",
    "level_confidence": "Probability that the names as a whole are right: that of the least sure one",
    "look_at": "Why a person should look at the labels; n/a where there is no reason",
}

DISC_COLUMNS = _SCAN | {
    "disc": "SCT's value of the disc: 1 = top of C1, 2 = C1/C2, 3 = C2/C3 to 25 = L5/S1",
    "name": "The vertebrae above and below",
    "x_mm": "World coordinate of the disc's posterior tip, rightwards [mm]",
    "y_mm": "World coordinate of the disc's posterior tip, forwards [mm]",
    "z_mm": "World coordinate of the disc's posterior tip, upwards [mm]",
    "confidence": "Probability that a disc is there and has this name",
}

MEASURE_COLUMNS = _SCAN | COLUMNS

TABLES = {
    "deepspine_images.tsv": IMAGE_COLUMNS,
    "deepspine_discs.tsv": DISC_COLUMNS,
    "deepspine_measures.tsv": MEASURE_COLUMNS,
}
"""File of each table, with its columns. The names collide with none that BIDS keeps for itself."""


def write_tables(target: Path, source: Path, scans: Sequence[CohortScan], findings: Sequence[Finding]) -> None:
    """Write the tables of `TABLES`, each with a JSON file that explains its columns.

    Parameters
    ----------
    target, source : Path
        Folder of the results, and the data set.
    scans : sequence of CohortScan
        All of them.
    findings : sequence of Finding
        Of `judge`, one for each scan.
    """
    with ExitStack() as stack:
        images, discs, measures = (stack.enter_context(_table(target / name, TABLES[name])) for name in TABLES)
        for scan, finding in zip(scans, findings, strict=True):
            entry = scan.entry
            place = [entry.subject, entry.session, _below(entry.image, source)]
            images.write(_line([*place, *_image_cells(entry, finding)]))
            discs.writelines(_line([*place, *cells]) for cells in _disc_cells(entry))
            measures.writelines(_line([*place, *cells]) for cells in cells_of(scan.measures))
    for name, columns in TABLES.items():
        explained = {column: {"Description": text} for column, text in columns.items()}
        write_json((target / name).with_suffix(".json"), explained)


def _below(image: str, source: Path) -> str:
    path = Path(image)
    return path.relative_to(source).as_posix() if path.is_relative_to(source) else image


@contextmanager
def _table(path: Path, columns: Iterable[str]) -> Iterator[TextIO]:
    """Open a table that appears as a whole; a file name that is no UTF-8 is in it with its bytes written out."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(_line(columns))
        yield stream
        stream.flush()


def _image_cells(entry: Entry, finding: Finding) -> list[object]:
    look_at = " / ".join(finding.reasons) if entry.discs else ""
    return [entry.outcome, entry.reason, len(entry.discs) or None, entry.level_confidence, look_at]


def _disc_cells(entry: Entry) -> Iterator[list[object]]:
    for value, xyz_mm, confidence in entry.discs:
        yield [value, disc_name(value), *xyz_mm, confidence]


def _line(cells: Iterable[object]) -> str:
    """Write a line as BIDS wants it: nothing is n/a, and no quotes, so no tab or line break in a cell."""
    texts = ("n/a" if cell in (None, "") else " ".join(str(cell).split()) for cell in cells)
    return "\t".join(texts) + "\n"
