"""The answer as data: what programs read, and what tables and pages are made from.

``report_schema.json`` beside this file describes its JSON.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from platform import python_version
from typing import TYPE_CHECKING

from .. import __version__
from ..caution import Caution
from ..labeling.confidence import UNLIKELY, in_two_digits, rounded
from ..labeling.discs import Disc, Labeling
from ..labeling.level_shifts import possible_names
from .request import ScanRequest

if TYPE_CHECKING:
    from ..labeling.predictor import Result
    from .session_report import SessionReport

TESTED_CONTRASTS = ("t1", "t2")

REPORTED_PACKAGES = ("numpy", "nibabel", "onnxruntime", "torch", "safetensors")


@dataclass(frozen=True)
class ReportedDisc:
    """A disc that was written.

    Attributes
    ----------
    value : int
        SCT's value, 1 (top of C1) to 25 (L5/S1).
    name : str
        The vertebrae above and below.
    possible_names : tuple of str
        Its name, and after it every other name that must be said because the levels are not sure.
    world_mm : tuple of three float
        World RAS+ position of the posterior tip [mm], not rounded to a voxel.
    voxel : tuple of three int
        Index in the array order of the image.
    confidence : float
        Probability that a disc is there and has this name.
    """

    value: int
    name: str
    possible_names: tuple[str, ...]
    world_mm: tuple[float, ...]
    voxel: tuple[int, ...]
    confidence: float


@dataclass(frozen=True)
class Report:
    """What was asked, found and written.

    Attributes
    ----------
    inputs : mapping
        The request: image, contrast and options.
    outputs : mapping
        File of each kind of output.
    discs : tuple of ReportedDisc
        Superior to inferior.
    level_confidence : float
        Probability that the names as a whole are right: that of the least sure one.
    level_margin : float or None
        By how much [nats] the names beat others; None where no others are possible.
    warnings : tuple of Caution
        What should be checked before the labels are trusted.
    model : mapping
        File and SHA-256 of the network.
    versions : mapping
        Versions of the program and of what it builds on.
    seconds : mapping
        Wall time of each stage [s].
    session : SessionReport or None
        What other scans of the session changed; None where none was given.
    """

    inputs: Mapping[str, object]
    outputs: Mapping[str, str]
    discs: tuple[ReportedDisc, ...]
    level_confidence: float
    level_margin: float | None
    warnings: tuple[Caution, ...]
    model: Mapping[str, str]
    versions: Mapping[str, str]
    seconds: Mapping[str, float]
    session: SessionReport | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the report in plain JSON types."""
        return {
            "inputs": dict(self.inputs),
            "outputs": dict(self.outputs),
            "discs": [
                {
                    "value": disc.value,
                    "name": disc.name,
                    "possible_names": list(disc.possible_names),
                    "world_mm": list(disc.world_mm),
                    "voxel": list(disc.voxel),
                    "confidence": disc.confidence,
                }
                for disc in self.discs
            ],
            "level_confidence": self.level_confidence,
            "level_margin": self.level_margin,
            "warnings": [caution.to_dict() for caution in self.warnings],
            "model": dict(self.model),
            "versions": dict(self.versions),
            "seconds": {stage: round(duration, 3) for stage, duration in self.seconds.items()},
            "session": self.session and self.session.to_dict(),
        }

    def to_json(self, origin: Mapping[str, object] | None = None) -> str:
        """Return the report, after what made the labels where that is given, as JSON that ends in a line break."""
        return json.dumps({**(origin or {}), **self.to_dict()}, indent=2, allow_nan=False) + "\n"


def build_report(
    request: ScanRequest,
    labeling: Labeling,
    voxels: Mapping[int, Sequence[int]],
    *,
    warnings: Sequence[Caution],
    checksum: str,
    seconds: Mapping[str, float],
    has_levels: bool,
    given: Collection[int] = (),
    session: SessionReport | None = None,
) -> Report:
    """Describe a labelled scan.

    Parameters
    ----------
    request : ScanRequest
        What was asked.
    labeling : Labeling
        Discs, superior to inferior.
    voxels : mapping of int to (3,) sequence of int
        Voxel of each disc value in the label file. A disc without one is left out.
    warnings : sequence of Caution
        What should be checked.
    checksum : str
        SHA-256 of the network.
    seconds : mapping of str to float
        Wall time of each stage [s].
    has_levels : bool
        Whether the levels of the cord are among the outputs.
    given : collection of int
        Discs that the user has named: they have no other name.
    session : SessionReport, optional
        What other scans changed.
    """
    margin = float(labeling.level_margin)
    paths = request.outputs.named()
    if not has_levels:
        of_cord = ("levels", "cord_discs", "levels_sidecar", "cord_discs_sidecar")
        paths = {name: path for name, path in paths.items() if name not in of_cord}
    model = str(request.model) if request.model else "installed"
    if request.repeatable:
        model = request.model.name if request.model else model
    return Report(
        inputs=request.described(),
        outputs={name: path.name if request.repeatable else str(path) for name, path in paths.items()},
        discs=tuple(
            _reported(disc, voxels[disc.value], {} if disc.value in given else labeling.shifts)
            for disc in labeling.discs
            if disc.value in voxels
        ),
        level_confidence=rounded(labeling.level_confidence, 4),
        # Infinite where no other level is possible, and JSON has no infinity.
        level_margin=round(margin, 4) if math.isfinite(margin) else None,
        warnings=tuple(warnings),
        model={"file": model, "sha256": checksum},
        versions=installed_versions(),
        seconds={} if request.repeatable else dict(seconds),
        session=session,
    )


def _reported(disc: Disc, voxel: Sequence[int], shifts: Mapping[int, float]) -> ReportedDisc:
    return ReportedDisc(
        value=int(disc.value),
        name=disc.name,
        possible_names=possible_names(disc.value, shifts),
        world_mm=tuple(round(float(x), 3) for x in disc.xyz_mm),
        voxel=tuple(int(i) for i in voxel),
        confidence=rounded(disc.confidence, 4),
    )


def result_cautions(result: Result, voxels: Mapping[int, Sequence[int]], request: ScanRequest) -> list[Caution]:
    """Collect what the answer itself gives reason to check.

    Parameters
    ----------
    result : Result
        The answer; the cautions of its labeling (gaps, an uncertain level) come first.
    voxels : mapping of int to (3,) sequence of int
        Voxels of the discs; a disc without one lies outside of the image.
    request : ScanRequest
        What was asked.
    """
    discs = result.labeling.discs
    cautions = list(result.labeling.warnings)
    outside = [disc for disc in discs if disc.value not in voxels]
    if outside:
        cautions.append(Caution("outside_image", f"outside of the image and not written: {_listed(outside)}"))
    doubtful = [disc for disc in discs if disc.value in voxels and disc.confidence < UNLIKELY]
    if doubtful:
        text = f"low confidence, check by eye: {_listed(doubtful, with_confidence=True)}"
        cautions.append(Caution("low_confidence", text))
    if request.contrast not in TESTED_CONTRASTS:
        text = (
            f"the network was tested on {' and '.join(TESTED_CONTRASTS)} images, not on "
            f"{request.contrast}; check every disc by eye"
        )
        cautions.append(Caution("untested_contrast", text))
    if request.outputs.attention:
        from ..pictures.network_maps import NO_ATTENTION

        cautions += [] if result.prediction.has_attention else [NO_ATTENTION]
    return cautions


@cache  # they stay as they are while a process runs, and to look them up takes longer than to write the report
def installed_versions() -> Mapping[str, str]:
    """Name the versions that a result depends on, without importing the packages."""
    versions = {"deepspine_sct": __version__, "python": python_version()}
    for package in REPORTED_PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _listed(discs: Iterable[Disc], with_confidence: bool = False) -> str:
    return ", ".join(
        f"{disc.value} ({disc.name}" + (f", {in_two_digits(disc.confidence)})" if with_confidence else ")")
        for disc in discs
    )
