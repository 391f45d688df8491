"""Straightening through SCT: the network sees a straight spine, and its discs go back where they were.

SCT straightens along the spinal cord and writes two displacement fields. Discs are found in the
straight image and carried back through the field itself, point by point. SCT's own way back, which
dilates every label and rounds it to voxels, moves labels that are close together.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..files.atomic import atomic_path
from ..image.displacement_field import Field, read_field
from ..image.grid import UPRIGHT, Grid
from ..image.nifti import read_volume
from ..image.straight import carry
from ..image.volume import Volume
from .environment import run_command, sct_version

CACHE_NAME = "straightening.cache"
STRAIGHT_NAME = "straight_ref.nii.gz"
TO_CURVED_NAME = "warp_curve2straight.nii.gz"
TO_STRAIGHT_NAME = "warp_straight2curve.nii.gz"

HALF_WIDTH_MM = 70
"""Reach of the straight image to each side of its middle. SCT's own 35 mm cut off most of what lies in
front of the spine; the network has never seen a picture so narrow."""

_SLACK_VOXELS = 4
"""SCT cuts up to three voxels more from an image that is narrower than what is asked for."""


@dataclass(frozen=True)
class Straightened:
    """A straight image and the way from and to the one it was made of.

    Attributes
    ----------
    image : Volume
        The straight image.
    to_curved, to_straight : Field
        Displacements from the straight image and from the original one. SCT names a field after
        the image that it makes, a field of displacements points the other way.
    """

    image: Volume
    to_curved: Field
    to_straight: Field

    def to_scan(self, points_xyz: np.ndarray) -> np.ndarray:
        """Carry world points (n, 3) back into the original image; NaN where SCT has no way."""
        return self.to_curved.move(points_xyz)

    def from_scan(self, points_xyz: np.ndarray) -> np.ndarray:
        """Carry world points (n, 3) of the original image here; NaN where SCT has no way."""
        return self.to_straight.move(points_xyz)

    def straighten(self, points: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
        """Carry named points (3,) of the original image here; those without a way are left out."""
        return carry(self.from_scan, points, strict=False)


def straighten(image: Path, cord: Path, work: Path, caches: Sequence[Path]) -> Straightened:
    """Straighten an image along its cord, or take what SCT or an earlier run has left.

    Parameters
    ----------
    image, cord : Path
        The image and the segmentation of its cord, absolute.
    work : Path
        Folder for temporary files.
    caches : sequence of Path
        Folders to look for a valid ``straightening.cache`` in, whose straight image is as wide as
        ours would be. The straightening is left in the last one for SCT's next command, as
        `sct_label_vertebrae` does.

    Returns
    -------
    Straightened

    Raises
    ------
    DeepspineError
        When SCT is not found or fails, or one of its files cannot be read or written.
    """
    signature = cache_signature([image, cord], sct_version(work))
    scan = read_volume(image, lazy=True).grid
    for folder in caches:
        if is_valid_cache(folder, signature):
            known = read_straightened(folder)
            if is_wide_enough(known.image.grid, scan):
                return known
    arguments: list[str | Path] = ["-i", image, "-s", cord, "-ofolder", work, "-xy-size", str(HALF_WIDTH_MM), "-v", "0"]
    run_command("sct_straighten_spinalcord", arguments, work)
    straightened = read_straightened(work)
    # The signature last: without it the others count as absent.
    for name in (STRAIGHT_NAME, TO_CURVED_NAME, TO_STRAIGHT_NAME):
        with atomic_path(caches[-1] / name) as path:
            shutil.copyfile(work / name, path)
    with atomic_path(caches[-1] / CACHE_NAME) as path:
        path.write_bytes(signature)
    return straightened


def read_straightened(folder: Path) -> Straightened:
    """Read what SCT's straightening left in a folder.

    Raises
    ------
    DeepspineError
        When a file of it is missing or unreadable.
    """
    return Straightened(
        read_volume(folder / STRAIGHT_NAME),
        read_field(folder / TO_CURVED_NAME),
        read_field(folder / TO_STRAIGHT_NAME),
    )


def is_valid_cache(folder: Path, signature: bytes) -> bool:
    """Tell whether a folder holds the straightening of just these inputs by just this SCT."""
    cache = folder / CACHE_NAME
    names = (STRAIGHT_NAME, TO_CURVED_NAME, TO_STRAIGHT_NAME)
    return cache.is_file() and cache.read_bytes() == signature and all((folder / name).is_file() for name in names)


def is_wide_enough(straight: Grid, scan: Grid) -> bool:
    """Tell whether a straight image shows what `HALF_WIDTH_MM` asks for, or all that the scan holds.

    SCT's signature knows nothing of the width, and its other commands straighten with half of ours.
    """
    upright = [grid.reoriented(UPRIGHT) for grid in (straight, scan)]
    shown_mm, held_mm = ((grid.shape * grid.zooms_mm)[:2] for grid in upright)
    slack_mm = _SLACK_VOXELS * upright[0].zooms_mm[:2]
    return bool((shown_mm + slack_mm >= np.minimum(held_mm, 2 * HALF_WIDTH_MM)).all())


def cache_signature(inputs: Sequence[Path], version: str) -> bytes:
    """Compute the content of SCT's ``straightening.cache``.

    Parameters
    ----------
    inputs : sequence of Path
        The image and the segmentation.
    version : str
        Version of SCT.

    Returns
    -------
    bytes
        Two lines, the second with the MD5 digest of the files and the version.
    """
    digest = hashlib.md5(usedforsecurity=False)
    for path in inputs:
        digest.update(path.read_bytes())
    for word in ("version", version):
        digest.update(f"{type(word)}{word}".encode())
    return f"# Cache file generated by SCT\nDEPENDENCIES_SIG={digest.hexdigest()}\n".encode()
