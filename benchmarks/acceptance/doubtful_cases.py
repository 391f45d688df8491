"""What `make doubtful` shows to the program: spines the wrong way round, badly sliced, and no spines at all."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from benchmarks.sources import DATA_TEST
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.labels import read_labels
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.image.volume import Volume, crop
from deepspine_sct.training.real import ANNOTATIONS

TURNS = {"superior and inferior": (1,), "anterior and posterior": (2,), "both": (1, 2)}
"""Axes of a (L, I, P) image along which a wrong header reverses it."""
MANY = 20
"""Images of each kind that chance decides on."""
THICK_MM = (3.2, 4, 6, 8)
"""Axial and coronal slices to make of sagittal ones, as near as whole slices come."""
BESIDE_MM = 30.0
"""What lies farther in front of all discs of a neck, or behind them, is no spine."""


@dataclass(frozen=True)
class Doubtful:
    """An image that must not be labelled with confidence.

    Attributes
    ----------
    kind : what it is; several may be of one kind
    volume : the image
    truth : disc value -> (3,) world position [mm], where it shows discs whose places are known
    """

    kind: str
    volume: Volume
    truth: dict[int, np.ndarray] | None = None


def turned(volume: Volume, axes: tuple[int, ...]) -> Volume:
    """Reverse an image along axes of (L, I, P), its header unchanged."""
    upright = canonical(volume)
    return Volume(np.flip(upright.data, axes), upright.grid)


def no_spines(real: Path) -> Iterator[Doubtful]:
    """Yield images that show no spine."""
    shape = (7, 128, 112)
    rows, columns = np.indices(shape[1:])
    for seed in range(MANY):
        rng = np.random.default_rng(seed)
        noise = rng.normal(size=shape)
        yield Doubtful("white noise", _sagittal(noise))
        yield Doubtful("noise, blurred to 2 pixels", _sagittal(gaussian_filter(noise, (1, 2, 2))))
        yield Doubtful("noise, blurred to 4 pixels", _sagittal(gaussian_filter(noise, (1, 4, 4))))
        wide, high = rng.uniform(20, 50), rng.uniform(30, 60)
        bottle = (((columns - 56) / wide) ** 2 + ((rows - 64) / high) ** 2 < 1) + 0.03 * noise
        yield Doubtful("a bottle of water", _sagittal(bottle))
        rungs = (np.abs(columns - 56) < 10) * (1 + 0.8 * np.sign(np.sin(2 * np.pi * rows / (4 + seed / 1.2))))
        ladder = rungs + 0.2 * (np.abs(columns - 56) < 45) + 0.05 * noise
        yield Doubtful("a ladder, a rung every 8 to 40 mm", _sagittal(ladder))
        yield Doubtful("a knee (drawn)", _knee(rng))
    if real.is_dir():
        yield from _brains(real)
        yield from _beside_spines(real)


def _brains(real: Path) -> Iterator[Doubtful]:
    """The ICBM 152 brain, and what else a brain may look like."""
    brain = canonical(read_volume(real / "head" / "icbm152_t1.nii.gz"))
    half = brain.grid.shape[1] // 2
    yield Doubtful("a brain without skull (ICBM)", brain)
    inverted = (brain.data.max() - brain.data) * (brain.data > 0)
    yield Doubtful("that brain in inverted contrast", Volume(inverted, brain.grid))
    width, height, depth = brain.grid.shape
    for low, high in ((0, half), (half, height)):
        yield Doubtful("half of that brain", crop(brain, (0, low, 0), (width, high, depth)))
    for axes in TURNS.values():
        yield Doubtful("that brain, its header reversed", turned(brain, axes))
    for first, second in ((0, 1), (0, 2), (1, 2)):
        yield Doubtful("that brain, two axes swapped", swapped(brain, first, second))


def _beside_spines(real: Path) -> Iterator[Doubtful]:
    """Real necks without their spine: what lies in front of it, and what lies behind."""
    for name, entry in json.loads(ANNOTATIONS.read_text())["slices"].items():
        volume = canonical(read_volume(real / "slices" / f"{name}.nii.gz"))
        columns = volume.grid.to_index(np.array(list(entry["discs_xyz_mm"].values())))[:, 2]
        away = BESIDE_MM / volume.grid.zooms_mm[2]
        before, behind = int(columns.min() - away), int(columns.max() + away)
        n_slices, n_rows, n_columns = volume.grid.shape
        if before * volume.grid.zooms_mm[2] > 40:
            part = crop(volume, (0, 0, 0), (n_slices, n_rows, before))
            yield Doubtful("face and throat of real necks", part)
        if (n_columns - behind) * volume.grid.zooms_mm[2] > 40:
            part = crop(volume, (0, 0, behind), (n_slices, n_rows, n_columns))
            yield Doubtful("nape of real necks", part)


def badly_sliced(real: Path) -> Iterator[Doubtful]:
    """Yield spines in thick axial and coronal slices, and with two axes swapped in the header."""
    scans = {"simulated T2w": DATA_TEST / "t2_sim", "simulated T1w": DATA_TEST / "t1_sim"}
    if real.is_dir():
        axial = read_volume(real / "volumes" / "t2_axial_ms.nii.gz")
        yield Doubtful(f"real axial T2w, slices of {max(axial.grid.zooms_mm):.1f} mm", axial)
        scans["real lumbar T2w"] = real / "volumes" / "t2_lumbar"
    for name, stem in scans.items():
        volume, truth = _scan(stem)
        for plane, axis in (("axial", 1), ("coronal", 2)):
            for n in sorted({round(mm / volume.grid.zooms_mm[axis]) for mm in THICK_MM}):
                thick = _thick(volume, axis, n)
                kind = f"{name}, {plane} slices of {thick.grid.zooms_mm[axis]:.1f} mm"
                yield Doubtful(kind, thick, truth)
        for first, second, names in ((1, 2, "height and depth"), (0, 1, "height and width")):
            yield Doubtful(f"{name}, {names} swapped", swapped(volume, first, second))


def mirrored() -> Iterator[Doubtful]:
    """Yield spines mirrored left to right under their header, with the places of their discs in the image."""
    for stem in sorted(DATA_TEST.glob("*_sim.nii.gz")):
        volume, truth = _scan(stem.with_name(stem.name.removesuffix(".nii.gz")))
        grid = volume.grid
        last = np.array([grid.shape[0] - 1, 0, 0])
        truth = {v: grid.to_world(last + grid.to_index(xyz) * (-1, 1, 1)) for v, xyz in truth.items()}
        yield Doubtful("a spine mirrored left to right", turned(volume, (0,)), truth)


def _scan(stem: Path) -> tuple[Volume, dict[int, np.ndarray] | None]:
    """An upright scan, and its discs where they are known."""
    labels = Path(f"{stem}_labels.nii.gz")
    truth = read_labels(labels) if labels.exists() else None
    return canonical(read_volume(f"{stem}.nii.gz")), truth


def _sagittal(data: np.ndarray) -> Volume:
    """Slices of 4 mm with pixels of 2 mm, in (L, I, P)."""
    return Volume(data.astype(np.float32), Grid.sagittal(data.shape, (4, 2, 2)))


def _knee(rng: np.random.Generator) -> Volume:
    """Two bones with thickened ends and a gap, a patella before them, in soft tissue."""
    rows, columns = np.indices((80, 80))
    gap, width, size = rng.uniform(2, 5), rng.uniform(9, 14), rng.uniform(0.8, 1.2)
    bone = (np.abs(columns - 42) < width) & (np.abs(rows - 39) > gap)
    for row, column, half_height, half_width in ((32, 42, 9, 18), (46, 42, 6, 17), (30, 17, 10, 5)):
        bone |= ((rows - row) / half_height / size) ** 2 + ((columns - column) / half_width / size) ** 2 < 1
    marrow, flesh = rng.uniform(0.2, 1), rng.uniform(0.2, 0.6)
    image = gaussian_filter(flesh * (((columns - 40) / 32) ** 2 < 1) + marrow * bone, 1)
    return _sagittal(image + 0.03 * rng.normal(size=(9, 80, 80)))


def _thick(volume: Volume, axis: int, n: int) -> Volume:
    """Average n neighbouring slices along an axis."""
    data = np.moveaxis(volume.data, axis, 0)
    data = data[: len(data) // n * n].reshape(-1, n, *data.shape[1:]).mean(axis=1, dtype=np.float32)
    data = np.moveaxis(data, 0, axis)
    affine = volume.grid.affine @ np.diag(np.where(np.arange(4) == axis, n, 1))
    affine[:3, 3] = volume.grid.to_world((np.arange(3) == axis) * (n - 1) / 2)
    return Volume(data, Grid(data.shape, affine))


def swapped(volume: Volume, first: int, second: int) -> Volume:
    """Give each of two axes the direction of the other in the header; voxel sizes stay with the data."""
    order = np.arange(3)
    order[[first, second]] = second, first
    cosines = volume.grid.affine[:3, :3] / volume.grid.zooms_mm
    affine = volume.grid.affine.copy()
    affine[:3, :3] = cosines[:, order] * volume.grid.zooms_mm
    return Volume(volume.data, Grid(volume.grid.shape, affine))
