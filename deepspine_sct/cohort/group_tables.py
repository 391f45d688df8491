"""The data set as two tables: what became of every scan, and every disc."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TextIO

from deepspine_sct.anatomy import disc_name
from deepspine_sct.cohort.bids_derivative import ScanFiles, files_of
from deepspine_sct.cohort.job import LABELLED, SKIPPED, Job, Outcome
from deepspine_sct.cohort.state import read_record
from deepspine_sct.data.bids import Scan
from deepspine_sct.data.discovery import Findings, relative
from deepspine_sct.errors import DeepspineError
from deepspine_sct.files.atomic import atomic_path
from deepspine_sct.files.tables import write_json

NOT_DONE = "not done"

SCAN_COLUMNS = {
    "participant_id": "Participant",
    "session_id": "Session",
    "scan": "Image, as a path below the data set",
    "outcome": "labelled, skipped, failed or not done",
    "reason": "Why the scan was not labelled",
    "n_discs": "Number of discs that were found",
    "level_confidence": "Probability that the names as a whole are right",
    "warnings": "What should be checked by eye",
}

DISC_COLUMNS = {
    "participant_id": "Participant",
    "session_id": "Session",
    "scan": "Image, as a path below the data set",
    "disc": "SCT's value of the disc: 1 = top of C1, 2 = C1/C2, 3 = C2/C3 to 25 = L5/S1",
    "name": "The vertebrae above and below",
    "x_mm": "World coordinate of the disc's posterior tip, rightwards [mm]",
    "y_mm": "World coordinate of the disc's posterior tip, forwards [mm]",
    "z_mm": "World coordinate of the disc's posterior tip, upwards [mm]",
    "confidence": "Probability that a disc is there and has this name",
}


class DiscRow(NamedTuple):
    """A disc of a scan: SCT's value, world RAS+ position [mm] and confidence."""

    value: int
    world_mm: tuple[float, float, float]
    confidence: float


@dataclass(frozen=True)
class Row:
    """A scan with what became of it; a group's page holds all of them in memory.

    Attributes
    ----------
    scan : path below the data set
    participant, session : BIDS names; session is "" where there is none
    outcome : LABELLED, SKIPPED, FAILED or NOT_DONE, with its reason
    link : what to look at, as a path below the target folder: picture, report or log; "" for none
    level_confidence : of a labelled scan, else None
    discs : of a labelled scan
    """

    scan: str
    participant: str
    session: str
    outcome: Outcome
    link: str = ""
    level_confidence: float | None = None
    discs: tuple[DiscRow, ...] = ()


def read_rows(job: Job, findings: Findings) -> Iterator[Row]:
    """Yield every scan of a data set, those that were left out last."""
    for scan in findings.scans:
        yield _row(job, scan)
    for image, reason in findings.skipped.items():
        participant, *folders = Path(image).parts
        session = folders[0] if folders[0].startswith("ses-") else ""
        yield Row(image, participant, session, Outcome(image, SKIPPED, reason))


def _row(job: Job, scan: Scan) -> Row:
    place = (relative(scan), scan.subject, scan.session)
    unknown = Outcome(relative(scan), NOT_DONE)
    try:
        files = files_of(job, scan)
        outcome, _ = read_record(files.record) or (unknown, {})
        link = _link(job, files, outcome)
        if outcome.kind != LABELLED:
            return Row(*place, outcome, link)
        report = json.loads(files.report.read_text())
        discs = (DiscRow(disc["value"], tuple(disc["world_mm"]), disc["confidence"]) for disc in report["discs"])
        return Row(*place, outcome, link, report["level_confidence"], tuple(discs))
    except (DeepspineError, OSError, ValueError, KeyError, TypeError):
        return Row(*place, unknown)


def _link(job: Job, files: ScanFiles, outcome: Outcome) -> str:
    """Choose what shows best what became of a scan."""
    paths = (files.picture, files.report) if outcome.kind == LABELLED else (files.log,)
    return next((path.relative_to(job.target).as_posix() for path in paths if path and path.is_file()), "")


def write_tables(target: Path, rows: Iterable[Row]) -> None:
    """Write ``scans.tsv`` and ``discs.tsv``, each with a JSON file that explains its columns."""
    scans, discs = target / "scans.tsv", target / "discs.tsv"
    with _table(scans, SCAN_COLUMNS) as scan_table, _table(discs, DISC_COLUMNS) as disc_table:
        for row in rows:
            scan_table.write(_line(_scan_cells(row)))
            disc_table.writelines(_line(cells) for cells in _disc_cells(row))
    for table, columns in ((scans, SCAN_COLUMNS), (discs, DISC_COLUMNS)):
        explained = {name: {"Description": text} for name, text in columns.items()}
        write_json(table.with_suffix(".json"), explained)


@contextmanager
def _table(path: Path, columns: Iterable[str]) -> Iterator[TextIO]:
    """Open a table that appears as a whole."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8") as stream:
        stream.write(_line(columns))
        yield stream
        stream.flush()


def _scan_cells(row: Row) -> list[object]:
    return [
        row.participant,
        row.session,
        row.scan,
        row.outcome.kind,
        row.outcome.reason,
        len(row.discs) or None,
        row.level_confidence,
        " / ".join(row.outcome.warnings),
    ]


def _disc_cells(row: Row) -> Iterator[list[object]]:
    for disc in row.discs:
        place = (disc.value, disc_name(disc.value), *disc.world_mm)
        yield [row.participant, row.session, row.scan, *place, disc.confidence]


def _line(cells: Iterable[object]) -> str:
    """Write a line as BIDS wants it: nothing is n/a, and no quotes, so no tab or line break in a cell."""
    texts = ("n/a" if cell in (None, "") else " ".join(str(cell).split()) for cell in cells)
    return "\t".join(texts) + "\n"
