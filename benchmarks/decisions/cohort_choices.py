"""How the workers of a cohort share the cores: ``python -m benchmarks.decisions.cohort_choices``, three minutes.

One cervical scan under many names is labelled by other numbers of workers and of threads of each, by workers without
garbage collection, and on a disk that takes 20 ms to make a file safe. Then two workers are watched: how long their
main threads run, wait for a core, and wait for anything else, which is all that more overlapping of reading, network
and writing could win. Last, to fork a worker from a process with the network loaded is compared with starting one.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.cost.cohort_cost import link_cohort
from benchmarks.cost.cohort_run import ENVIRONMENT, Cost, fresh, measured
from benchmarks.cost.label import table
from benchmarks.cost.scans import write_scan
from benchmarks.sources import ROOT

BATCH = """\
import sys
from deepspine_sct.cohort import supervisor
supervisor._ONE_THREAD["OMP_NUM_THREADS"] = sys.argv[1]
from deepspine_sct.cli.batch import main
main([*sys.argv[3:], "participant", "-v", "0", "--n-procs", sys.argv[2]])"""

SLOW_DISK = "import os, time\nfsync = os.fsync\nos.fsync = lambda descriptor: (time.sleep(0.02), fsync(descriptor))\n"
NO_GARBAGE = "import gc\ngc.disable()\n"

FORK = """\
import os, time
started_s = time.perf_counter(), time.process_time()
from deepspine_sct.cohort import worker
worker.Predictor.load(None, device="cpu")
loaded_s = time.perf_counter(), time.process_time()
if os.fork() == 0:
    os._exit(0)
os.wait()
print(*(f"{after - before:.2f}" for before, after in zip(started_s, loaded_s)))
print(f"{time.perf_counter() - loaded_s[0]:.3f}")"""

CHOICES = {
    "2 workers of 1 thread": ("1", "2", ""),
    "1 worker of 2 threads": ("2", "1", ""),
    "3 workers of 1 thread": ("1", "3", ""),
    "2 workers, no garbage collection": ("1", "2", NO_GARBAGE),
    "slow disk, 2 workers": ("1", "2", SLOW_DISK),
    "slow disk, 3 workers": ("1", "3", SLOW_DISK),
}
"""Threads of each worker, workers, and what every process does first."""


def main() -> None:
    """Run all choices in turns and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=24, help="scans (default: 24)")
    parser.add_argument("-rounds", type=int, default=2, help="runs of each choice (default: 2)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = link_cohort(write_scan(folder, "cervical"), fresh(folder / "data"), args.n)
        costs: dict[str, list[Cost]] = {choice: [] for choice in CHOICES}
        for _ in range(args.rounds):
            for choice, (threads, workers, first) in CHOICES.items():
                code = [sys.executable, "-c", BATCH, threads, workers, str(data), str(fresh(folder / "out"))]
                costs[choice].append(measured(code, environment(folder, first)))
        best = {choice: Cost(*map(min, zip(*runs, strict=True))) for choice, runs in costs.items()}
        rows = [[choice, f"{c.wall_s:.1f}", f"{c.cpu_s:.1f}", f"{c.peak_mb:.0f}"] for choice, c in best.items()]
        print(table([f"{args.n} scans", "wall [s]", "processor [s]", "largest process [MB]"], rows))
        watch([sys.executable, "-c", BATCH, "1", "2", str(data), str(fresh(folder / "out"))])
    forked = subprocess.run([sys.executable, "-c", FORK], cwd=ROOT, env=ENVIRONMENT | {"OMP_NUM_THREADS": "1"},
                            check=True, capture_output=True, text=True)  # fmt: skip
    print("to start a worker: wall {} s, processor {} s; to fork it: wall {} s".format(*forked.stdout.split()))


def environment(folder: Path, first: str) -> dict[str, str]:
    """Return an environment in which every Python does something first."""
    (folder / "sitecustomize.py").write_text(first)
    return ENVIRONMENT | {"PYTHONPATH": f"{folder}:{ENVIRONMENT['PYTHONPATH']}"}


def watch(command: list[str]) -> None:
    """Say how the main threads of the workers spend their time, once they have begun to label."""
    process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT)
    first: dict[int, tuple[float, float, float]] = {}
    last: dict[int, tuple[float, float, float]] = {}
    while process.poll() is None:
        for children in Path(f"/proc/{process.pid}/task").glob("*/children"):
            for pid in map(int, children.read_text().split()):
                last[pid] = schedule(pid)
                if last[pid][1] > 1.0:  # by then it has loaded the network
                    first.setdefault(pid, last[pid])
        time.sleep(0.05)
    for pid, begun in first.items():
        passed_s, ran_s, queued_s = (after - before for before, after in zip(begun, last[pid], strict=True))
        waited = max(0.0, 1 - (ran_s + queued_s) / passed_s)
        print(f"a worker in {passed_s:.1f} s: runs {ran_s / passed_s:.1%}, waits for a core"
              f" {queued_s / passed_s:.1%}, for all else {waited:.1%}")  # fmt: skip


def schedule(pid: int) -> tuple[float, float, float]:
    """Time now, and how long the main thread of a process has run and waited for a core [s]; Linux only."""
    ran_ns, queued_ns, _ = map(int, Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split())
    return time.perf_counter(), ran_ns / 1e9, queued_ns / 1e9


if __name__ == "__main__":
    main()
