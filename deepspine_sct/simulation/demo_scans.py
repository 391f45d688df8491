"""The simulated scans of ``data_test/`` and their truth: ``python -m deepspine_sct.simulation.demo_scans``."""

import sys
from pathlib import Path

import numpy as np

from deepspine_sct.image.grid import Grid
from deepspine_sct.image.nifti import write_discs, write_volume
from deepspine_sct.image.volume import Volume, reorient
from deepspine_sct.simulation.atlas import build_atlas
from deepspine_sct.simulation.simulated_scan import VolumeSpec, simulate_volume

# name: (seed, scan, orientation of the file). None was used in training, which draws 2-D windows from other seeds.
SCANS = {
    "t2_sim": (11, VolumeSpec("t2", (13, 160, 128), (2.5, 1.6, 1.6), 440.0, tilt=0.03), ("R", "P", "I")),
    "t1_sim": (14, VolumeSpec("t1", (13, 160, 144), (2.5, 1.6, 1.6), 444.0, tilt=-0.02), ("L", "A", "S")),
    "t2_lumbar_sim": (13, VolumeSpec("t2", (9, 160, 112), (3.0, 1.8, 1.8), -10.0), ("P", "S", "R")),
}


def oblique(volume: Volume, degrees: float) -> Volume:
    """Turn a volume's frame about the left-right axis, as a tilted acquisition would."""
    angle = np.deg2rad(degrees)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return Volume(volume.data, Grid(volume.grid.shape, turn @ volume.grid.affine))


def write_scans(sources: Path, folder: Path) -> None:
    """Simulate every scan and write ``<name>.nii.gz`` with its truth ``<name>_labels.nii.gz``."""
    atlas = build_atlas(sources)
    folder.mkdir(parents=True, exist_ok=True)
    for name, (seed, spec, orientation) in SCANS.items():
        straight, points = simulate_volume(seed, atlas, spec)
        turned = oblique(straight, 7.0)
        world = {v: turned.grid.to_world(straight.grid.to_index(xyz)) for v, xyz in points.items()}
        volume = reorient(turned, orientation)
        write_volume(folder / f"{name}.nii.gz", volume)
        write_discs(folder / f"{name}_labels.nii.gz", volume.grid, world)
        print(f"{name}: seed {seed}, discs {min(world)} to {max(world)}")


if __name__ == "__main__":
    write_scans(*map(Path, sys.argv[1:3]))
