"""What the command costs against the size of a scan: ``make size`` draws docs/images/cost_size.png and prints a table.

Each point is a whole process, cold. Slices of 0.8 mm are added beside the spine, then rows of 0.7 mm along it. This
program itself imports nothing large before the last process has ended: a child's peak memory would count its parent's.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.cost.label import Cost, answer, label, run, table
from benchmarks.sources import ROOT

PICTURE = ROOT / "docs" / "images" / "cost_size.png"
SIZES = {"slices": (1, 5, 15, 50, 100, 200, 400), "rows": (128, 320, 640, 1024, 1500)}
NAMES = {"slices": "slices of 320 x 320 voxels", "rows": "rows of 20 slices, 512 columns"}


def measure(kind: str, n: int, folder: Path, rounds: int) -> Cost:
    """Write a scan of a size and label it some times; return the medians."""
    path = folder / f"{kind}_{n}.nii.gz"
    answer("sized_scans", kind, str(n), str(path))
    costs = [run(label(path, folder / "report.json")) for _ in range(rounds)]
    path.unlink()
    print(f"{n} {kind}", file=sys.stderr)
    return Cost(*map(median, zip(*costs, strict=True)))


def draw(results: dict[str, dict[int, Cost]], path: Path) -> None:
    """Draw seconds and megabytes against both sizes."""
    from deepspine_sct.pictures.figure import new_figure, to_png

    figure = new_figure(9, 5.5)
    for column, (kind, of_size) in enumerate(results.items()):
        wall_s, cpu_s, megabytes = zip(*of_size.values(), strict=True)
        above = figure.add_subplot(2, 2, 1 + column)
        above.plot(list(of_size), wall_s, "o-", label="wall")
        above.plot(list(of_size), cpu_s, "o-", label="processor")
        above.set(ylabel="seconds", ylim=(0, None))
        above.legend()
        below = figure.add_subplot(2, 2, 3 + column)
        below.plot(list(of_size), megabytes, "o-")
        below.set(ylabel="peak memory [MB]", xlabel=NAMES[kind], ylim=(0, None))
    path.write_bytes(to_png(figure))


def main() -> int:
    """Measure and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-rounds", type=int, default=3, help="runs of each size, of which the median counts")
    parser.add_argument("-o", type=Path, default=PICTURE, help="picture to draw")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        results = {kind: {n: measure(kind, n, Path(name), args.rounds) for n in SIZES[kind]} for kind in SIZES}
    rows = [
        [f"{n} {NAMES[kind]}", f"{cost.wall_s:.2f}", f"{cost.cpu_s:.2f}", f"{cost.megabytes:.0f}"]
        for kind, of_size in results.items()
        for n, cost in of_size.items()
    ]
    print(table(["scan", "wall [s]", "processor [s]", "peak memory [MB]"], rows))
    draw(results, args.o)
    return 0


if __name__ == "__main__":
    sys.exit(main())
