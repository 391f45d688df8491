"""Spine-generic (Cohen-Adad et al. 2021) in BIDS: `slices/`, mid-sagittal slices with its own disc points."""

import json
import re
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

from deepspine_sct.data.bids import Scan, find_scans
from deepspine_sct.data.preparation import load_labelled
from deepspine_sct.errors import DeepspineError
from deepspine_sct.files.tables import write_csv, write_json
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.nifti import write_volume
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.image.volume import Volume
from deepspine_sct.sources.eight_bit import eight_bit
from deepspine_sct.training.real import ANNOTATIONS

SLICE_MM = 5.0
"""Width that a slice is the average of, that of the network's slabs."""

_SQUARE = 0.01  # share by which the sides of a square pixel may differ


def lay_out(archive: Path, folder: Path) -> int:
    """Write a slice of every labelled T1w and T2w scan, and ``annotations.json`` with the points.

    The shipped weights trained on coarser pictures of these slices, which we marked ourselves. Here pixels and points
    are the data set's own.

    Parameters
    ----------
    archive : the BIDS data set, with its labels in ``derivatives/labels``
    folder : the training sources; ``slices/`` is made in it

    Returns
    -------
    int
        Number of slices.

    Raises
    ------
    DeepspineError
        Where the data set holds no usable labelled scan.
    """
    out = folder / "slices"
    out.mkdir(parents=True, exist_ok=True)
    entries, rows = {}, []
    labelled = [scan for scan in find_scans(archive) if scan.label is not None]
    for scan in tqdm(labelled, unit="scan", disable=None):
        try:
            points, middle = mid_sagittal(scan)
        except DeepspineError as error:
            print(f"Warning: left out: {error}", file=sys.stderr)
            continue
        write_volume(out / f"{scan.stem}.nii.gz", middle)
        discs = {str(value): np.round(xyz_mm, 2).tolist() for value, xyz_mm in sorted(points.items())}
        entries[scan.stem] = {"site": _site(scan.subject), "contrast": scan.contrast, "discs_xyz_mm": discs}
        mm_per_pixel = f"{middle.grid.zooms_mm[1]:.3f}"
        rows.append({"file": f"{scan.stem}.nii.gz", "contrast": scan.contrast, "mm_per_pixel": mm_per_pixel})
    if not entries:
        raise DeepspineError(
            f"{archive}: holds no labelled T1w or T2w scan that can be used; download derivatives/labels as well"
        )
    _write_tables(out, entries, rows)
    return len(entries)


def mid_sagittal(scan: Scan) -> tuple[dict[int, np.ndarray], Volume]:
    """Average the slices around the discs of a scan.

    Returns
    -------
    points : dict of int to (3,) array
        World position [mm] of each disc, moved into the slice.
    slice : Volume
        (1, H, W) uint8 in (L, I, P), with the pixels of the scan.

    Raises
    ------
    DeepspineError
        Where a file cannot be read, the labels are none that a network can learn from (see `load_labelled`), or the
        pixels are not square.
    """
    volume, points = load_labelled(scan)
    volume = canonical(volume)
    width_mm, height_mm, depth_mm = volume.grid.zooms_mm
    if abs(height_mm / depth_mm - 1) > _SQUARE:
        raise DeepspineError(
            f"{scan.image}: has sagittal pixels of {height_mm:.2f} x {depth_mm:.2f} mm, and training takes square "
            "ones; resample it"
        )
    points_ijk = {value: volume.grid.to_index(xyz_mm) for value, xyz_mm in points.items()}
    middle = int(np.clip(np.rint(np.median([ijk[0] for ijk in points_ijk.values()])), 0, len(volume.data) - 1))
    beside = max(0, round((SLICE_MM / width_mm - 1) / 2))  # slices on either side
    affine = volume.grid.affine.copy()
    affine[:3, 3] = volume.grid.to_world((middle, 0, 0))
    affine[:3, 0] *= SLICE_MM / width_mm
    data = eight_bit(volume.data[max(0, middle - beside) : middle + beside + 1].mean(axis=0, dtype=np.float32))[None]
    flat = {value: volume.grid.to_world((middle, *ijk[1:])) for value, ijk in points_ijk.items()}
    return flat, Volume(data, Grid(data.shape, affine))


def _site(subject: str) -> str:
    """Site of a subject by its name, as the packaged table of the evaluation-only sites spells it."""
    return re.sub(r"^sub-|\d+$", "", subject)


def _write_tables(out: Path, entries: dict[str, dict], rows: list[dict[str, str]]) -> None:
    about = {
        "what": "Posterior disc tips on mid-sagittal slices of spine-generic, world mm of each slice file",
        "who": "the data set's own labels",
        "evaluation_only_sites": json.loads(ANNOTATIONS.read_text())["about"]["evaluation_only_sites"],
    }
    write_json(out / "annotations.json", {"about": about, "slices": entries})
    write_csv(out / "index.csv", rows)
