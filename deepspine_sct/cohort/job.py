"""What a run does to every scan, and what became of one: the two things that travel to a worker and back."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

LABELLED, SKIPPED, FAILED = "labelled", "skipped", "failed"


@dataclass(frozen=True)
class Job:
    """What a run does to every scan.

    Attributes
    ----------
    source, target : BIDS data set to read and folder to write, absolute
    checksum : SHA-256 of the network that all workers must have
    date : what the outputs say of when they were made
    model : network file; None is the installed one
    pictures : whether to draw the discs
    cords : folder of cord segmentations, laid out as the data set; None where there are none
    timeout_s : time that a scan may take [s]
    memory_gb : memory that a worker may use [GiB]
    """

    source: Path
    target: Path
    checksum: str
    date: str
    model: Path | None = None
    pictures: bool = False
    cords: Path | None = None
    timeout_s: float = 600.0
    memory_gb: float = 4.0


@dataclass(frozen=True)
class Outcome:
    """What became of a scan.

    Attributes
    ----------
    image : the scan, as a path below its data set
    kind : LABELLED, SKIPPED or FAILED
    reason : why it was not labelled
    warnings : sentences on its labels
    seconds : wall time of each stage [s]
    peak_mb : most memory that its worker had used by then [MiB]
    """

    image: str
    kind: str
    reason: str = ""
    warnings: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    peak_mb: float = 0.0


def now() -> str:
    """Say what time it is (UTC), or what ``SOURCE_DATE_EPOCH`` says, for builds that are repeated."""
    fixed_s = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = datetime.now(timezone.utc)
    if fixed_s.isdecimal():
        with suppress(OverflowError, ValueError, OSError):  # of a year that no calendar has
            moment = datetime.fromtimestamp(int(fixed_s), timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
