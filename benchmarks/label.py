"""How long the whole command takes, cold, as a process: ``make bench``.

Beside it stand the floors that no program on the same libraries gets below. Medians of several
runs, taken in turns so that a busy moment of the machine hits all alike.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

ROOT = Path(__file__).resolve().parent.parent
LABEL = [sys.executable, "-m", "deepspine_sct.cli.label"]
FLOORS = {
    "python": [sys.executable, "-c", "pass"],
    "import numpy, nibabel": [sys.executable, "-c", "import numpy, nibabel"],
    "import torch": [sys.executable, "-c", "import torch"],
    "sct_deepspine_label -h": [*LABEL, "-h"],
}


def run(command: list[str]) -> tuple[float, float]:
    """Run a process to its end; return its wall time [s] and peak memory [MB]."""
    started_s = perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = perf_counter() - started_s
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit status {process.returncode}")
    kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return wall_s, kilobytes / 1024


def main() -> None:
    """Print one table of processes and one of the stages inside the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-runs", type=int, default=7, help="runs of each process (default: 7)")
    parser.add_argument(
        "scans",
        nargs="*",
        type=Path,
        default=sorted((ROOT / "data_test").glob("*_sim.nii.gz")),
        help="scans to label (default: those in data_test)",
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        reports = {scan: Path(folder) / f"{n}.json" for n, scan in enumerate(args.scans)}
        commands = FLOORS | {
            f"label {scan.name}": [
                *LABEL, "-i", str(scan.resolve()), "-c", "t2", "-ofolder", folder,
                "-json", str(report), "-v", "0",
            ]
            for scan, report in reports.items()
        }  # fmt: skip
        measured = {name: [] for name in commands}
        stages = {scan: [] for scan in reports}
        for _ in range(args.runs):
            for name, command in commands.items():
                measured[name].append(run(command))
            for scan, report in reports.items():
                stages[scan].append(json.loads(report.read_text())["seconds"])
    print(f"{'process':34s}  median [s]   best [s]  memory [MB]")
    for name, runs in measured.items():
        seconds, megabytes = zip(*runs, strict=True)
        print(f"{name:34s}  {median(seconds):10.3f} {min(seconds):10.3f}  {max(megabytes):11.0f}")
    for scan, runs in stages.items():
        parts = (f"{stage} {median(run[stage] for run in runs):.3f}" for stage in runs[0])
        print(f"{scan.name}: {', '.join(parts)}")


if __name__ == "__main__":
    main()
