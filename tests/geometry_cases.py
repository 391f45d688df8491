"""Geometries that every geometry test runs on: 48 orientations of six kinds of scan."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations, product

import nibabel as nib
import numpy as np


def _signed_permutations():
    """(3, 3) matrices from voxel axes to world axes, one for each of the 48 orientations."""
    for order in permutations(range(3)):
        for signs in product((1, -1), repeat=3):
            yield np.eye(3)[:, order] * signs


ORIENTATIONS = {
    "".join(nib.aff2axcodes(np.block([[m, np.zeros((3, 1))], [np.zeros((1, 3)), 1.0]]))): m
    for m in _signed_permutations()
}


def rotation(*angles_deg: float) -> np.ndarray:
    """(3, 3) rotation about x, then y, then z."""
    matrix = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(angles_deg)):
        turn = np.eye(3)
        first, second = [other for other in range(3) if other != axis]
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[second, first] = np.sin(angle)
        turn[first, second] = -np.sin(angle)
        matrix = turn @ matrix
    return matrix


@dataclass(frozen=True)
class Scan:
    """A scan by its sides as they lie in the body: left-right, back-front, bottom-top."""

    shape_xyz: tuple[int, int, int]
    zooms_xyz_mm: tuple[float, float, float]
    tilt_deg: tuple[float, float, float] = (0, 0, 0)

    def stored(self, orientation: np.ndarray) -> tuple[tuple[int, int, int], np.ndarray]:
        """Shape and affine of the file when its axes are stored in an orientation."""
        shape = tuple(int(n) for n in np.abs(orientation).T @ self.shape_xyz)
        linear = rotation(*self.tilt_deg) @ np.diag(self.zooms_xyz_mm) @ orientation
        affine = np.eye(4)
        affine[:3, :3] = linear
        affine[:3, 3] = np.array([3.25, -41.5, 17.0]) - linear @ (np.array(shape) - 1) / 2
        return shape, affine


SCANS = {
    "isotropic": Scan((19, 30, 37), (1, 1, 1)),
    "anisotropic": Scan((17, 40, 42), (1.3, 0.7, 0.9)),
    "oblique": Scan((15, 33, 36), (1.2, 1.0, 0.9), tilt_deg=(14, -11, 17)),
    "thick sagittal": Scan((5, 37, 46), (4.4, 0.8, 0.8)),
    "thick axial": Scan((25, 36, 9), (0.9, 0.8, 5)),
    "one slice": Scan((1, 31, 44), (3, 1, 0.8)),
}
