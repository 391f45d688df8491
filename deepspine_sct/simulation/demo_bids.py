"""A BIDS data set of simulated scans: ``python -m deepspine_sct.simulation.demo_bids SOURCES FOLDER N``.

SOURCES holds ``pam50/`` and ``head/icbm152_t1.nii.gz``. FOLDER gets N subjects of two sites, each
with a T1w and a T2w scan of one body, and the true discs of each in spine-generic's manner.
"""

import sys
from pathlib import Path

import numpy as np

from deepspine_sct.data.bids import CONTRASTS, LABEL_FOLDER, LABEL_SUFFIXES
from deepspine_sct.files.tables import write_json
from deepspine_sct.image.grid import round_index
from deepspine_sct.image.nifti import write_discs, write_volume
from deepspine_sct.image.volume import Volume, reorient
from deepspine_sct.simulation.atlas import Atlas, build_atlas
from deepspine_sct.simulation.simulated_scan import VolumeSpec, simulate_volume

SITES = ("simA", "simB")
_SHAPE, _ZOOMS_MM = (7, 136, 104), (4.0, 2.0, 2.0)
_FIRST_SEED = 5000
_AROUND = 1  # voxels
_LOWEST_MM, _HIGHEST_MM = 300.0, 430.0  # template position at the middle of the scans


def write_data_set(atlas: Atlas, folder: Path, n_subjects: int) -> None:
    """Write the data set; the same number of subjects gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    description = {"Name": "simulated spines", "BIDSVersion": "1.8.0", "DatasetType": "raw"}
    write_json(folder / "dataset_description.json", description)
    lines = ["participant_id\tsite"]
    for n in range(n_subjects):
        site = SITES[n % len(SITES)]
        subject = f"sub-{site}{n // len(SITES) + 1:02d}"
        lines.append(f"{subject}\t{site}")
        _write_subject(atlas, folder, subject, _FIRST_SEED + n, n)
    (folder / "participants.tsv").write_text("\n".join(lines) + "\n")


def _write_subject(atlas: Atlas, folder: Path, subject: str, seed: int, n: int) -> None:
    images = folder / subject / "anat"
    labels = folder / LABEL_FOLDER / subject / "anat"
    for place in (images, labels):
        place.mkdir(parents=True, exist_ok=True)
    centre_mm = _LOWEST_MM + (n * 37.0) % (_HIGHEST_MM - _LOWEST_MM)
    for family, suffix in CONTRASTS.items():
        spec = VolumeSpec(family, _SHAPE, _ZOOMS_MM, centre_mm, tilt=0.02 * (-1) ** n)
        canonical, points = simulate_volume(seed, atlas, spec)  # one seed: one body
        points = {v: xyz_mm for v, xyz_mm in points.items() if is_visible(canonical, xyz_mm)}
        volume = reorient(canonical, ("R", "A", "S"))
        name = f"{subject}_{suffix}"
        write_volume(images / f"{name}.nii.gz", volume)
        write_discs(labels / f"{name}{LABEL_SUFFIXES[0]}.nii.gz", volume.grid, points)
        sidecar = {"SpatialReference": "orig", "GeneratedBy": [{"Name": "deepspine_sct simulator"}]}
        write_json(labels / f"{name}{LABEL_SUFFIXES[0]}.json", sidecar)


def is_visible(volume: Volume, xyz_mm: np.ndarray) -> bool:
    """Tell whether there is any contrast around a point, in (L, I, P): outside of it is flat."""
    slab, row, column = round_index(volume.grid.to_index(xyz_mm))
    rows, columns = (slice(max(0, at - _AROUND), at + _AROUND + 1) for at in (row, column))
    return bool(np.ptp(volume.data[slab, rows, columns]) > 0)


if __name__ == "__main__":
    sources, target = map(Path, sys.argv[1:3])
    spine = build_atlas(sources)
    write_data_set(spine, target, int(sys.argv[3]))
