"""What a header says of where its voxels are, wherever it says two things, and who believes which.

A NIfTI header can hold an affine (sform), a rotation with an offset (qform) and voxel sizes (pixdim).
nibabel, and with it SCT and this package, takes the sform, else the qform. ITK, and with it ANTs,
ITK-SNAP and 3D Slicer, takes the sform where its code is 1 or there is no qform, else the qform, and
the voxel sizes always from pixdim (measured with ITK 5.4; `tests/test_geometry_readers.py`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..caution import Caution
from ..errors import DeepspineError
from .grid import Grid
from .nifti import disagreement, read_header, refusing

_TOLERANCE = 0.5  # voxels: beyond that a disc falls into another voxel
_SHEAR = 2e-4  # cosine between two axes: ITK 5.4 reads 1e-4 and refuses 5e-4
_SCANNER_CODE = 1
_OURS = "SCT and this program use the sform"
_THEIRS = "ITK-based programs (ANTs, ITK-SNAP, 3D Slicer)"
_BOTH = "the label file repeats both, so labels and image lie on each other in either case; check the discs by eye"
_UNITS = {1: "metres", 3: "micrometres"}  # NIfTI's codes of lengths, but for that of millimetres


def geometry_warnings(path: str | os.PathLike[str]) -> list[Caution]:
    """Name what a header says twice, differently, and what each family of programs will do.

    Parameters
    ----------
    path : path
        Image that `nifti.read_volume` reads.

    Returns
    -------
    list of Caution
        A sentence for each contradiction.
    """
    return _about_header(Path(path), read_header(Path(path)))


def geometry_warnings_of(image: Any) -> list[Caution]:
    """Name the same of an image in memory, such as nibabel's; of one without a NIfTI header there is nothing to say."""
    header: Any = getattr(image, "header", None)
    if not hasattr(header, "keys") or "sform_code" not in header.keys():  # noqa: SIM118 - no dict
        return []
    return _about_header(Path("the image"), header)


def _about_header(path: Path, header: Any) -> list[Caution]:
    with refusing(path):
        shape = tuple(int(n) for n in header.get_data_shape()[:3])
        used = Grid(shape, header.get_best_affine())
    return [*_transforms(path, header, used), *_sizes(header, used), *_shear(header, used), *_units(header)]


def _transforms(path: Path, header: Any, used: Grid) -> Iterator[Caution]:
    """Say where the sform and the qform differ, or that there is neither."""
    s_code, q_code = int(header["sform_code"]), int(header["qform_code"])
    if s_code == q_code == 0:
        yield Caution(
            "no_geometry",
            "the header does not say where the voxels are (sform and qform have code 0): SCT and this program assume"
            f" the orientation {''.join(used.axcodes)}, {_THEIRS} assume LPS; check left, right, front and back by eye",
        )
    if s_code == 0 or q_code == 0:
        return
    try:
        with refusing(path):
            other = Grid(used.shape, header.get_qform())
    except DeepspineError:
        return  # a qform without a rotation, which no program can follow
    apart = disagreement(used, other.affine)
    if apart <= _TOLERANCE:
        return
    said, named = ("".join(grid.axcodes) for grid in (used, other))
    apart_mm = np.linalg.norm(used.to_world(used.corners_ijk) - other.to_world(used.corners_ijk), axis=1).max()
    how = f"sform {said}, qform {named}" if said != named else f"up to {apart_mm:.0f} mm apart"
    theirs = "use it too" if s_code == _SCANNER_CODE else "use the qform"
    yield Caution(
        "two_geometries",
        f"the header holds two geometries, sform (code {s_code}) and qform (code {q_code}), that contradict each other"
        f" ({how}): {_OURS}, {_THEIRS} {theirs}; {_BOTH}",
    )


def _sizes(header: Any, used: Grid) -> Iterator[Caution]:
    """Say where the voxel sizes are not those of the sform."""
    sizes_mm = np.abs(np.array(header["pixdim"][1:4], dtype=float))
    with np.errstate(invalid="ignore", over="ignore"):
        off = np.abs(sizes_mm / used.zooms_mm - 1) * np.maximum(np.array(used.shape) - 1, 1)
    if header["sform_code"] == 0 or (off <= _TOLERANCE).all():
        return
    said, other = (" x ".join(f"{mm:.3g}" for mm in sizes) for sizes in (used.zooms_mm, sizes_mm))
    yield Caution(
        "voxel_sizes_contradict",
        f"the voxel sizes of the header, {other} mm, contradict its sform, {said} mm: {_OURS}, {_THEIRS} use"
        f" the voxel sizes; {_BOTH}",
    )


def _shear(header: Any, used: Grid) -> Iterator[Caution]:
    """Say that the axes are not at right angles, where the program in question has no qform to turn to."""
    axes = used.affine[:3, :3] / used.zooms_mm
    follows_sform = header["qform_code"] == 0 or header["sform_code"] == _SCANNER_CODE
    if header["sform_code"] > 0 and follows_sform and np.abs(axes.T @ axes - np.eye(3)).max() > _SHEAR:
        yield Caution(
            "sheared",
            f"the axes of the image are not at right angles: {_THEIRS} may refuse the image and its label file",
        )


def _units(header: Any) -> Iterator[Caution]:
    """Say that lengths are not in millimetres, as all but ITK take them to be."""
    named = _UNITS.get(int(header["xyzt_units"]) & 7)
    if named:
        yield Caution(
            "length_units",
            f"the header gives its lengths in {named}: SCT and this program read them as millimetres, {_THEIRS} convert"
            " them; correct the header",
        )
