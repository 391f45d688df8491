"""What any number of scans costs, from the start of a run and each further scan: as tables and as a plot."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from benchmarks.cost.cohort_tables import NAMES
from benchmarks.cost.label import table
from deepspine_sct.files.atomic import atomic_path
from deepspine_sct.pictures.figure import new_figure, to_png
from deepspine_sct.pictures.matplotlib_settings import own_settings

COUNTS = (1, 10, 100, 1000, 10_000)
"""Numbers of scans in the tables."""

DRAWN = {"shell loop": ":", "2 workers": "-", "2 workers, `--qc`": "--"}
"""Ways in the tables and in the plot, with their lines."""


def at(cost: Mapping[str, float], n: float | np.ndarray, clock: str) -> float | np.ndarray:
    """Time [s] that n scans take, by the ``wall`` or the ``cpu`` clock."""
    return cost[f"start_{clock}_s"] + n * cost[f"each_{clock}_s"]


def paper_tables(speeds: Mapping[str, dict], plot: str) -> Iterator[str]:
    """One column for each number of scans."""
    yield f"![Wall time against the number of scans](images/{plot})"
    head = ["", *(f"{n:,}" for n in COUNTS)]
    for kind, speed in speeds.items():
        ways, left = speed["ways"], speed["results"]
        rows = [[way, *(_duration(at(ways[way], n, "wall")) for n in COUNTS)] for way in DRAWN]
        rows += [[f"{way}: processor", *(_duration(at(ways[way], n, "cpu")) for n in COUNTS)] for way in DRAWN]
        for way, (n_bytes, n_files) in left.items():
            if way in DRAWN:
                rows.append([f"{way}: results", *(_size(n * n_bytes) for n in COUNTS)])
                rows.append([f"{way}: files", *(f"{n * n_files:,.0f}" for n in COUNTS)])
        rows.append(["images to read", *(_size(n * speed["image_mb"] * 1e6) for n in COUNTS)])
        yield f"On paper, {NAMES[kind].lower()} scans:"
        yield table(head, rows)


def _duration(seconds: float) -> str:
    """Write a time in the unit that suits it."""
    return _in_units(seconds, {"h": 3600, "min": 60, "s": 1})


def _size(n_bytes: float) -> str:
    """Write a number of bytes in the unit that suits it."""
    return _in_units(n_bytes, {"GB": 1e9, "MB": 1e6, "kB": 1e3})


def _in_units(x: float, units: Mapping[str, float]) -> str:
    """Write a number in the largest unit of which it is more than one, or in the last; two digits at least."""
    unit = next((unit for unit, size in units.items() if x >= size), list(units)[-1])
    scaled = x / units[unit]
    return f"{scaled:.0f} {unit}" if scaled >= 10 else f"{scaled:.1f} {unit}"


@own_settings()
def draw(path: Path, speeds: Mapping[str, dict]) -> None:
    """Draw the wall time against the number of scans, and the runs that it is calculated from as dots."""
    counts = np.geomspace(COUNTS[0], COUNTS[-1])
    figure = new_figure(6.5, 4.2)
    axis = figure.add_subplot()
    for (kind, speed), colour in zip(speeds.items(), ("tab:blue", "tab:orange"), strict=True):
        for way, line in DRAWN.items():
            cost = speed["ways"][way]
            label = f"{NAMES[kind]}, {way.replace('`', '')}"
            axis.plot(counts, at(cost, counts, "wall") / 60, line, color=colour, label=label)
            axis.plot(cost["n"], cost["wall_s"] / 60, "o", color=colour, markersize=4)
    axis.set(xscale="log", yscale="log", xlabel="scans", ylabel="wall time, two cores [min]")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    with atomic_path(path) as temporary:
        temporary.write_bytes(to_png(figure))
