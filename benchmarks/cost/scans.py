"""Scans of the sizes that users have, for timing: those of ``data_test`` stretched, so that the command has work.

``python -m benchmarks.cost.scans FOLDER`` writes them. They are no anatomy to judge accuracy on.
"""

import sys
from pathlib import Path

import numpy as np

from benchmarks.sources import DATA_TEST
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.nifti import read_volume, write_volume
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.image.volume import Volume, reorient

# name: shape left to right, top to bottom, front to back; zooms [mm]; orientation of the file; what is stacked
SCANS = {
    "cervical": ((64, 320, 320), (0.8, 0.8, 0.8), ("R", "P", "I"), ("t2_sim",)),
    "head": ((192, 320, 256), (1.0, 1.0, 1.0), ("R", "A", "S"), ("t1_sim",)),
    "whole_spine": ((20, 1024, 512), (3.3, 0.7, 0.7), ("A", "I", "L"), ("t2_sim", "t2_lumbar_sim")),
}
FADE_MM = 4.0  # beside a source, 32 mm wide, its anatomy fades out into noise over this width
NOISE = 8.0  # real scans do not compress well either


def resampled(data: np.ndarray, axis: int, n: int, ratio: float) -> np.ndarray:
    """Interpolate linearly at n places ``ratio`` voxels apart around the middle; the border goes on."""
    last = data.shape[axis] - 1
    places = np.clip((np.arange(n) - (n - 1) / 2) * ratio + last / 2, 0, last)
    low = np.minimum(places.astype(int), max(last - 1, 0))
    share = np.expand_dims(places - low, [other for other in range(3) if other != axis])
    above = np.minimum(low + 1, last)
    return data.take(low, axis) * (1 - share) + data.take(above, axis) * share


def stretched(source: Path, shape: tuple[int, int, int], zooms_mm: tuple[float, ...]) -> np.ndarray:
    """Return a source's image on another lattice around its centre."""
    volume = canonical(read_volume(source))
    data = volume.data
    for axis, n in enumerate(shape):
        data = resampled(data, axis, n, zooms_mm[axis] / volume.grid.zooms_mm[axis])
    beside_mm = np.abs(np.arange(shape[0]) - (shape[0] - 1) / 2) * zooms_mm[0]
    beside_mm -= volume.grid.shape[0] * volume.grid.zooms_mm[0] / 2
    return data * np.clip(1 - beside_mm / FADE_MM, 0, 1)[:, None, None]


def write_scan(folder: Path, name: str) -> Path:
    """Write one of `SCANS` as int16 and return its path."""
    (n_slices, n_rows, n_columns), zooms_mm, codes, sources = SCANS[name]
    part = (n_slices, n_rows // len(sources), n_columns)
    parts = [stretched(DATA_TEST / f"{source}.nii.gz", part, zooms_mm) for source in sources]
    data = np.concatenate(parts, axis=1)
    data += np.random.default_rng(0).normal(0, NOISE, data.shape)
    volume = Volume(np.rint(np.abs(data)).astype(np.int16), Grid.sagittal(data.shape, zooms_mm))
    path = folder / f"{name}.nii.gz"
    write_volume(path, reorient(volume, codes))
    return path


if __name__ == "__main__":
    for scan_name in SCANS:
        print(write_scan(Path(sys.argv[1]), scan_name))
