"""The good scans that every case of `make fuzz` begins with."""

import gzip
from dataclasses import dataclass

import numpy as np

from benchmarks.sources import DATA_TEST, REAL
from deepspine_sct.image.labels import read_labels
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.image.volume import Volume

REAL_SCANS = ("slices/sub-brnoUhb01_T1w", "slices/sub-ucl01_T2w", "slices/sub-vallHebron01_T2w", "volumes/sct_t2",
              "volumes/sct_t1", "volumes/t1_sg_1")  # fmt: skip


@dataclass(frozen=True)
class Base:
    """A small scan that the network labels well."""

    volume: Volume
    points: dict[int, np.ndarray]
    """True discs [mm]."""
    files: tuple[bytes, ...]
    """Whole scans as other programs wrote them; the demo scans where there are no real ones."""


def load_base() -> Base:
    """Crop and coarsen a scan of ``data_test``, so that a case takes a fraction of a second."""
    volume = canonical(read_volume(DATA_TEST / "t2_sim.nii.gz"))
    truth = read_labels(DATA_TEST / "t2_sim_labels.nii.gz")
    middle = np.rint(volume.grid.to_index(truth[5])).astype(int)
    low = np.maximum(middle - (2, 44, 30), 0)
    data = volume.data[low[0] : low[0] + 5, low[1] : low[1] + 88, low[2] : low[2] + 60]
    n, h, w = data.shape
    data = data.reshape(n, h // 2, 2, w // 2, 2).mean(axis=(2, 4))
    affine = volume.grid.affine @ np.diag([1, 2, 2, 1.0])
    affine[:3, 3] = volume.grid.to_world(low + (0, 0.5, 0.5))
    grid = type(volume.grid)(data.shape, affine)
    points = {v: xyz for v, xyz in truth.items() if grid.contains(grid.to_index(xyz))}
    paths = [path for name in REAL_SCANS if (path := REAL / f"{name}.nii.gz").exists()]
    files = tuple(gzip.decompress(path.read_bytes()) for path in paths or sorted(DATA_TEST.glob("*_sim.nii.gz")))
    return Base(Volume(np.rint(data).astype(np.int16), grid), points, files)
