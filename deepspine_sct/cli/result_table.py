"""What a run prints, made from its report."""

import math
import shlex
from typing import TYPE_CHECKING

from deepspine_sct.wording import counted

if TYPE_CHECKING:
    from deepspine_sct.scan.report import Report
    from deepspine_sct.scan.session_report import SessionReport

COLUMNS = ("disc", "name", "voxel", "world RAS+ [mm]", "confidence")


def disc_table(report: "Report") -> str:
    """Lay the discs of a report out as a table, one line each, superior to inferior.

    Parameters
    ----------
    report : Report
        Of a labelled scan.

    Returns
    -------
    str
        Several lines, without a line break at the end.
    """
    rows = [COLUMNS] + [
        (
            str(disc.value),
            " or ".join(disc.possible_names),
            " ".join(f"{index:4d}" for index in disc.voxel),
            " ".join(f"{mm:7.1f}" for mm in disc.world_mm),
            _told(disc.confidence),
        )
        for disc in report.discs
    ]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            # Words stand on the left, numbers on the right.
            cell.ljust(width) if column == "name" else cell.rjust(width)
            for cell, width, column in zip(row, widths, COLUMNS, strict=True)
        ).rstrip()
        for row in rows
    )


def level_line(report: "Report") -> str:
    """Say in one line how sure the names are as a whole."""
    return f"Confidence of the level assignment: {_told(report.level_confidence)}"


def session_lines(session: "SessionReport") -> str:
    """Say which other scans helped, how far they had moved, and what they changed."""
    joined = [companion for companion in session.companions if companion.joined]
    if not joined:
        return "No other scan was named together with it"
    listed = ", ".join(f"{companion.image} (moved by {math.hypot(*companion.moved_mm):.1f} mm)" for companion in joined)
    changed = f"{counted(len(session.renamed), 'disc')} changed" if session.renamed else "no name changed"
    return (
        f"Named together with {listed}: {changed}; {session.decided_by} decided; by itself the level"
        f" confidence was {_told(session.level_confidence_alone)}"
    )


def provenance_lines(report: "Report") -> str:
    """Say what made the result, and how long each stage took."""
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    stages = ", ".join(f"{stage} {duration:.2f}" for stage, duration in report.seconds.items())
    return f"Versions: {versions}\nModel: {report.model['sha256']}\nSeconds: {stages}"


def viewer_command(image: str, discs: str) -> str:
    """Write the command that shows the labels on the image, with SCT's choice of colours."""
    return f"fsleyes {shlex.quote(image)} -cm greyscale {shlex.quote(discs)} -cm subcortical -a 70 &"


def _told(confidence: float) -> str:
    from deepspine_sct.labeling.confidence import in_two_digits  # loaded by then; not for -h

    return in_two_digits(confidence)
