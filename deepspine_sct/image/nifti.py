"""NIfTI files in and out: the only module that knows nibabel.

The header is judged before a voxel is read, so that a damaged or hostile file costs no memory.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from ..errors import DeepspineError
from ..files.atomic import atomic_path
from ..files.outputs import refuse_overwriting
from .ahead import ReadAhead
from .content import fault_of_content
from .disc_voxels import place_discs
from .grid import Grid
from .source import check_suffix, is_compressed, largest_content, open_source
from .volume import Volume
from .voxels import BLOCK_VOXELS, float_voxels, stored_voxels

MAX_VOXELS = 2**31
"""A larger image is refused: as float32 it would need more than 8 GiB."""

_HEADERS = (nib.Nifti1Header, nib.Nifti2Header)
_PLACE_FIELDS = (
    *("qform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
    *("sform_code", "srow_x", "srow_y", "srow_z", "xyzt_units"),
)
"""What a header says of where its voxels are, besides the voxel sizes."""

_REPAIRS = logging.getLogger(f"{__name__}.repairs")
_REPAIRS.addHandler(logging.NullHandler())  # nibabel reports its header repairs: not on our stderr
_REPAIRS.propagate = False


def read_volume(path: str | os.PathLike[str], *, lazy: bool = False, ahead: ReadAhead | None = None) -> Volume:
    """Read a three-dimensional image.

    Parameters
    ----------
    path : path
        NIfTI-1 or NIfTI-2 file, ``.nii`` or ``.nii.gz``. More than three dimensions are accepted
        when the further ones have length 1.
    lazy : bool
        Leave unscaled integers in the file's own type, and those of an uncompressed file on the
        disk until they are looked at.
    ahead : ReadAhead, optional
        Of this file, begun earlier to save time; nothing else changes.

    Returns
    -------
    Volume
        float32 data unless `lazy`, scaled where the header says so, with NaN and infinity set to
        0. The affine is the sform, else the qform, else the voxel sizes.

    Raises
    ------
    DeepspineError
        When the file is missing, unreadable, no 3-D scalar image, without a usable geometry, or
        shows nothing (constant or without a finite value).
    """
    volume = read_any(Path(path), lazy, ahead)
    if _is_constant(volume.data.reshape(-1, order="F")):
        raise DeepspineError(f"{path}: every voxel has the same value; give an image of a spine")
    return volume


def write_discs(
    path: str | os.PathLike[str],
    grid: Grid,
    points: Mapping[int, np.ndarray],
    like: str | os.PathLike[str] | None = None,
) -> dict[int, tuple[int, int, int]]:
    """Write one voxel per disc, valued with the disc value, on a given grid.

    A point up to half a voxel outside of the grid's faces goes to the nearest voxel; one farther
    out is left out. When two discs fall into one voxel the lower one moves down by one.

    Parameters
    ----------
    path : path
        ``.nii`` or ``.nii.gz`` file to create or replace, as a whole or not at all.
    grid : Grid
        Grid of the file; use the input image's own.
    points : mapping of int to (3,) array
        World RAS+ mm of each disc value.
    like : path, optional
        Image that the grid belongs to. Its description of where the voxels are is carried over as it
        stands: sform, qform, both codes, voxel sizes and units. Every program, whichever of them it
        reads, then sees the labels on the image.

    Returns
    -------
    dict of int to tuple of int
        Voxel of each disc that was written, superior to inferior.

    Raises
    ------
    NoDiscFound
        When no point is on the grid; no file is written.
    DeepspineError
        When a value is no disc, the voxels are too coarse to keep two discs apart, or the file
        cannot be written.
    """
    path = Path(path)
    check_suffix(path)
    voxels = place_discs(path, grid, points)
    data = np.zeros(grid.shape, dtype=np.uint8, order="F")  # as in the file: saves turning it
    for value, ijk in voxels.items():
        data[ijk] = value
    _save(path, data, grid, like)
    return voxels


def write_volume(path: str | os.PathLike[str], volume: Volume, like: str | os.PathLike[str] | None = None) -> None:
    """Write an image, its voxels in the type that they have in memory.

    Parameters
    ----------
    path : path
        ``.nii`` or ``.nii.gz`` file to create or replace, as a whole or not at all.
    volume : Volume
        Image to write.
    like : path, optional
        As in `write_discs`.

    Raises
    ------
    DeepspineError
        When the file cannot be written.
    """
    path = Path(path)
    check_suffix(path)
    _save(path, volume.data, volume.grid, like)


def _save(path: Path, data: np.ndarray, grid: Grid, like: str | os.PathLike[str] | None) -> None:
    """Write an array on a grid; see `write_discs` for `like`."""
    if like is not None:
        refuse_overwriting([path], [Path(like)])
    image = _image_of(data, grid) if like is None else _image_like(data, grid, Path(like))
    with atomic_path(path) as temporary:
        nib.save(image, temporary)


def _image_of(data: np.ndarray, grid: Grid) -> nib.Nifti1Image:
    """Image whose two transforms are the grid's."""
    nifti = nib.Nifti1Image if max(grid.shape) < 2**15 else nib.Nifti2Image
    image = nifti(data, grid.affine)
    image.header.set_xyzt_units("mm")
    image.set_sform(grid.affine, 1)
    image.set_qform(grid.affine, 1)
    if disagreement(grid, image.get_qform()) > 0.1:
        image.set_qform(None, 0)  # a quaternion cannot shear; better none than a wrong one
    return image


def _image_like(data: np.ndarray, grid: Grid, like: Path) -> nib.Nifti1Image:
    """Image whose header says of the voxels' places what another one's says, contradictions included."""
    theirs = read_raw_header(like)
    with refusing(like):
        same_grid = grid.shape == theirs.get_data_shape()[:3] and np.allclose(
            read_header(like).get_best_affine(), grid.affine, rtol=1e-4, atol=1e-4
        )
    if not same_grid:
        raise ValueError(f"{like} has another grid than what is written like it")
    nifti = nib.Nifti2Image if isinstance(theirs, nib.Nifti2Header) else nib.Nifti1Image
    image = nifti(data, None)  # with an affine nibabel would write it over both transforms
    for name in _PLACE_FIELDS:  # only now, as a header that is handed over is repaired first
        image.header[name] = theirs[name]
    image.header["pixdim"][:4] = theirs["pixdim"][:4]  # the sign of the quaternion, and the voxel sizes
    return image


def disagreement(grid: Grid, affine: np.ndarray) -> float:
    """How far [voxels] an affine puts a corner of the grid from its place, at most."""
    corners_mm = grid.corners_ijk @ affine[:3, :3].T + affine[:3, 3]
    return float(np.abs(grid.to_index(corners_mm) - grid.corners_ijk).max())


def read_grid(path: Path) -> Grid:
    """Where the voxels of an image lie, from its header alone."""
    header = read_header(path)
    with refusing(path):
        return Grid(_spatial_shape(path, header), header.get_best_affine())


def read_any(path: Path, lazy: bool = False, ahead: ReadAhead | None = None) -> Volume:
    """Any finite 3-D image; see `read_volume` for `lazy`, `ahead` and for what is refused."""
    header = read_header(path)
    shape = _spatial_shape(path, header)
    with refusing(path):
        grid = Grid(shape, header.get_best_affine())
        slope, intercept = header.get_slope_inter()
    if lazy and (slope, intercept) in ((None, None), (1, 0)):
        data = stored_voxels(path, header, ahead)
    else:
        data = float_voxels(path, header, slope, intercept, ahead)
    return Volume(data.reshape(shape, order="F"), grid)


def _is_constant(voxels: np.ndarray) -> bool:
    """Whether (n,) voxels are all the same; looks at no more of them than it must."""
    starts = range(0, voxels.size, BLOCK_VOXELS)
    return all((voxels[start : start + BLOCK_VOXELS] == voxels[0]).all() for start in starts)


def read_raw_header(path: Path) -> Any:
    """Header as it stands in the file; refuses what is no NIfTI."""
    with open_source(path) as stream:
        start = stream.read(max(kind.sizeof_hdr for kind in _HEADERS))
    kind = next((kind for kind in _HEADERS if kind.may_contain_header(start)), None)
    if kind is None:
        raise DeepspineError(f"{path}: {_fault_inside(path, start)}")
    with refusing(path):
        return kind(start[: kind.sizeof_hdr], check=False)


def _fault_inside(path: Path, start: bytes) -> str:
    """Say what a file is whose content, once decompressed, is no NIfTI."""
    if is_compressed(path) and start.startswith(b"\x1f\x8b"):
        return "is compressed twice; unpack it once (gunzip)"
    fault = fault_of_content(path.with_suffix(""), start) if is_compressed(path) else ""
    return fault or "is not a NIfTI file; convert the image to NIfTI"


def read_header(path: Path) -> Any:
    """Header with its harmless faults repaired; refuses what has no image behind it."""
    header = read_raw_header(path)
    with refusing(path):
        # Before the repair, which would turn a missing voxel size into 1 mm.
        if header["sform_code"] == 0 and not header["pixdim"][1:4].all():
            raise DeepspineError(f"{path}: has a voxel size of zero; export it again")
        header.check_fix(logger=_REPAIRS)
    return header


def _spatial_shape(path: Path, header: Any) -> tuple[int, ...]:
    """Shape of the one 3-D scalar image behind a header, or a refusal."""
    with refusing(path):
        shape = tuple(int(n) for n in header.get_data_shape())
        dtype = header.get_data_dtype()
        offset = header.get_data_offset()
        n_bytes = offset + prod(shape) * dtype.itemsize
    if dtype.kind not in "iuf":
        fault = "has colour or complex voxels; give a scalar image"
    elif len(shape) < 3:
        fault = f"has {len(shape)} dimensions; give a 3-D image"
    elif min(shape) < 1:
        fault = f"holds no voxel, its shape is {shape}; export it again"
    elif prod(shape[3:]) > 1:
        fault = f"has {prod(shape[3:])} volumes; extract one of them"
    elif prod(shape) > MAX_VOXELS:
        fault = f"has {prod(shape)} voxels, more than {MAX_VOXELS}; crop it"
    elif offset < header.sizeof_hdr:  # nibabel takes 0, and the header itself for voxels
        fault = f"says that its voxels begin within its header, at byte {offset}; export it again"
    elif n_bytes > largest_content(path):
        fault = f"is too short a file for its shape {shape}; copy it again"
    else:
        return shape[:3]
    raise DeepspineError(f"{path}: {fault}")


@contextmanager
def refusing(path: Path) -> Iterator[None]:
    """Turn nibabel's complaints about a header into one line that names the file."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # absurd numbers are refused below
            yield
    except (HeaderDataError, ValueError, OverflowError) as error:
        raise DeepspineError(f"{path}: unusable header ({error}); export it again") from error
