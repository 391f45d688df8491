"""A made-up lumbar subject: a straight canal, vertebrae in front of it and discs at known places.

The canal is a cylinder, upright or tilted backwards on its way down. Along it, counted from its upper end, lie the
discs as the template has them, `SIZE` times as far apart.
"""

from pathlib import Path

import nibabel as nib
import numpy as np

from deepspine_sct.anatomy import LEVEL_MM

VALUES = range(19, 26)
"""Discs of the phantom, T11/T12 to L5/S1."""

SIZE = 0.9
TIP_FRONT_MM = 9.0  # posterior tips, in front of the canal's middle
CANAL_RADIUS_MM = 7.0
BODY_DEPTH_MM = 28.0
DISC_HALF_MM = 4.0  # half the height of a disc
HOOK_BELOW_MM = 20.0  # the hooked canal turns forwards so far below L5/S1
REMNANT_BELOW_MM = (28.0, 34.0)  # where the scan shows a dark remnant of a sacral disc
BRIGHTNESS = {"canal": 200.0, "bone": 90.0, "disc": 50.0, "rest": 60.0, "remnant": 15.0}

_SHAPE, _ZOOMS_MM = (9, 80, 150), (3.0, 2.0, 2.0)  # right, front, up
_TOP_YZ_MM = (95.0, 290.0)  # of the canal's upper end


def along_mm(value: int) -> float:
    """How far below the canal's upper end a disc lies, along the canal."""
    return 25.0 + SIZE * float(LEVEL_MM[VALUES[0] - 1] - LEVEL_MM[value - 1])


def place_mm(along, front, tilt_deg: float) -> np.ndarray:
    """World (..., 3) of points so far along the canal and so far in front of its middle."""
    tilt = np.radians(tilt_deg)
    y_mm = _TOP_YZ_MM[0] - np.sin(tilt) * along + np.cos(tilt) * front
    z_mm = _TOP_YZ_MM[1] - np.cos(tilt) * along - np.sin(tilt) * front
    return np.stack([np.full_like(y_mm, _ZOOMS_MM[0] * (_SHAPE[0] // 2)), y_mm, z_mm], -1)


def coordinates_mm(xyz_mm: np.ndarray, tilt_deg: float) -> tuple[np.ndarray, np.ndarray]:
    """How far world points (..., 3) lie along the canal and in front of its middle; the inverse of `place_mm`."""
    tilt = np.radians(tilt_deg)
    y_mm, z_mm = xyz_mm[..., 1] - _TOP_YZ_MM[0], xyz_mm[..., 2] - _TOP_YZ_MM[1]
    return -np.sin(tilt) * y_mm - np.cos(tilt) * z_mm, np.cos(tilt) * y_mm - np.sin(tilt) * z_mm


def write_subject(folder: Path, name: str, tilt_deg: float = 0.0, hooked: bool = False) -> Path:
    """Write scan, tissues and discs of one subject; return the path of the scan."""
    xyz_mm = np.moveaxis(np.indices(_SHAPE), 0, -1) * _ZOOMS_MM
    along, front = coordinates_mm(xyz_mm, tilt_deg)
    aside_mm = xyz_mm[..., 0] - _ZOOMS_MM[0] * (_SHAPE[0] // 2)
    end_mm, beyond_mm = along_mm(VALUES[-1]), along - along_mm(VALUES[-1])
    middle = np.clip(beyond_mm - HOOK_BELOW_MM, 0, None) if hooked else 0.0  # at 45 degrees to the front
    canal = np.hypot(front - middle, aside_mm) < CANAL_RADIUS_MM
    canal &= (along > 0) & (beyond_mm < 50.0)
    body = (front > TIP_FRONT_MM) & (front < TIP_FRONT_MM + BODY_DEPTH_MM)
    vertebra = body & (along > 0) & (along < end_mm)
    disc = body & np.any([np.abs(along - along_mm(v)) < DISC_HALF_MM for v in VALUES], axis=0)
    sacrum = body & (beyond_mm > DISC_HALF_MM)
    remnant = sacrum & (beyond_mm > REMNANT_BELOW_MM[0]) & (beyond_mm < REMNANT_BELOW_MM[1])
    kinds = {"bone": vertebra | sacrum, "disc": disc, "remnant": remnant, "canal": canal}
    scan = np.full(_SHAPE, BRIGHTNESS["rest"], np.float32)
    for kind, mask in kinds.items():
        scan[mask] = BRIGHTNESS[kind]
    scan += np.random.default_rng(0).normal(0, 2, _SHAPE).astype(np.float32)
    tissue = np.select([canal, disc, vertebra], [3, 2, 1], 0).astype(np.uint8)
    discs = np.zeros(_SHAPE, np.uint8)
    for value in VALUES:
        at = np.rint(place_mm(np.array(along_mm(value)), np.array(TIP_FRONT_MM), tilt_deg) / _ZOOMS_MM).astype(int)
        discs[tuple(at)] = value
    folder.mkdir(parents=True, exist_ok=True)
    for part, data in (("T2w", scan), ("tissue", tissue), ("discs", discs)):
        nib.save(nib.Nifti1Image(data, np.diag([*_ZOOMS_MM, 1.0])), folder / f"{name}_{part}.nii.gz")
    return folder / f"{name}_T2w.nii.gz"
