"""How long the whole command takes, cold, as a process, and how much memory: ``make bench``.

Every process runs once a round, so that a busy moment of the machine hits all alike, and each round
compares them with ``import torch`` of the same round. The tables go to ``docs/speed_table.md``.
This program itself imports nothing large: a child's peak memory would count its parent's.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

from benchmarks.sources import DATA_TEST, ROOT

WEIGHTS = ROOT / "deepspine_sct" / "model" / "weights" / "deepspine.safetensors"
PYTHON = sys.executable
LABEL = [PYTHON, "-m", "deepspine_sct.cli.label"]
YARDSTICK = "import torch"
ORIGINAL = "original architecture, one slice"
LIBRARIES = "import numpy, nibabel, onnxruntime"
FLOORS = {name: [PYTHON, "-c", name] for name in ("pass", "import numpy, nibabel", LIBRARIES, YARDSTICK)}


class Cost(NamedTuple):
    """What one run of a process takes."""

    wall_s: float
    cpu_s: float
    megabytes: float


def run(command: list[str]) -> Cost:
    """Run a process to its end."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    started_s = perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, **quiet)
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = perf_counter() - started_s
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit status {process.returncode}")
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return Cost(wall_s, usage.ru_utime + usage.ru_stime, kilobytes / 1024)


def answer(script: str, *arguments: str) -> str:
    """Run one of the benchmarks beside this one and return what it prints."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [PYTHON, "-m", f"benchmarks.cost.{script}", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout


def label(scan: Path, report: Path, *options: str) -> list[str]:
    """Command line that labels a scan beside its report."""
    return [*LABEL, "-i", str(scan), "-c", "t2", "-ofolder", str(report.parent), "-json", str(report), "-v", "0",
            *options]  # fmt: skip


def measure(
    scans: list[Path], folder: Path, rounds: int
) -> tuple[dict[str, list[Cost]], dict[str, list[dict[str, float]]]]:
    """Run everything round by round; return the costs of each process and the stages of each scan [s]."""
    reports = {scan: folder / f"{scan.name}.json" for scan in scans}
    commands = FLOORS | {"sct_deepspine_label -h": [*LABEL, "-h"]}
    commands |= {f"label {scan.name}": label(scan, report) for scan, report in reports.items()}
    commands |= {
        f"label {scans[0].name}, through torch": label(
            scans[0], folder / "torch.json", "-model", str(WEIGHTS), "-device", "cpu"
        ),
        ORIGINAL: [PYTHON, "-m", "benchmarks.cost.original"],
    }
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    stages: dict[str, list[dict[str, float]]] = {scan.name: [] for scan in scans}
    for number in range(rounds):
        for name, command in commands.items():
            costs[name].append(run(command))
        for scan, report in reports.items():
            seconds = json.loads(report.read_text())["seconds"]
            wall_s = costs[f"label {scan.name}"][-1].wall_s
            stages[scan.name].append({"start": wall_s - sum(seconds.values())} | seconds)
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return costs, stages


def table(head: list[str], rows: list[list[str]]) -> str:
    """Format a Markdown table, the first column to the left."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def process_table(costs: Mapping[str, list[Cost]]) -> str:
    """One line a process."""
    yardstick = costs[YARDSTICK]
    rows = []
    for name, runs in costs.items():
        ratio = median(mine.wall_s / other.wall_s for mine, other in zip(runs, yardstick, strict=True))
        wall_s, cpu_s, megabytes = zip(*runs, strict=True)
        rows.append([f"`{name}`", f"{median(wall_s):.2f}", f"{min(wall_s):.2f}", f"{median(cpu_s):.2f}",
                     f"{ratio:.2f}", f"{max(megabytes):.0f}"])  # fmt: skip
    head = ["process", "wall, median [s]", "best [s]", "CPU [s]", "wall / `import torch`", "peak memory [MB]"]
    return table(head, rows)


def stage_table(
    stages: Mapping[str, list[dict[str, float]]], costs: Mapping[str, list[Cost]], compared: Mapping
) -> str:
    """Two lines per scan: what each stage takes, and what it is compared with [ms]."""
    names = list(dict.fromkeys(stage for runs in stages.values() for stage in runs[0]))
    start_s = median(cost.wall_s for cost in costs[LIBRARIES])
    rows = []
    for scan, runs in stages.items():
        took_s = {stage: median(run.get(stage, 0.0) for run in runs) for stage in names}
        compared_s = {"start": start_s} | compared[scan]
        rows.append([scan, *(f"{1000 * s:.0f}" for s in took_s.values())])
        rows.append(["to compare", *(f"{1000 * compared_s[s]:.0f}" if s in compared_s else "" for s in names)])
    return table(["scan [ms]", "start and end", *names[1:]], rows)


def network_table(yardsticks: Mapping, original: Mapping) -> str:
    """What the network does for each scan, beside the original's one slice."""
    rows = [[name, str(scan["images"]), f"{scan['multiply_adds'] / 1e9:.1f}"] for name, scan in yardsticks.items()]
    rows.append(["original architecture", "1", f"{original['multiply_adds'] / 1e9:.1f}"])
    return table(["scan", "images", "multiply-adds [billion]"], rows)


def against_original(costs: Mapping[str, list[Cost]], scan: str) -> str:
    """Compare labeling a scan with one look of the original network at one slice."""
    ours, theirs = costs[f"label {scan}"], costs[ORIGINAL]
    time = median(mine.wall_s / other.wall_s for mine, other in zip(ours, theirs, strict=True))
    memory = max(cost.megabytes for cost in ours) / max(cost.megabytes for cost in theirs)
    return (
        f"Labeling {scan} takes {time:.2f} of the time and {memory:.2f} of the memory of a process that shows one"
        " slice to the original architecture."
    )


def machine() -> str:
    """Describe where and with what this was measured."""
    info = Path("/proc/cpuinfo")
    models = [line.partition(": ")[2] for line in info.read_text().splitlines() if line.startswith("model name")] \
        if info.exists() else [platform.processor()]  # fmt: skip
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "nibabel", "onnxruntime", "torch"))
    threads = os.environ.get("OMP_NUM_THREADS", "not set")
    busy = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    return (
        f"{models[0]}, {os.cpu_count()} cores, load average before {busy}; `OMP_NUM_THREADS` {threads}; "
        f"{platform.system()}, Python {platform.python_version()}, {packages}."
    )


def main() -> None:
    """Measure, print the tables and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-rounds", type=int, default=7, help="runs of each process (default: 7)")
    parser.add_argument("-o", type=Path, default=ROOT / "docs" / "speed_table.md", help="file to write")
    parser.add_argument("scans", nargs="*", type=Path, help="scans to time instead of the four of docs/speed.md")
    args = parser.parse_args()
    where = machine()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scans = [scan.resolve() for scan in args.scans]
        if not scans:
            made = answer("scans", name).split()
            scans = [Path(made[0]), DATA_TEST / "t2_sim.nii.gz", *map(Path, made[1:])]
        measured = json.loads(answer("yardsticks", *map(str, scans)))
        yardsticks = {Path(path).name: scan for path, scan in measured["scans"].items()}
        original = json.loads(answer("original"))
        costs, stages = measure(scans, folder, args.rounds)
    text = f"""<!-- Written by `make bench`. -->

{where} Medians of {args.rounds} rounds.

{process_table(costs)}

{stage_table(stages, costs, yardsticks)}

{network_table(yardsticks, original)}

The machine multiplies large matrices at {measured["multiply_adds_per_s"] / 1e9:.0f} billion multiply-adds
per second in single floats. To compare with: the start takes at least as long as the libraries of the command by
themselves, and the reading as long as the decompression. In single floats at that rate, the network would take as
long as given; it computes in integers. The original architecture has
{original["parameters"] / 1e6:.1f} million random weights and labels nothing.
{against_original(costs, scans[0].name)}
"""
    print(text)
    args.o.write_text(text)


if __name__ == "__main__":
    main()
