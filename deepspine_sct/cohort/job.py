"""What a run does to every scan, and what became of one: the two things that travel to a worker and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


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
    cords_name : what BIDS URIs of the outputs call it
    together : BIDS suffixes of the scans of a session that name each other's discs; none where each scan stands alone
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
    cords_name: str = "segmentations"
    together: tuple[str, ...] = ()
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
    codes : what each of them is known by, see `caution.CODES`
    seconds : wall time of each stage [s]
    peak_mb : most memory that its worker had used by then [MiB]
    """

    image: str
    kind: str
    reason: str = ""
    warnings: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    seconds: dict[str, float] = field(default_factory=dict)
    peak_mb: float = 0.0
