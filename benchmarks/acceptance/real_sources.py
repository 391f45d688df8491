"""The labelled real scans of a folder like ../shared/real, one at a time: image, true discs and, if given, tissues."""

import csv
import json
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from deepspine_sct.image.labels import read_labels
from deepspine_sct.image.nifti import read_any, read_volume
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.image.volume import Volume
from deepspine_sct.training.real import ANNOTATIONS

FIRST_DISC = 3  # the points 1 and 2 lie at the dens, where no disc is; our annotation places the second by proportion


@dataclass(frozen=True)
class RealScan:
    """A real scan and what is known of it.

    Attributes
    ----------
    name : stem of its file, the subject
    volume : the image in (L, I, P)
    truth : disc value -> (3,) world position [mm]
    tissue : the same grid, 1 vertebrae, 2 discs, 3 canal, 0 the rest; None where there is no mask
    edge : the points of the dens, and discs at the edge of the image or beyond it: right to find, no fault to miss
    """

    name: str
    volume: Volume
    truth: dict[int, np.ndarray]
    tissue: np.ndarray | None = None
    edge: dict[int, np.ndarray] = field(default_factory=dict)


def names_of(data: Path, family: str) -> list[str]:
    """Return the names of the scans of a family: "lumbar", "neck" (evaluation-only sites and t1_sg) or "volume"."""
    table = _annotations()
    if family == "lumbar":
        return sorted(path.name.removesuffix("_T2w.nii.gz") for path in (data / "lumbar").glob("*_T2w.nii.gz"))
    if family == "volume":
        return [name for name in table["volumes"] if (data / "volumes" / f"{name}.nii.gz").exists()]
    held_out = set(table["about"]["evaluation_only_sites"])
    experts = sorted(path.name.removesuffix("_labels.nii.gz") for path in (data / "volumes").glob("t1_sg_*_labels.*"))
    slices = [name for name, entry in table["slices"].items() if entry["site"] in held_out]
    return [name for name in slices if (data / "slices" / f"{name}.nii.gz").exists()] + experts


@lru_cache(maxsize=2)
def read_scan(data: Path, name: str) -> RealScan:
    """Read one scan by its name."""
    table = _annotations()
    if name.startswith("t1_sg"):
        points = read_labels(data / "volumes" / f"{name}_labels.nii.gz")
        return _neck(name, data / "volumes" / f"{name}.nii.gz", points)
    if name in table["volumes"]:
        return RealScan(name, _image(data / "volumes" / f"{name}.nii.gz"), points_of(table["volumes"][name]))
    if name in table["slices"]:
        return _neck(name, data / "slices" / f"{name}.nii.gz", points_of(table["slices"][name]))
    folder = data / "lumbar"
    tissue = canonical(read_any(folder / f"{name}_tissue.nii.gz")).data.round().astype(np.uint8)
    return RealScan(name, _image(folder / f"{name}_T2w.nii.gz"), _lumbar_discs(folder)[name], tissue)


def _neck(name: str, path: Path, points: dict[int, np.ndarray]) -> RealScan:
    truth = {value: xyz_mm for value, xyz_mm in points.items() if value >= FIRST_DISC}
    dens = {value: xyz_mm for value, xyz_mm in points.items() if value < FIRST_DISC}
    return RealScan(name, _image(path), truth, edge=dens)


def _image(path: Path) -> Volume:
    volume = canonical(read_volume(path))
    return Volume(np.ascontiguousarray(volume.data, dtype=np.float32), volume.grid)


def points_of(entry: dict, first: int = 1) -> dict[int, np.ndarray]:
    """Return the points [mm] that an image's annotation holds, by value, from the first value on."""
    points = {int(value): np.array(xyz_mm) for value, xyz_mm in entry["discs_xyz_mm"].items()}
    return {value: xyz_mm for value, xyz_mm in points.items() if value >= first}


@lru_cache(maxsize=1)
def _annotations() -> dict:
    return json.loads(ANNOTATIONS.read_text())


@lru_cache(maxsize=1)
def _lumbar_discs(folder: Path) -> dict[str, dict[int, np.ndarray]]:
    points: dict[str, dict[int, np.ndarray]] = {}
    with (folder / "discs.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            xyz_mm = np.array([float(row[axis]) for axis in ("x_mm", "y_mm", "z_mm")])
            points.setdefault(row["scan"].removesuffix("_T2w"), {})[int(row["value"])] = xyz_mm
    return points
