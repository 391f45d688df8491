"""`make invariance`: how far the discs move when the file changes and the scan does not.

Every development scan is labelled as it is and once more after each change. Positions are compared in
the world, as shares of the scan's own voxels; the label file holds whole voxels, so that half a voxel
is the least that can show.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.acceptance.accuracy_cases import real_scans
from benchmarks.sources import DATA_TEST, REAL
from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.image.volume import Volume, reorient
from deepspine_sct.labeling.predictor import Predictor

AIR = 0.03
"""Share of the 99th percentile of the intensities below which a plane of voxels is air."""


def window(volume: Volume, low: np.ndarray, high: np.ndarray, value: float = 0) -> Volume:
    """Cut or pad to the voxels from `low` to before `high`, which may lie outside."""
    inside = tuple(slice(max(0, a), min(n, b)) for a, b, n in zip(low, high, volume.data.shape, strict=True))
    margins = [(max(0, -a), max(0, b - n)) for a, b, n in zip(low, high, volume.data.shape, strict=True)]
    data = np.pad(volume.data[inside], margins, constant_values=value)
    affine = volume.grid.affine.copy()
    affine[:3, 3] = volume.grid.to_world(low)
    return Volume(data, Grid(data.shape, affine))


def without_air(volume: Volume) -> Volume:
    """Cut off the planes that show nothing, on all six sides."""
    shown = volume.data > AIR * np.percentile(volume.data, 99)
    low, high = np.zeros(3, int), np.array(volume.data.shape)
    for axis in range(3):
        share = shown.mean(axis=tuple(other for other in range(3) if other != axis))
        planes = np.flatnonzero(share > 0.02)
        low[axis], high[axis] = planes[0], planes[-1] + 1
    return window(volume, low, high)


def padded(volume: Volume, n: int) -> Volume:
    """Add n planes of the darkest value on every side."""
    return window(volume, np.full(3, -n), np.array(volume.data.shape) + n, volume.data.min())


def scaled(volume: Volume, slope: float, intercept: float = 0) -> Volume:
    """Map every intensity linearly."""
    return Volume((volume.data * slope + intercept).astype(np.float32), volume.grid)


def as_type(volume: Volume, dtype: str) -> Volume:
    """Round to a type, over its range where that is small, and back."""
    data = volume.data - volume.data.min()
    top = min(np.iinfo(dtype).max, 4095) if np.dtype(dtype).kind in "iu" else data.max()
    return Volume((data * (top / data.max())).round().astype(dtype).astype(np.float32), volume.grid)


CHANGES: dict[str, Callable[[Volume], Volume]] = {
    "reoriented to RAS": lambda volume: reorient(volume, ("R", "A", "S")),
    "reoriented to SLP": lambda volume: reorient(volume, ("S", "L", "P")),
    "reoriented to PIR": lambda volume: reorient(volume, ("P", "I", "R")),
    "a copy in Fortran order": lambda volume: Volume(np.asfortranarray(volume.data), volume.grid),
    "intensities times 0.001": lambda volume: scaled(volume, 0.001),
    "intensities times 1000": lambda volume: scaled(volume, 1000.0),
    "intensities plus 500": lambda volume: scaled(volume, 1.0, 500.0),
    "signed 16-bit integers": lambda volume: as_type(volume, "int16"),
    "unsigned 8-bit integers": lambda volume: as_type(volume, "uint8"),
    "air cropped": without_air,
    "padded by 1 voxel": lambda volume: padded(volume, 1),
    "padded by 10 voxels": lambda volume: padded(volume, 10),
    "padded by 30 voxels": lambda volume: padded(volume, 30),
}
LOSSY = {"signed 16-bit integers", "unsigned 8-bit integers", "air cropped"}
"""These lose a part of the image. The others must not move a disc at all, up to rounding."""

SCALED = {"intensities times 0.001", "intensities times 1000", "intensities plus 500"}
"""But the integers of the installed network turn what these round into steps: they are exact with an export in single
floats, `-model`."""


def development_scans(real: Path) -> Iterator[tuple[str, Volume]]:
    """Yield the simulated scans of data_test and the real ones, each with its name."""
    for path in sorted(DATA_TEST.glob("*_sim.nii.gz")):
        yield path.name, read_volume(path)
    if real.is_dir():
        for scan in real_scans(real):
            yield scan.name, scan.volume


def find(predictor: Predictor, volume: Volume) -> dict[int, np.ndarray]:
    """Discs of a volume in world mm; none where it is refused."""
    try:
        return predictor.predict(volume).labeling.points
    except DeepspineError:
        return {}


def main() -> int:
    """Print one line a change; exit status 1 where one that must be exact is not."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-data", type=Path, default=REAL, help="real scans")
    parser.add_argument("-model", type=Path, help="checkpoint; default: the shipped one")
    parser.add_argument("-every", type=int, default=1, help="take every n-th scan")
    args = parser.parse_args()
    predictor = Predictor.load(args.model)
    scans = list(development_scans(args.data))[:: args.every]
    before = [find(predictor, volume) for _, volume in tqdm(scans, disable=None, unit="scan")]
    print(f"{len(scans)} scans, {sum(map(len, before))} discs")
    print(f"{'change':28} {'largest shift':>24} {'95 %':>8} {'over half':>10} {'renamed,':>9}   worst scan")
    print(f"{'':28} {'[voxels]':>12}{'[mm]':>12} {'[voxels]':>8} {'a voxel':>10} {'lost, new':>9}")
    inexact = 0
    for change, apply in CHANGES.items():
        shifts, worst, differ = [], (0.0, 0.0, ""), 0
        pairs = tqdm(zip(scans, before, strict=True), change, len(scans), leave=False, disable=None, unit="scan")
        for (name, volume), points in pairs:
            found = find(predictor, apply(volume))
            differ += len(set(points) ^ set(found))
            for value in set(points) & set(found):
                shift_mm = found[value] - points[value]
                voxels = np.abs(np.linalg.solve(volume.grid.affine[:3, :3], shift_mm)).max()
                shifts.append(voxels)
                worst = max(worst, (voxels, float(np.linalg.norm(shift_mm)), f"{name} disc {value}"))
        print(f"{change:28} {worst[0]:12.4f}{worst[1]:12.4f} {np.percentile(shifts, 95):8.3f}"
              f" {np.mean(np.array(shifts) > 0.5):10.1%} {differ:9d}   {worst[2]}", flush=True)  # fmt: skip
        is_exact = change not in LOSSY and not (args.model is None and change in SCALED)
        inexact += is_exact and (worst[0] > 0.01 or differ > 0)
    return int(inexact > 0)


if __name__ == "__main__":
    sys.exit(main())
