"""A scan with discs at known voxels and a predictor that knows them: no network needed."""

from pathlib import Path

import nibabel as nib
import numpy as np

from deepspine_sct.anatomy import DISC_VALUES
from deepspine_sct.caution import Caution
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.labeling.discs import Disc, Labeling
from deepspine_sct.labeling.predictor import Result
from deepspine_sct.model.output import Prediction

SHAPE = (30, 44, 9)
"""Voxels of the scan: head to foot, back to front and right to left, all of different length."""

VOXELS = {3: (4, 20, 5), 4: (9, 19, 5), 5: (14, 19, 4), 6: (19, 20, 4), 7: (25, 22, 3)}
"""Voxel of each disc in the scan's own order."""

SPACE_CODE = 2
"""NIfTI code of the scan's coordinate system: aligned to another scan."""


def oblique_affine() -> np.ndarray:
    """Voxel to world of the scan: axes run I, A and L, tilted by 12 degrees, 3 x 1.5 x 2 mm."""
    axes = np.array([[0, 0, -1], [0, 1, 0], [-1, 0, 0]], dtype=float)
    angle = np.deg2rad(12)
    tilt = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine = np.eye(4)
    affine[:3, :3] = tilt @ axes @ np.diag([3.0, 1.5, 2.0])
    affine[:3, 3] = (7.0, -31.0, 52.0)
    return affine


def world(ijk) -> np.ndarray:
    """Place a voxel of the scan in the world [mm], without the code under test."""
    return (oblique_affine() @ [*ijk, 1])[:3]


def write_scan(path: Path) -> Path:
    """Write the scan: noise, with the header that all tests expect."""
    data = np.random.default_rng(0).normal(100, 20, SHAPE).astype(np.float32)
    image = nib.Nifti1Image(data, oblique_affine())
    image.set_sform(oblique_affine(), SPACE_CODE)
    image.set_qform(oblique_affine(), SPACE_CODE)
    nib.save(image, path)
    return path


def known_discs(voxels=None, confidence=0.97) -> list[Disc]:
    """Make a disc at the centre of each voxel."""
    voxels = VOXELS if voxels is None else voxels
    return [Disc(value, world(ijk), confidence) for value, ijk in voxels.items()]


class FakePredictor:
    """Answers every scan with the discs it was given, and notes what it was asked."""

    checksum = "5f" * 32

    def __init__(self, discs: list[Disc], warnings: tuple[str, ...] = ()) -> None:
        self.labeling = Labeling(discs, 0.93, np.inf, [Caution("disc_missing", text) for text in warnings])
        self.calls = []

    def predict(self, volume, *, threshold=None, values=None, pins=None, height=None):
        """Note the request; `Predictor.predict` documents it."""
        request = {"threshold": threshold, "values": values, "pins": pins, "height": height}
        self.calls.append(request)
        slabs = canonical(volume)
        shape = slabs.grid.shape
        maps = np.zeros((3, *shape), dtype=np.float32)
        heatmaps = np.zeros((shape[0], len(DISC_VALUES), *shape[1:]), dtype=np.float32)
        prediction = Prediction(heatmaps, maps[0], maps[1], slabs.grid)
        return Result(self.labeling, slabs, prediction, {"network": 0.25})
