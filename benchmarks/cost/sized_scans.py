"""Scans of many sizes, for timing: ``python -m benchmarks.cost.sized_scans {slices,rows} N FILE.nii.gz`` writes one."""

import sys
from pathlib import Path

import numpy as np

from benchmarks.cost.scans import NOISE, resampled, stretched
from benchmarks.sources import DATA_TEST
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.nifti import write_volume
from deepspine_sct.image.volume import Volume


def of_slices(n: int) -> tuple[np.ndarray, tuple[float, float, float]]:
    """Return a neck of n slices of 320 x 320 voxels of 0.8 mm."""
    zooms_mm = (0.8, 0.8, 0.8)
    return stretched(DATA_TEST / "t2_sim.nii.gz", (n, 320, 320), zooms_mm), zooms_mm


def of_rows(n: int) -> tuple[np.ndarray, tuple[float, float, float]]:
    """Return 20 slices of n rows of 0.7 mm: a neck above a lumbar spine, stretched where the rows do not suffice."""
    zooms_mm = (3.3, 0.7, 0.7)
    parts = [stretched(DATA_TEST / f"{name}.nii.gz", (20, 512, 512), zooms_mm) for name in ("t2_sim", "t2_lumbar_sim")]
    whole = np.concatenate(parts, axis=1)
    if n <= whole.shape[1]:
        first = max(0, (parts[0].shape[1] - n) // 2)  # around the middle of the neck
        return whole[:, first : first + n], zooms_mm
    return resampled(whole, 1, n, whole.shape[1] / n), zooms_mm


def main() -> int:
    """Write the scan that the arguments name."""
    kind, n, path = sys.argv[1:]
    data, zooms_mm = {"slices": of_slices, "rows": of_rows}[kind](int(n))
    data = np.abs(data + np.random.default_rng(0).normal(0, NOISE, data.shape))
    write_volume(Path(path), Volume(np.rint(data).astype(np.int16), Grid.sagittal(data.shape, zooms_mm)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
