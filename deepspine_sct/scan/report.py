"""The run as data: what -json and a cohort write, and what tables and pages are made from."""

import math
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from platform import python_version

from deepspine_sct import __version__
from deepspine_sct.labeling.discs import Disc, Labeling

TESTED_CONTRASTS = ("t1", "t2")
LOW_CONFIDENCE = 0.5
"""A disc below this is more likely wrong than right, so it is named in a warning."""

REPORTED_PACKAGES = ("numpy", "nibabel", "onnxruntime", "torch", "safetensors")


def build_report(
    *,
    inputs: Mapping[str, object],
    outputs: Mapping[str, str],
    labeling: Labeling,
    voxels: Mapping[int, Sequence[int]],
    warnings: Sequence[str],
    model: Mapping[str, str],
    versions: Mapping[str, str],
    seconds: Mapping[str, float],
) -> dict:
    """Describe a run in plain JSON types. Pure: no clock, no file, no environment.

    Parameters
    ----------
    inputs, outputs : mapping
        What was read (image, contrast, options) and written, by name.
    labeling : Labeling
        Discs, superior to inferior.
    voxels : mapping of int to (3,) sequence of int
        Voxel of each disc value in the label file. A disc without one was not written and is left
        out here as well.
    warnings : sequence of str
        One sentence each.
    model : mapping
        Checkpoint: its name and checksum.
    versions : mapping
        Program and library versions.
    seconds : mapping of str to float
        Wall time of each stage [s].

    Returns
    -------
    dict
        `discs` holds value, name, `world_mm` (RAS+, the sub-voxel position), `voxel` (index in the
        image's own array order) and confidence of each.
    """
    margin = float(labeling.level_margin)
    return {
        "inputs": dict(inputs),
        "outputs": dict(outputs),
        "discs": [
            {
                "value": int(disc.value),
                "name": disc.name,
                "world_mm": [round(float(x), 3) for x in disc.xyz_mm],
                "voxel": [int(i) for i in voxels[disc.value]],
                "confidence": round(float(disc.confidence), 4),
            }
            for disc in labeling.discs
            if disc.value in voxels
        ],
        "level_confidence": round(float(labeling.level_confidence), 4),
        # Infinite where no other level is possible, and JSON has no infinity.
        "level_margin": round(margin, 4) if math.isfinite(margin) else None,
        "warnings": list(warnings),
        "model": dict(model),
        "versions": dict(versions),
        "seconds": {stage: round(float(duration), 3) for stage, duration in seconds.items()},
    }


def gather_warnings(labeling: Labeling, voxels: Mapping[int, Sequence[int]], contrast: str) -> list[str]:
    """Collect what the user must know before trusting the labels, one sentence each.

    Parameters
    ----------
    labeling : Labeling
        Its own warnings (gaps, an uncertain level) come first.
    voxels : mapping of int to (3,) sequence of int
        Voxels that were written; a disc without one lies outside of the image.
    contrast : str
        As given with -c.

    Returns
    -------
    list of str
    """
    warnings = list(labeling.warnings)
    outside = [disc for disc in labeling.discs if disc.value not in voxels]
    if outside:
        warnings.append(f"outside of the image and not written: {_listed(outside)}")
    doubtful = [disc for disc in labeling.discs if disc.value in voxels and disc.confidence < LOW_CONFIDENCE]
    if doubtful:
        warnings.append(f"low confidence, check by eye: {_listed(doubtful, with_confidence=True)}")
    if contrast not in TESTED_CONTRASTS:
        warnings.append(
            f"the network was tested on {' and '.join(TESTED_CONTRASTS)} images, not on "
            f"{contrast}; check every disc by eye"
        )
    return warnings


def written_discs(labeling: Labeling, report: Mapping) -> list[Disc]:
    """Pick the discs of a labeling that its report names: those that lie within the image."""
    values = {disc["value"] for disc in report["discs"]}
    return [disc for disc in labeling.discs if disc.value in values]


def installed_versions() -> dict[str, str]:
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
        f"{disc.value} ({disc.name}" + (f", {disc.confidence:.2f})" if with_confidence else ")") for disc in discs
    )
