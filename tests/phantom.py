"""A small labelled data set without a simulator: noise with a bright spot at every disc."""

from pathlib import Path

import nibabel as nib
import numpy as np

SHAPE = (7, 44, 60)
"""Voxels: right to left, back to front, bottom to top."""

ZOOMS_MM = (4.0, 2.0, 2.0)
SPACING_MM = 16.0
"""From disc to disc, along the spine."""


def affine() -> np.ndarray:
    """Voxel to world of every scan of the data set."""
    matrix = np.diag([*ZOOMS_MM, 1.0])
    matrix[:3, 3] = (-10.0, -60.0, -70.0)
    return matrix


def discs(first: int = 3, n: int = 5, drift_mm: float = 0.0) -> dict[int, np.ndarray]:
    """True discs of a scan, at voxel centres, leaning backwards on their way down."""
    top = np.array([2.0, -10.0, 30.0 + drift_mm])
    return {first + i: top + i * np.array([0, -2.0, -SPACING_MM]) for i in range(n)}


def voxel(xyz_mm: np.ndarray) -> tuple[int, int, int]:
    """Voxel of a world point."""
    ijk = np.linalg.inv(affine()) @ [*xyz_mm, 1.0]
    return tuple(np.rint(ijk[:3]).astype(int).tolist())


def image(points: dict[int, np.ndarray], seed: int = 0) -> np.ndarray:
    """Noise with a Gaussian of 4 mm at every disc, brighter from disc to disc."""
    data = np.random.default_rng(seed).normal(100, 2, SHAPE)
    at_mm = np.moveaxis(np.indices(SHAPE), 0, -1) * ZOOMS_MM
    for value, xyz_mm in points.items():
        away_mm = np.linalg.norm(at_mm - np.array(voxel(xyz_mm)) * ZOOMS_MM, axis=-1)
        data += (60 + 12 * value) * np.exp(-0.5 * (away_mm / 4) ** 2)
    return data.astype(np.float32)


def labels(points: dict[int, np.ndarray]) -> np.ndarray:
    """One voxel a disc."""
    data = np.zeros(SHAPE, np.uint8)
    for value, xyz_mm in points.items():
        data[voxel(xyz_mm)] = value
    return data


def save(path: Path, data: np.ndarray) -> Path:
    """Write voxels of the data set's geometry."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data, affine()), path)
    return path


def write_bids(root: Path, subjects=("sub-aa01", "sub-aa02", "sub-bb01"), contrasts=("T1w", "T2w")):
    """Write a BIDS data set with labels as spine-generic has them; return its root."""
    for n, subject in enumerate(subjects):
        points = discs(drift_mm=2.0 * (n % 3))
        for m, contrast in enumerate(contrasts):
            name = f"{subject}_{contrast}"
            save(root / subject / "anat" / f"{name}.nii.gz", image(points, seed=2 * n + m))
            folder = root / "derivatives" / "labels" / subject / "anat"
            save(folder / f"{name}_label-discs_dlabel.nii.gz", labels(points))
    return root
