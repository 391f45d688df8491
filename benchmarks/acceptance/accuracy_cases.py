"""The scans that `make accuracy` scores: every labelled real one, and a fixed simulated test set."""

import functools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.acceptance.real_sources import FIRST_DISC, names_of, points_of, read_scan
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.labels import read_labels
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.image.volume import Volume
from deepspine_sct.simulation.atlas import Atlas
from deepspine_sct.simulation.lower_spine import LowerSpine, is_usable, straighten
from deepspine_sct.simulation.lumbar import read_subject
from deepspine_sct.simulation.simulator import Case, simulate, tips_inside
from deepspine_sct.training.folds import SHIPPED, deal
from deepspine_sct.training.real import ANNOTATIONS

SEED = 20_000  # training draws from other seeds
WHOLE_SPINE = (352, 112)  # pixels of 2 mm
BORDER_PX = 2.5  # the tolerance, 5 mm
COVERAGES = (0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Scan:
    """One scan with its true discs.

    Attributes
    ----------
    name, group : what it is, and the line of the table that it counts in
    volume : the image
    truth : disc value -> (3,) world position [mm]
    complete : whether the truth holds every visible disc (experts stop where they like)
    hidden : discs that are lost in noise, or whose tip lies up to 5 mm beyond the image: right to find, right to miss
    """

    name: str
    group: str
    volume: Volume
    truth: dict[int, np.ndarray]
    complete: bool
    hidden: dict[int, np.ndarray] = field(default_factory=dict)


def real_scans(folder: Path) -> Iterator[Scan]:
    """Yield the annotated slices, by the role of their site, and the volumes with expert or our own points.

    What is not in the folder is left out: `make sources` makes no ``volumes/``.
    """
    for name, group, path, truth in _marked(folder):
        if path.exists():
            yield Scan(name, group, read_volume(path), truth(), False)


def _marked(folder: Path) -> Iterator[tuple[str, str, Path, Callable[[], dict[int, np.ndarray]]]]:
    """Yield name, group, image and true discs of what `real_scans` knows."""
    table = json.loads(ANNOTATIONS.read_text())
    held_out = set(table["about"]["evaluation_only_sites"])
    for name, entry in table["slices"].items():
        role = "evaluation sites" if entry["site"] in held_out else "training sites"
        group = f"real {entry['contrast']}, {role}"
        yield name, group, folder / "slices" / f"{name}.nii.gz", functools.partial(points_of, entry, FIRST_DISC)
    volumes = folder / "volumes"
    for name in (f"t1_sg_{i}" for i in (1, 2, 3, 4)):
        truth = functools.partial(read_labels, volumes / f"{name}_labels.nii.gz")
        yield name, "real T1w, expert points (t1_sg)", volumes / f"{name}.nii.gz", truth
    for name, entry in table["volumes"].items():
        yield name, f"real volume {name}", volumes / f"{name}.nii.gz", functools.partial(points_of, entry)


def lumbar_scans(folder: Path) -> Iterator[Scan]:
    """Yield the real lumbar volumes, apart those that the shipped weights have never seen."""
    names = names_of(folder, "lumbar")
    folds = deal(names)
    for name in names:
        role = "never trained" if folds[name] == SHIPPED else "trained"
        scan = read_scan(folder, name)
        yield Scan(name, f"real lumbar T2w, {role}", scan.volume, scan.truth, False)


def unseen_lower_spines(folder: Path) -> list[LowerSpine]:
    """Return the lower spines of the lumbar subjects that the shipped weights have never seen."""
    folds = deal(names_of(folder, "lumbar"))
    unseen = [read_subject(folder / "lumbar" / f"{name}_T2w.nii.gz") for name in folds if folds[name] == SHIPPED]
    return [straighten(subject) for subject in unseen if is_usable(subject)]


def simulated_scans(atlas: Atlas, n: int, first: int = 0, lower: Sequence[LowerSpine] = ()) -> Iterator[Scan]:
    """Yield whole spines, each at every coverage (20 to 100 % of the way from C1 to S1), and each once more as it
    comes out of a bad scanner: cut, defaced, with dark ends. Below the atlas they are one of the spines ``lower``."""
    for i in range(first, first + n):
        family = ("t1", "t2", "t1_tse", "t2", "stir", "t2s")[i % 6]
        for partial, coverages in ((False, COVERAGES), (True, (1.0,))):
            rng = np.random.default_rng([SEED, i])
            case = simulate(
                rng,
                atlas,
                WHOLE_SPINE,
                family=family,
                centre_s_mm=175.0,
                off_middle=False,
                partial=partial,
                lower=lower,
            )
            for coverage in coverages:
                name = f"sim_{i:03d}_{family}_{coverage:.0%}{'_cut' if partial else ''}"
                yield _window(rng, case, coverage, name)


def _window(rng, case: Case, coverage: float, name: str) -> Scan:
    """Cut rows out of a whole spine."""
    rows = case.tips_rc[tips_inside(case.tips_rc, case.image.shape), 0]
    first, last = rows.min() - 12, rows.max() + 20
    height = coverage * (last - first)
    top = first + rng.random() * (last - first - height)
    low = 0 if coverage == 1 else max(0, int(top))
    high = len(case.image) if coverage == 1 else min(len(case.image), int(np.ceil(top + height)))
    image = case.image[low:high]
    ends = ""
    if coverage < 1:
        head, sacrum = low < rows.min() - 4, high > rows.max() + 10
        ends = ", with an end" if head or sacrum else ", no end"
    grid = Grid.sagittal((1, *image.shape), (5, 2, 2))
    places = {
        v: (row, grid.to_world(np.array([0, row - low, col])))
        for v, (row, col) in enumerate(case.tips_rc, 1)
        if low - 0.5 - BORDER_PX <= row < high - 0.5 + BORDER_PX
    }
    group = "simulated, cut and dark" if name.endswith("cut") else f"simulated, {coverage:.0%} of the spine{ends}"
    truth = {v: xyz for v, (row, xyz) in places.items() if case.presence[v - 1] > 0.5 and low - 0.5 <= row < high - 0.5}
    hidden = {v: xyz for v, (_, xyz) in places.items() if v not in truth}
    return Scan(name, group, Volume(image[None], grid), truth, True, hidden)
