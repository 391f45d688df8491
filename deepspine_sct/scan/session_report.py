"""What the other scans of a session did to the names of one, as data and in sentences."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..anatomy import disc_name
from ..caution import Caution
from ..labeling.confidence import in_two_digits, rounded

if TYPE_CHECKING:
    from ..labeling.companions import Companion, Joined
    from ..labeling.discs import Disc
    from .request import ScanRequest


@dataclass(frozen=True)
class CompanionReport:
    """Another scan of the session.

    Attributes
    ----------
    image : str
        Its file.
    joined : bool
        Whether it was named together with the scan.
    reason : str
        Why not.
    moved_mm : tuple of three float
        What is to be added to its world RAS+ positions to reach those of the scan [mm].
    support_nats : float or None
        By how much its own image prefers the names to those a level higher or lower [nats]; None where
        no others are possible.
    level_confidence : float
        Confidence in its names.
    discs : tuple of dict
        Value, name and world RAS+ position [mm], in its own world, of each of its discs.
    """

    image: str
    joined: bool
    reason: str
    moved_mm: tuple[float, ...]
    support_nats: float | None
    level_confidence: float
    discs: tuple[dict[str, Any], ...]


@dataclass(frozen=True)
class SessionReport:
    """What the other scans of the session changed.

    Attributes
    ----------
    decided_by : str or None
        The scan whose own image prefers the names most; None where no other scan was joined.
    support_nats : float or None
        By how much the scan's own image prefers the names to those a level higher or lower [nats].
        Negative where it would rather have others, None where no others are possible.
    level_confidence_alone : float
        Confidence in its names without the others.
    renamed : tuple of dict
        Name before and after, null where there was or is none, of each disc that the others changed.
    companions : tuple of CompanionReport
        The other scans.
    """

    decided_by: str | None
    support_nats: float | None
    level_confidence_alone: float
    renamed: tuple[dict[str, str | None], ...]
    companions: tuple[CompanionReport, ...]

    def to_dict(self) -> dict[str, object]:
        """Return it in plain JSON types."""
        return asdict(self)


def session_report(request: ScanRequest, of_path: Mapping[Path, Companion], joined: Joined) -> SessionReport:
    """Describe what the other scans changed.

    Parameters
    ----------
    request : ScanRequest
        The scan's, which says how files are named.
    of_path : mapping of Path to Companion
        The other scans, and what each of them had to say.
    joined : Joined
        What came of them.
    """
    companions = {request.named(path): of_path[path] for path in request.beside}
    support = {request.name: joined.support}
    support |= {file: companion.support for file, companion in companions.items() if not companion.refused}
    return SessionReport(
        decided_by=max(support, key=support.__getitem__) if len(support) > 1 else None,
        support_nats=_nats(joined.support),
        level_confidence_alone=rounded(joined.alone.level_confidence, 4),
        renamed=tuple({"before": _name(old), "after": _name(new)} for old, new in joined.changes),
        companions=tuple(_companion_report(file, companion) for file, companion in companions.items()),
    )


def session_cautions(report: SessionReport, alone: Sequence[Disc]) -> list[Caution]:
    """Say what a user must know of a session, one sentence each.

    Parameters
    ----------
    report : SessionReport
        What the other scans changed.
    alone : sequence of Disc
        What the scan shows by itself.
    """
    cautions = [
        Caution("session_apart", f"{companion.image} does not help to name this scan: {companion.reason}")
        for companion in report.companions
        if not companion.joined
    ]
    if any(change["before"] and change["after"] for change in report.renamed):
        first, last = alone[0].name, alone[-1].name
        text = (
            f"the other scans of the session changed names: by itself this scan was {first} to {last} (confidence"
            f" {in_two_digits(report.level_confidence_alone)}); {report.decided_by} decided"
        )
        cautions.append(Caution("session_renamed", text))
    return cautions


def _companion_report(file: str, companion: Companion) -> CompanionReport:
    return CompanionReport(
        image=file,
        joined=not companion.refused,
        reason=companion.refused,
        moved_mm=tuple(round(float(x), 1) for x in companion.moved_mm),
        support_nats=_nats(companion.support),
        level_confidence=rounded(companion.labeling.level_confidence, 4),
        discs=tuple(
            {"value": disc.value, "name": disc.name, "world_mm": [round(float(x), 3) for x in disc.xyz_mm]}
            for disc in companion.labeling.discs
        ),
    )


def _nats(value: float) -> float | None:
    return round(value, 2) if math.isfinite(value) else None


def _name(value: int | None) -> str | None:
    return None if value is None else disc_name(value)
