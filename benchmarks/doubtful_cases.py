"""What `make doubtful` shows to the program: spines the wrong way round, badly sliced, and no spines at all."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from deepspine_sct.image.grid import Grid
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.image.volume import Volume

DATA = Path(__file__).resolve().parent.parent / "data_test"
TURNS = {"superior and inferior": (1,), "anterior and posterior": (2,), "both": (1, 2)}
"""Axes of a (L, I, P) image along which a wrong header reverses it."""


def turned(volume: Volume, axes: tuple[int, ...]) -> Volume:
    """Reverse an image along axes of (L, I, P), its header unchanged."""
    upright = canonical(volume)
    return Volume(np.flip(upright.data, axes), upright.grid)


def no_spines(real: Path) -> Iterator[tuple[str, Volume]]:
    """Yield images that show no spine, or hardly any of it."""
    rng = np.random.default_rng(0)
    shape = (7, 128, 112)
    rows, columns = np.indices(shape[1:])
    noise = rng.normal(size=shape)
    yield "white noise", _sagittal(noise)
    yield "noise, blurred to 2 pixels", _sagittal(gaussian_filter(noise, (1, 2, 2)))
    yield "noise, blurred to 4 pixels", _sagittal(gaussian_filter(noise, (1, 4, 4)))
    bottle = (((columns - 56) / 35) ** 2 + ((rows - 64) / 55) ** 2 < 1) + 0.03 * noise
    yield "a bottle", _sagittal(bottle)
    rungs = (np.abs(columns - 56) < 10) * (1 + 0.8 * np.sign(np.sin(2 * np.pi * rows / 9)))
    yield "a ladder with a rung every 18 mm", _sagittal(rungs + 0.2 * (np.abs(columns - 56) < 45) + 0.05 * noise)
    yield "a knee (drawn)", _knee(rng)
    if real.is_dir():
        yield "a brain without skull (ICBM)", read_volume(real / "head" / "icbm152_t1.nii.gz")


def badly_sliced(real: Path) -> Iterator[tuple[str, Volume]]:
    """Yield spines in thick axial and coronal slices, and with two axes swapped in the header."""
    scans = {"simulated T2w": DATA / "t2_sim.nii.gz"}
    if real.is_dir():
        scans["T2w lumbar"] = real / "volumes" / "t2_lumbar.nii.gz"
        yield "axial T2w, slices of 7.5 mm", read_volume(real / "volumes" / "t2_axial_ms.nii.gz")
    for name, path in scans.items():
        volume = canonical(read_volume(path))
        for slice_mm in (4, 6, 8):
            for plane, axis in (("axial", 1), ("coronal", 2)):
                yield f"{name}, {plane} slices of {slice_mm} mm", _thick(volume, axis, slice_mm)
        yield f"{name}, mirrored left to right", turned(volume, (0,))
        for first, second, names in ((1, 2, "height and depth"), (0, 1, "height and width")):
            yield f"{name}, {names} swapped", _swapped(volume, first, second)


def _sagittal(data: np.ndarray) -> Volume:
    """Slices of 4 mm with pixels of 2 mm, in (L, I, P)."""
    affine = np.array([[-4.0, 0, 0, 0], [0, 0, -2, 0], [0, -2, 0, 0], [0, 0, 0, 1]])
    return Volume(data.astype(np.float32), Grid(data.shape, affine))


def _knee(rng: np.random.Generator) -> Volume:
    """Two bones with thickened ends and a gap, a patella before them, in soft tissue."""
    rows, columns = np.indices((80, 80))
    bone = (np.abs(columns - 42) < 12) & (np.abs(rows - 39) > 3)
    for row, column, height, width in ((32, 42, 9, 18), (46, 42, 6, 17), (30, 17, 10, 5)):
        bone |= ((rows - row) / height) ** 2 + ((columns - column) / width) ** 2 < 1
    image = gaussian_filter(0.35 * (((columns - 40) / 32) ** 2 < 1) + 0.6 * bone, 1)
    return _sagittal(image + 0.03 * rng.normal(size=(9, 80, 80)))


def _thick(volume: Volume, axis: int, slice_mm: float) -> Volume:
    """Average neighbouring slices along an axis."""
    n = max(1, round(slice_mm / volume.grid.zooms_mm[axis]))
    data = np.moveaxis(volume.data, axis, 0)
    data = data[: len(data) // n * n].reshape(-1, n, *data.shape[1:]).mean(axis=1, dtype=np.float32)
    data = np.moveaxis(data, 0, axis)
    zooms_mm = np.where(np.arange(3) == axis, n, 1) * volume.grid.zooms_mm
    return Volume(data, volume.grid.resampled(data.shape, zooms_mm))


def _swapped(volume: Volume, first: int, second: int) -> Volume:
    """Give each of two axes the direction of the other in the header; voxel sizes stay with the data."""
    order = np.arange(3)
    order[[first, second]] = second, first
    cosines = volume.grid.affine[:3, :3] / volume.grid.zooms_mm
    affine = volume.grid.affine.copy()
    affine[:3, :3] = cosines[:, order] * volume.grid.zooms_mm
    return Volume(volume.data, Grid(volume.grid.shape, affine))
