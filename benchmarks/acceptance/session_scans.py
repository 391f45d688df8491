"""The sessions that `make session` scores: simulated ones, and windows of real volumes as stations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.acceptance.session_localizer import three_planes
from deepspine_sct.anatomy import LEVEL_MM
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.labels import read_labels
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.image.volume import Volume, crop
from deepspine_sct.simulation.atlas import Atlas
from deepspine_sct.simulation.shape import random_shape
from deepspine_sct.simulation.simulated_scan import VolumeSpec, simulate_volume
from deepspine_sct.training.real import ANNOTATIONS

SEED = 70_000  # neither training nor `make accuracy` draws from here
ZOOMS_MM = (4.0, 1.2, 1.2)
N_SLICES, N_COLS = 11, 170
LOCALIZER_MM = (1.5, 2.0, 2.5)  # pixels
BESIDE_MM = 12.0  # of spine above and below the outermost discs of a station


@dataclass(frozen=True)
class Station:
    """One scan of a session.

    Attributes
    ----------
    volume : the image, in the world of its session
    truth : disc value -> (3,) world position [mm]
    of_subject : whether it belongs to the session at all
    readable : whether it shows a spine
    """

    volume: Volume
    truth: dict[int, np.ndarray]
    of_subject: bool = True
    readable: bool = True


@dataclass(frozen=True)
class Session:
    """Scans that were given together."""

    name: str
    group: str
    stations: list[Station]


def simulated_sessions(atlas: Atlas, n: int) -> Iterator[Session]:
    """Yield n sessions of each kind."""
    for i in range(n):
        rng = np.random.default_rng([SEED, i])
        seed = SEED + i
        neck, chest = (2, 11), int(rng.integers(11, 14))

        def station(values, family, moved_mm=0.0, seed=seed, rng=rng, thick_mm=None):
            return _station(atlas, seed, values, family, moved_mm, rng, thick_mm)

        yield Session(f"{i}", "T1w and T2w, neck", [station(neck, "t2"), station(neck, "t1", 3)])
        middle = (chest - 2, chest + 5)
        yield Session(f"{i}", "T1w and T2w, thorax", [station(middle, "t2"), station(middle, "t1_tse", 3)])
        for shared, kind in ((3, "3 discs"), (1, "1 disc"), (0, "no disc"), (-1, "a gap of 1 disc")):
            top = neck[1] + 1 - shared
            for moved_mm in (0, 5, 10) if shared == 3 else (5,):
                stations = [station(neck, "t2"), station((top, min(top + 7, 25)), "t2", moved_mm)]
                yield Session(f"{i}", f"two stations, {kind} shared, moved {moved_mm} mm", stations)
        three = [station(neck, "t2"), station((9, 18), "t2", 5), station((17, 24), "t2", 5)]
        yield Session(f"{i}", "three stations", three)
        yield Session(f"{i}", "localizer and thorax", [station((2, 19), "t2", 5, thick_mm=10.0), station(middle, "t2")])
        yield Session(
            f"{i}", "localizer of three planes, and thorax", [_localizer(atlas, seed, i), station(middle, "t2")]
        )
        noise = replace(_noise(three[1], rng), readable=False)
        yield Session(f"{i}", "two stations and one unreadable", [three[0], three[1], noise])
        stranger = replace(station((9, 17), "t2", 10, seed=seed + 5000), of_subject=False)
        yield Session(f"{i}", "neck, and the thorax of another subject", [three[0], stranger])
        both = [three[1], replace(station((8, 18), "t1", 10, seed=seed + 7000), of_subject=False)]
        yield Session(f"{i}", "thorax, and that of another subject", both)


def real_necks(folder: Path) -> Iterator[Session]:
    """Cut each slice of the evaluation-only sites into two stations; and put each neck beside the next person's."""
    table = json.loads(ANNOTATIONS.read_text())
    held_out = set(table["about"]["evaluation_only_sites"])
    necks = []
    for name, entry in table["slices"].items():
        if entry["site"] in held_out:
            truth = {int(v): np.array(xyz) for v, xyz in entry["discs_xyz_mm"].items() if int(v) >= 3}
            necks.append((name, canonical(read_volume(folder / f"{name}.nii.gz")), truth))
    for i, (name, volume, truth) in enumerate(necks):
        values = sorted(truth)
        rng = np.random.default_rng([SEED, i])
        upper, lower = values[: len(values) // 2 + 2], values[len(values) // 2 - 1 :]
        stations = [_window(volume, truth, upper), _moved(_window(volume, truth, lower), 5.0, rng)]
        yield Session(name, "real necks, two stations, 3 discs shared", stations)
        _, other, its_truth = necks[(i + 7) % len(necks)]
        stranger = Station(other, its_truth, of_subject=False)
        yield Session(name, "real necks, two subjects", [Station(volume, truth), stranger])
        half = _window(other, its_truth, sorted(its_truth)[len(its_truth) // 2 - 1 :])
        yield Session(name, "real necks, another subject's lower half", [stations[0], replace(half, of_subject=False)])


def real_lumbar(folder: Path) -> Iterator[Session]:
    """Cut two stations out of each real lumbar volume: without sacrum the upper one, with it the lower one."""
    for path in sorted(folder.glob("spider*_T2w.nii.gz")):
        volume = canonical(read_volume(path))
        truth = read_labels(path.with_name(path.name.replace("_T2w", "_discs")))
        values = sorted(truth)
        rng = np.random.default_rng(int(path.name[6:9]))
        for shared in (3, 1):
            half = len(values) // 2 + 1
            upper, lower = values[: half + shared - 1], values[half - 1 :]
            stations = [_window(volume, truth, part) for part in (lower, upper)]
            stations[1] = _moved(stations[1], 5.0, rng)
            yield Session(
                path.name[:9], f"real lumbar, two stations, {shared} disc{'s' * (shared > 1)} shared", stations
            )
        dark = Volume(np.asarray(volume.data, np.float32).max() - np.asarray(volume.data, np.float32), volume.grid)
        contrasts = [_window(volume, truth, values[:-2]), _moved(_window(dark, truth, values[:-1]), 3.0, rng)]
        yield Session(path.name[:9], "real lumbar, two contrasts, no sacrum", contrasts)


def _localizer(atlas, seed, i) -> Station:
    """Simulate a localizer of three planes in one file: 10 mm thick, with coarse pixels."""
    pixel_mm = LOCALIZER_MM[i % len(LOCALIZER_MM)]
    station = _simulated(atlas, seed, (2, 19), "t2", 33, (3.0, pixel_mm, pixel_mm))
    return _moved(replace(station, volume=three_planes(station.volume)), 5.0, np.random.default_rng([SEED, i, 1]))


def _station(atlas, seed, values, family, moved_mm, rng, thick_mm) -> Station:
    """Simulate the scan of some discs of a body, in the world of the body."""
    zooms_mm = (thick_mm or ZOOMS_MM[0], *((2.0, 2.0) if thick_mm else ZOOMS_MM[1:]))
    station = _simulated(atlas, seed, values, family, 5 if thick_mm else N_SLICES, zooms_mm)
    return _moved(station, moved_mm, rng)


def _simulated(atlas, seed, values, family, n_slices, zooms_mm) -> Station:
    centre_s_mm, height_mm = _middle(seed, values)
    rows = int(np.ceil((height_mm + 2 * BESIDE_MM) / zooms_mm[1] / 4) * 4)
    cols = int(N_COLS * ZOOMS_MM[2] / zooms_mm[2])
    spec = VolumeSpec(family, (n_slices, rows, cols), zooms_mm, centre_s_mm)
    volume, truth = simulate_volume(seed, atlas, spec)
    origin_mm = _origin_mm(seed, spec)
    grid = volume.grid
    affine = grid.affine.copy()
    affine[1:3, 3] -= origin_mm[::-1]
    station = Station(Volume(volume.data, Grid(grid.shape, affine)), {})
    moved = grid.affine[:3, 3] - affine[:3, 3]
    return replace(station, truth={v: xyz - moved for v, xyz in truth.items()})


def _middle(seed, values) -> tuple[float, float]:
    """Place along the cord half-way between the outermost of some discs of a body, and the height of these [mm]."""
    body = random_shape(np.random.default_rng(seed))
    s_mm = np.linspace(LEVEL_MM[values[0] - 1], LEVEL_MM[values[1] - 1], 200)
    down_mm = body.to_plane(s_mm, np.full(200, 12.0))[:, 0]
    height_mm = down_mm[-1] - down_mm[0]
    return float(np.interp(down_mm[0] + height_mm / 2, down_mm, s_mm)), float(height_mm)


def _origin_mm(seed, spec: VolumeSpec) -> np.ndarray:
    """(2,) place of pixel (0, 0) in the plane of the body, down and to the back [mm], as `simulate_volume` has it."""
    body = random_shape(np.random.default_rng(seed))
    _, height, width = spec.shape
    centre_mm = body.to_plane(np.array(spec.centre_s_mm), np.array(12.0))
    return centre_mm - (height * spec.zooms_mm[1] / 2, width * spec.zooms_mm[2] * 0.5)


def _moved(station: Station, by_mm: float, rng: np.random.Generator) -> Station:
    """Move the person: so far in the sagittal plane, and a little across it."""
    angle = rng.uniform(0, 2 * np.pi)
    step_mm = np.array([rng.normal(0, by_mm / 5), by_mm * np.sin(angle), by_mm * np.cos(angle)])
    grid = station.volume.grid
    affine = grid.affine.copy()
    affine[:3, 3] += step_mm
    volume = Volume(station.volume.data, Grid(grid.shape, affine))
    return replace(station, volume=volume, truth={v: xyz + step_mm for v, xyz in station.truth.items()})


def _noise(station: Station, rng: np.random.Generator) -> Station:
    """Replace the image by noise."""
    data = rng.integers(0, 300, station.volume.data.shape).astype(np.int16)
    return Station(Volume(data, station.volume.grid), {})


def _window(volume: Volume, truth: dict[int, np.ndarray], values: list[int]) -> Station:
    """Cut the rows of some discs out of a volume in (L, I, P)."""
    rows = volume.grid.to_index(np.array([truth[v] for v in values]))[:, 1]
    margin = BESIDE_MM / volume.grid.zooms_mm[1]
    low = np.array([0, max(int(rows.min() - margin), 0), 0])
    high = np.array([*volume.grid.shape])
    high[1] = min(int(rows.max() + margin) + 1, high[1])
    window = crop(volume, low, high)
    return Station(window, {v: xyz for v, xyz in truth.items() if window.grid.contains(window.grid.to_index(xyz))})
