"""SPIDER (van der Graaf et al. 2024) as its archive is: `lumbar/`, scans with their tissues and discs.

The archive holds ``images/ID_t2_SPACE.mha`` (and ``ID_t1``, ``ID_t2``) and masks of the same name, or of the subject's
alone, in ``masks/``: vertebrae 1 to 25 counted from L5 upwards (101 to 125 where they are partly in view), the canal
100, and discs 201 to 225 counted from L5/S1 upwards.
"""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from deepspine_sct.errors import DeepspineError
from deepspine_sct.files.tables import write_csv
from deepspine_sct.image.grid import CANONICAL, Grid
from deepspine_sct.image.nifti import write_discs, write_volume
from deepspine_sct.image.volume import Volume, reorient
from deepspine_sct.simulation.lumbar import CANAL, DISC, VERTEBRA
from deepspine_sct.sources.block_mean import block_mean
from deepspine_sct.sources.disc_tips import posterior_tips
from deepspine_sct.sources.eight_bit import eight_bit

SUBJECTS = (5, 7, 18, 22, 35, 41, 50, 52, 57, 61, 69, 78, 98, 107, 118, 127, 136, 141, 146, 152, 162, 166, 185, 191,
            209, 220, 239, 241)  # fmt: skip
"""Those that the shipped weights know of: trained on, or kept for evaluation."""

SERIES = "t2_SPACE"
"""The series that is taken: nearly isotropic, so that it shows the discs from every side."""

FINE_MM = 0.7
"""Pixels finer than this are averaged two by two."""

_FILE_ORIENTATION = ("R", "A", "S")
_CANAL, _DISCS, _LAST_DISC = 100, range(201, 226), 25
_VERTEBRAE = (*range(1, 26), *range(101, 126))


def lay_out(archive: Path, folder: Path) -> int:
    """Write scan, tissues and discs of `SUBJECTS`; those without the series are left out.

    Parameters
    ----------
    archive : folder with ``images/`` and ``masks/``
    folder : the training sources; ``lumbar/`` is made in it

    Returns
    -------
    int
        Number of subjects.

    Raises
    ------
    DeepspineError
        Where SimpleITK is missing, no subject has the series, or a file cannot be used.
    """
    images = {number: archive / "images" / f"{number}_{SERIES}.mha" for number in sorted(SUBJECTS)}
    images = {number: path for number, path in images.items() if path.exists()}
    if not images:
        raise DeepspineError(
            f"{archive}: holds none of the series images/ID_{SERIES}.mha of the subjects that train; give the unpacked"
            " archive of SPIDER"
        )
    out = folder / "lumbar"
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, path in tqdm(images.items(), unit="subject", disable=None):
        name = f"spider{number:03d}"
        points = _lay_out_subject(path, _mask_of(path, number), out, name)
        for value in sorted(points, reverse=True):
            x_mm, y_mm, z_mm = map(str, np.round(points[value], 2).tolist())
            rows.append({"scan": f"{name}_T2w", "value": value, "x_mm": x_mm, "y_mm": y_mm, "z_mm": z_mm})
    write_csv(out / "discs.csv", rows)
    return len(images)


def _mask_of(image: Path, number: int) -> Path:
    folder = image.parent.parent / "masks"
    for path in (folder / image.name, folder / f"{number}.mha"):
        if path.exists():
            return path
    raise DeepspineError(f"{folder / image.name}: no such mask; unpack the archive again")


def _lay_out_subject(image: Path, mask: Path, out: Path, name: str) -> dict[int, np.ndarray]:
    scan, labels = read_mha(image), read_mha(mask)
    if scan.data.shape != labels.data.shape or not np.allclose(scan.grid.affine, labels.grid.affine, atol=0.01):
        raise DeepspineError(f"{mask}: lies on another grid than {image.name}; unpack the archive again")
    try:
        upright = reorient(labels, CANONICAL)
        points = posterior_tips(_disc_values(upright.data), upright.data == _CANAL, upright.grid)
    except DeepspineError as error:
        raise DeepspineError(f"{mask}: {error}") from error
    scan, labels = reorient(scan, _FILE_ORIENTATION), reorient(labels, _FILE_ORIENTATION)
    halves = tuple(2 if zoom_mm < FINE_MM else 1 for zoom_mm in scan.grid.zooms_mm[1:])
    scan = block_mean(scan, (1, *halves))
    write_volume(out / f"{name}_T2w.nii.gz", Volume(eight_bit(scan.data), scan.grid))
    shares = [
        block_mean(Volume(mask.astype(np.float32), labels.grid), (1, *halves)).data for mask in _tissues(labels.data)
    ]
    # A voxel is what most of it is; in a tie, tissue.
    winner = np.argmax([*shares, 1 - sum(shares) - 1e-3], axis=0)
    tissue = np.choose(winner, (VERTEBRA, DISC, CANAL, 0)).astype(np.uint8)
    write_volume(out / f"{name}_tissue.nii.gz", Volume(tissue, scan.grid))
    write_discs(out / f"{name}_discs.nii.gz", scan.grid, points)
    return points


def _disc_values(labels: np.ndarray) -> np.ndarray:
    """SCT's value of every disc voxel: the archive counts from the sacrum upwards."""
    return np.where(np.isin(labels, _DISCS), _LAST_DISC + _DISCS[0] - labels, 0)


def _tissues(labels: np.ndarray) -> tuple[np.ndarray, ...]:
    return np.isin(labels, _VERTEBRAE), np.isin(labels, _DISCS), labels == _CANAL


def read_mha(path: Path) -> Volume:
    """Read a MetaImage; its world, left-posterior-superior, becomes ours.

    Raises
    ------
    DeepspineError
        Where SimpleITK is not installed or cannot read the file.
    """
    try:
        import SimpleITK as sitk
    except ImportError as error:
        raise DeepspineError(f"{path}: needs SimpleITK; pip install 'deepspine_sct[sources]'") from error
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise DeepspineError(f"{path}: cannot be read as an image; unpack the archive again") from error
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    affine[:2] *= -1
    data = sitk.GetArrayFromImage(image).T
    return Volume(data, Grid(data.shape, affine))
