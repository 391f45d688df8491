"""A BIDS data set of simulated scans, as large as real ones, with ten scans that are broken.

Subjects come in four kinds: without session; with two sessions; with a session and two runs; and
with `acq-` in the name, not gzipped. The true discs lie under ``derivatives/labels``.
"""

import gzip
import json
import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import nibabel as nib
import numpy as np
from scipy import ndimage

from deepspine_sct.data.bids import CONTRASTS, LABEL_FOLDER, LABEL_SUFFIXES
from deepspine_sct.image.nifti import write_discs, write_volume
from deepspine_sct.image.volume import Volume, reorient
from deepspine_sct.simulation.atlas import Atlas
from deepspine_sct.simulation.demo_bids import is_visible
from deepspine_sct.simulation.simulated_scan import VolumeSpec, simulate_volume

SIZES = {
    "full": ((16, 160, 160), (3.2, 1.6, 1.6), (4, 2, 2)),  # 64 x 320 x 320 at 0.8 mm, as spine-generic
    "small": ((12, 128, 112), (4.0, 2.0, 2.0), (1, 1, 1)),
}
"""Simulated shape and voxel size [mm], and by how much each axis is then divided."""

_FIRST_SEED, _REDRAWN = 6000, 20_000  # neither training nor the demonstration scans draw from these
_LEAST_DISCS = 8  # of fewer, none may be found
_NOISE_SD = 8.0  # of at most 2000: voxels that compress as those of a scanner do
_KINDS = (
    ("{s}/anat/{s}_T1w.nii.gz", "{s}/anat/{s}_T2w.nii.gz"),
    ("{s}/ses-01/anat/{s}_ses-01_T2w.nii.gz", "{s}/ses-02/anat/{s}_ses-02_T2w.nii.gz"),
    (
        "{s}/ses-01/anat/{s}_ses-01_run-1_T2w.nii.gz",
        "{s}/ses-01/anat/{s}_ses-01_run-2_T2w.nii.gz",
        "{s}/ses-01/anat/{s}_ses-01_acq-sag_T1w.nii.gz",
    ),
    ("{s}/anat/{s}_acq-sag_T2w.nii",),
)


def image_names(n: int) -> Iterator[str]:
    """Yield the paths of n images below the data set."""
    names = (name.format(s=f"sub-{number + 1:04d}") for number in range(n) for name in _KINDS[number % len(_KINDS)])
    for _, name in zip(range(n), names, strict=False):
        yield name


def write_data_set(atlas: Atlas, root: Path, n: int, size: str) -> dict[str, str]:
    """Write n images, ten of them broken; return the fault of each broken one by its path."""
    root.mkdir(parents=True)
    description = {"Name": "simulated spines", "BIDSVersion": "1.9.0", "DatasetType": "raw"}
    (root / "dataset_description.json").write_text(json.dumps(description))
    names = list(image_names(n))
    broken = dict(zip(names[:: max(1, n // len(FAULTS))], FAULTS, strict=False))
    names = [_renamed(name, broken) for name in names]
    broken = {_renamed(name, broken): fault for name, fault in broken.items()}
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        sidecar = path.with_name(f"{path.name.partition('.')[0]}.json")
        sidecar.write_text(json.dumps({"Manufacturer": "simulator"}))
        if name in broken:
            FAULTS[broken[name]](path)
        else:
            _write_scan(atlas, root, name, _FIRST_SEED + number, size)
    return broken


def _renamed(name: str, broken: dict[str, str]) -> str:
    """Give an image the ending that its fault needs: a vast file must not be gzipped, others must."""
    if name not in broken:
        return name
    stem, _, _ = name.partition(".")
    return stem + (".nii" if FAULTS[broken[name]] is _out_of_memory else ".nii.gz")


def _write_scan(atlas: Atlas, root: Path, name: str, seed: int, size: str) -> None:
    shape, zooms_mm, parts = SIZES[size]
    family = next(family for family, suffix in CONTRASTS.items() if f"_{suffix}." in name)
    centre_mm = 300.0 + seed * 37.0 % 130.0
    spec = VolumeSpec(family, shape, zooms_mm, centre_mm, tilt=0.02 * (-1) ** seed)
    for draw in count(seed, _REDRAWN):  # the black margin of some leaves hardly a disc
        coarse, points = simulate_volume(draw, atlas, spec)
        seen = {value: xyz_mm for value, xyz_mm in points.items() if is_visible(coarse, xyz_mm)}
        if len(seen) >= _LEAST_DISCS:
            break
    volume = reorient(_divided(coarse, parts, seed), ("R", "A", "S"))
    write_volume(root / name, volume)
    labels = root / LABEL_FOLDER / f"{name.partition('.')[0]}{LABEL_SUFFIXES[0]}.nii.gz"
    labels.parent.mkdir(parents=True, exist_ok=True)
    write_discs(labels, volume.grid, seen)


def _divided(volume: Volume, parts: tuple[int, int, int], seed: int) -> Volume:
    """Divide every voxel into parts, linearly, and add noise."""
    data = ndimage.zoom(volume.data.astype(np.float32), parts, order=1, mode="nearest", grid_mode=True)
    data += np.random.default_rng(seed).normal(0, _NOISE_SD, data.shape).astype(np.float32)
    grid = volume.grid.resampled(data.shape, volume.grid.zooms_mm / parts)
    return Volume(np.abs(data).astype(np.int16), grid)


def _save(path: Path, data: np.ndarray, zooms_mm=(1.0, 1.0, 1.0)) -> None:
    nib.save(nib.Nifti1Image(data, np.diag([*zooms_mm, 1.0])), path)


def _noise(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).normal(300, 60, shape).astype(np.int16)


def _truncated(path: Path) -> None:
    _save(path, _noise((40, 90, 80)))
    with open(path, "r+b") as stream:
        stream.truncate(path.stat().st_size // 2)


def _pointer(path: Path) -> None:
    path.symlink_to("../../.git/annex/objects/x1/2y/SHA256E-s1--abc.nii.gz/SHA256E-s1--abc.nii.gz")


def _out_of_memory(path: Path) -> None:
    """Write a file that is as large as it says, but takes no room on the disk: it is all holes."""
    shape = (860, 860, 1500)
    header = nib.Nifti1Header()
    header.set_data_dtype(np.float32)
    header.set_data_shape(shape)
    header.set_sform(np.diag([0.8, 0.8, 0.8, 1.0]), 1)
    header["magic"], header["vox_offset"] = b"n+1", 352
    with open(path, "wb") as stream:
        stream.write(header.binaryblock + bytes(4) + bytes(range(200)))  # not constant
        stream.truncate(352 + 4 * int(np.prod(shape)))


def _out_of_time(path: Path) -> None:
    """Write noise that fills the largest space a scan may: more than a hundred slabs of 1.5 m by 0.7 m."""
    _save(path, _noise((172, 172, 372)), (4.0, 4.0, 4.0))


FAULTS: dict[str, Callable[[Path], object]] = {
    "truncated": _truncated,
    "pointer": _pointer,
    "empty": lambda path: path.touch(),
    "four dimensions": lambda path: _save(path, _noise((20, 40, 40, 3))),
    "constant": lambda path: _save(path, np.full((40, 90, 80), 7, np.int16)),
    "axial": lambda path: _save(path, _noise((160, 160, 24)), (0.8, 0.8, 5.0)),
    "text": lambda path: path.write_bytes(gzip.compress(os.urandom(8192))),
    "memory": _out_of_memory,
    "time": _out_of_time,
    "no spine": lambda path: _save(path, _noise((40, 90, 80))),
}
"""What is wrong, and how to write such a file."""

REASONS = {
    "truncated": ("failed", "truncated gzip"),
    "pointer": ("skipped", "git annex get"),
    "empty": ("failed", "is empty"),
    "four dimensions": ("failed", "has 3 volumes"),
    "constant": ("failed", "every voxel has the same value"),
    "axial": ("skipped", "axial scan"),
    "text": ("failed", "is not a NIfTI file"),
    "memory": ("failed", "needs more memory"),
    "time": ("failed", "took longer than"),
    "no spine": ("failed", "no disc was found"),
}
"""Outcome of each fault, and words of the reason that must be given."""
