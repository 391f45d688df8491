"""What is asked of a scan, settled before any work starts and not changed afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from .output_paths import OutputPaths


class Straightening(IntEnum):
    """In which image the discs are looked for; the numbers are those of ``-straighten``."""

    NONE = 0
    """In the scan as it is."""
    BY_SCT = 1
    """In an image that SCT straightens along the cord."""
    BY_DISCS = 2
    """Twice: the spine of the first look is slid into one plane for the second one."""


@dataclass(frozen=True)
class ScanRequest:
    """One scan, and what is to be done with it.

    Attributes
    ----------
    name : str
        What reports, pictures and refusals call the image.
    image : Path or None
        The image; None where it is in memory alone.
    contrast : str
        ``t1``, ``t2``, ``t2s``, ``pd``, ``stir``, ``psir`` or ``other``.
    values : tuple of int or None
        Disc values to look for; None looks for all.
    threshold : float or None
        Least probability of a disc; None takes the network's.
    initlabel : Path or None
        Label file with discs that are known.
    initz : tuple of (int, int) or None
        Axial slice, counted from the lowest one, and the value of the disc in it.
    cord : Path or None
        Segmentation of the spinal cord.
    cord_may_fail : bool
        Warn of a segmentation that cannot be used, in place of a refusal.
    straighten : Straightening
        In which image the discs are looked for.
    beside : tuple of Path
        Other scans of the same session, which help to name the discs of this one.
    model : Path or None
        Network file; None is the one that is installed. It is loaded by whoever calls.
    device : str
        Where the network runs.
    keep_temporary : bool
        Keep temporary files, and say where.
    repeatable : bool
        Leave the wall times and the folders of this machine out of the report, so that the same
        scan gives the same report.
    page_dataset, page_subject : str or None
        What a quality-control page calls them; None takes the names of the image's folders.
    command : str
        Command that labels the scan, for the quality-control page; its first word names it.
    outputs : OutputPaths
        What is written, and where; nothing by default.
    """

    name: str
    image: Path | None = None
    contrast: str = "other"
    values: tuple[int, ...] | None = None
    threshold: float | None = None
    initlabel: Path | None = None
    initz: tuple[int, int] | None = None
    cord: Path | None = None
    cord_may_fail: bool = False
    straighten: Straightening = Straightening.NONE
    beside: tuple[Path, ...] = ()
    model: Path | None = None
    device: str = "auto"
    keep_temporary: bool = False
    repeatable: bool = False
    page_dataset: str | None = None
    page_subject: str | None = None
    command: str = "deepspine_sct"
    outputs: OutputPaths = field(default_factory=OutputPaths)

    def described(self) -> dict[str, object]:
        """Return what a report says of the request, in plain JSON types."""
        files = {"initlabel": self.initlabel, "cord": self.cord}
        return {
            "image": self.name,
            "contrast": self.contrast,
            "threshold": self.threshold,
            "values": None if self.values is None else list(self.values),
            "initz": None if self.initz is None else list(self.initz),
            "straighten": int(self.straighten),
            "beside": [self.named(path) for path in self.beside],
        } | {key: path and self.named(path) for key, path in files.items()}

    def named(self, path: Path) -> str:
        """Name a file as reports do."""
        return path.name if self.repeatable else str(path)
