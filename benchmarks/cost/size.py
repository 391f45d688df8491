"""What the command costs against the size of a scan: ``make size`` draws docs/images/cost_size.png and prints a table.

Each point is a whole process, cold. Slices of 0.8 mm are added beside the spine, then rows of 0.7 mm along it.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.cost.label import Cost, label, run, table
from benchmarks.cost.scans import NOISE, resampled, stretched
from benchmarks.sources import DATA_TEST, ROOT
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.nifti import write_volume
from deepspine_sct.image.volume import Volume

PICTURE = ROOT / "docs" / "images" / "cost_size.png"
SLICES = (1, 5, 15, 50, 100, 200, 400)
ROWS = (128, 320, 640, 1024, 1500)


def of_slices(n: int) -> tuple[np.ndarray, tuple[float, float, float]]:
    """Return a neck of n slices of 320 x 320 voxels of 0.8 mm."""
    zooms_mm = (0.8, 0.8, 0.8)
    return stretched(DATA_TEST / "t2_sim.nii.gz", (n, 320, 320), zooms_mm), zooms_mm


def of_rows(n: int) -> tuple[np.ndarray, tuple[float, float, float]]:
    """Return 20 slices of n rows of 0.7 mm: necks above lumbar spines, stretched where the rows do not suffice."""
    zooms_mm = (3.3, 0.7, 0.7)
    parts = [stretched(DATA_TEST / f"{name}.nii.gz", (20, 512, 512), zooms_mm) for name in ("t2_sim", "t2_lumbar_sim")]
    whole = np.concatenate(parts, axis=1)
    if n <= whole.shape[1]:
        return whole[:, :n], zooms_mm
    return resampled(whole, 1, n, whole.shape[1] / n), zooms_mm


def measure(make: Callable, n: int, folder: Path, rounds: int) -> Cost:
    """Write a scan of a size and label it some times; return the medians."""
    data, zooms_mm = make(n)
    data = np.abs(data + np.random.default_rng(0).normal(0, NOISE, data.shape))
    path = folder / f"{make.__name__}_{n}.nii.gz"
    write_volume(path, Volume(np.rint(data).astype(np.int16), Grid.sagittal(data.shape, zooms_mm)))
    costs = [run(label(path, folder / "report.json")) for _ in range(rounds)]
    path.unlink()
    print(f"{make.__name__} {n}", file=sys.stderr)
    return Cost(*map(median, zip(*costs, strict=True)))


def draw(results: dict[str, dict[int, Cost]], path: Path) -> None:
    """Draw seconds and megabytes against both sizes."""
    from deepspine_sct.pictures.figure import new_figure, to_png

    figure = new_figure(9, 5.5)
    for column, (what, of_size) in enumerate(results.items()):
        sizes = list(of_size)
        for row, (name, values) in enumerate(
            {
                "seconds": {"wall": [c.wall_s for c in of_size.values()], "CPU": [c.cpu_s for c in of_size.values()]},
                "peak memory [MB]": {"": [c.megabytes for c in of_size.values()]},
            }.items()
        ):
            axes = figure.add_subplot(2, 2, 2 * row + column + 1)
            for line, numbers in values.items():
                axes.plot(sizes, numbers, "o-", label=line)
            axes.set(ylabel=name, xlabel=what, ylim=(0, None))
            if row == 0:
                axes.legend()
    path.write_bytes(to_png(figure))


def main() -> int:
    """Measure and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-rounds", type=int, default=3, help="runs of each size, of which the median counts")
    parser.add_argument("-o", type=Path, default=PICTURE, help="picture to draw")
    args = parser.parse_args()
    kinds = {"slices of 320 x 320 voxels": (of_slices, SLICES), "rows of 20 slices, 512 columns": (of_rows, ROWS)}
    with tempfile.TemporaryDirectory() as name:
        results = {
            what: {n: measure(make, n, Path(name), args.rounds) for n in sizes} for what, (make, sizes) in kinds.items()
        }
    rows = [
        [f"{n} {what}", f"{cost.wall_s:.2f}", f"{cost.cpu_s:.2f}", f"{cost.megabytes:.0f}"]
        for what, of_size in results.items()
        for n, cost in of_size.items()
    ]
    print(table(["scan", "wall [s]", "CPU [s]", "peak memory [MB]"], rows))
    draw(results, args.o)
    return 0


if __name__ == "__main__":
    sys.exit(main())
