"""What `benchmarks.cost.cohort_cost` measured, as Markdown tables."""

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.cost.label import table

NAMES = {"cervical": "Cervical", "whole_spine": "Whole spine"}
"""Kind of scans, as headings and legends say it."""


def speed_tables(speeds: Mapping[str, dict]) -> Iterator[str]:
    """One line for each way to label the scans of a kind."""
    head = ["", "volumes per minute", "times the loop", "processor [s per volume]", "cores kept busy",
            "start [s]", "its processor [s]", "further volume [s]", "its processor [s]",
            "memory of a worker [MB]"]  # fmt: skip
    for kind, speed in speeds.items():
        rows = []
        for way, cost in speed["ways"].items():
            loop = speed["ways"]["shell loop" + ", `-qc`" * ("qc" in way)]
            rows.append([
                way, f"{per_minute(cost):.0f}", f"{per_minute(cost) / per_minute(loop):.2f}",
                f"{cost['cpu_s'] / cost['n']:.2f}", f"{cost['cpu_s'] / cost['wall_s']:.2f}",
                f"{cost['start_wall_s']:.1f}", f"{cost['start_cpu_s']:.1f}",
                f"{cost['each_wall_s']:.2f}", f"{cost['each_cpu_s']:.2f}", f"{cost['worker_mb']:.0f}",
            ])  # fmt: skip
        n = max(cost["n"] for cost in speed["ways"].values())
        yield f"{NAMES[kind]} scans, {n} of them, {speed['image_mb']:.1f} MB each:"
        yield table(head, rows)


def per_minute(cost: Mapping[str, float]) -> float:
    """Volumes per minute of a run, its start included."""
    return 60 * cost["n"] / cost["wall_s"]


def books_table(rows: Sequence[tuple[int, str, Sequence[float]]]) -> str:
    """One line for each number of scans and level."""
    lines = [[f"{n:,}", level, *(f"{x:.1f}" for x in cost[:2]), f"{cost[2]:.0f}"] for n, level, cost in rows]
    return "Books:\n\n" + table(["scans", "level", "wall [s]", "processor [s]", "memory [MB]"], lines)
