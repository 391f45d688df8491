"""What any number of scans costs, from the start of a run and each further scan: as tables and as a plot."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.cost.cohort_tables import NAMES
from benchmarks.cost.label import table
from deepspine_sct.files.atomic import atomic_path
from deepspine_sct.pictures.figure import new_figure, to_png
from deepspine_sct.pictures.matplotlib_settings import own_settings

COUNTS = (1, 10, 100, 1000, 10_000)
"""Numbers of scans in the tables."""

DRAWN = {"shell loop": ":", "2 workers": "-", "2 workers, `--qc`": "--"}
"""Ways in the tables and in the plot, with their lines."""


def at(cost: Mapping[str, float], n: int, clock: str) -> float:
    """Time [s] that n scans take, by the ``wall`` or the ``cpu`` clock."""
    return cost[f"start_{clock}_s"] + n * cost[f"each_{clock}_s"]


def paper_tables(speeds: Mapping[str, dict], plot: str) -> Iterator[str]:
    """One column for each number of scans."""
    yield f"![Wall time against the number of scans](images/{plot})"
    head = ["", *(f"{n:,}" for n in COUNTS)]
    for kind, speed in speeds.items():
        ways, left = speed["ways"], speed["results"]
        rows = [[f"{way} [min]", *(_rounded(at(ways[way], n, "wall") / 60) for n in COUNTS)] for way in DRAWN]
        rows += [
            [f"processor, {way} [h]", *(_rounded(at(ways[way], n, "cpu") / 3600) for n in COUNTS)] for way in DRAWN
        ]
        for way in tuple(DRAWN)[1:]:
            n_bytes, n_files = left[way]
            rows.append([f"results, {way} [MB]", *(_rounded(n * n_bytes / 1e6) for n in COUNTS)])
            rows.append([f"files, {way}", *(f"{n * n_files:,.0f}" for n in COUNTS)])
        rows.append(["images to read [GB]", *(_rounded(n * speed["image_mb"] / 1e3) for n in COUNTS)])
        yield f"On paper, {NAMES[kind].lower()} scans:"
        yield table(head, rows)


def _rounded(x: float) -> str:
    """Two digits, or all of those before the point."""
    return f"{x:,.0f}" if x >= 10 else f"{x:.2g}"


@own_settings()
def draw(path: Path, speeds: Mapping[str, dict]) -> None:
    """Draw the wall time against the number of scans, and the runs that it is calculated from as dots."""
    figure = new_figure(6.5, 4.2)
    axis = figure.add_subplot()
    for (kind, speed), colour in zip(speeds.items(), ("tab:blue", "tab:orange"), strict=True):
        for way, line in DRAWN.items():
            cost = speed["ways"][way]
            label = f"{NAMES[kind]}, {way.replace('`', '')}"
            axis.plot(COUNTS, [at(cost, n, "wall") / 60 for n in COUNTS], line, color=colour, label=label)
            axis.plot(cost["n"], cost["wall_s"] / 60, "o", color=colour, markersize=4)
    axis.set(xscale="log", yscale="log", xlabel="scans", ylabel="wall time, two cores [min]")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    with atomic_path(path) as temporary:
        temporary.write_bytes(to_png(figure))
