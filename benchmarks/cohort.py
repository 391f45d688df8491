"""A cohort from end to end: faults, speed, cluster and sudden death. ``make cohort``.

Writes a BIDS data set of 200 simulated scans, ten of them broken, and runs `sct_deepspine_batch` on
it as a user would. Every part says what it saw and stops where something is not as it must be. Wall
times are those of this machine at this moment; ratios come from runs that were taken in turns.
"""

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import nibabel as nib
import numpy as np
from cohort_data import FAULTS, REASONS, write_data_set

from deepspine_sct.evaluation.metrics import score_case, summarise
from deepspine_sct.image.nifti import read_labels
from deepspine_sct.training.atlas import build_atlas

ROOT = Path(__file__).resolve().parent.parent
BATCH = [sys.executable, "-m", "deepspine_sct.cli.batch"]
LABEL = [sys.executable, "-m", "deepspine_sct.cli.label"]
ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(ROOT),
    "SOURCE_DATE_EPOCH": "1700000000",  # one date for all runs, which are compared byte by byte
    "SCT_PROGRESS_BAR": "off",
}
LIMITS = ["--timeout", "20", "--memory", "3", "--qc", "-v", "1"]


def main() -> None:
    """Run the parts that are asked for, by default all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=200, help="scans (default: 200)")
    parser.add_argument("-size", choices=("full", "small"), default="full")
    parser.add_argument("-kills", type=int, default=20, help="random moments (default: 20)")
    parser.add_argument("-rounds", type=int, default=3, help="of the speed comparison (default: 3)")
    parser.add_argument("-model", type=Path, help="network (default: the installed one)")
    parser.add_argument("-sources", type=Path, default=ROOT.parent / "shared" / "real")
    parser.add_argument("-ofolder", type=Path, default=ROOT / "cohort_out")
    parser.add_argument("parts", nargs="*", default=["faults", "speed", "cluster", "kill"])
    args = parser.parse_args()
    if args.model:
        LIMITS.extend(["--model", str(args.model.resolve())])
        LABEL.extend(["-model", str(args.model.resolve())])
    data = args.ofolder / f"data_{args.n}_{args.size}"
    broken = prepare(data, args)
    for part in args.parts:
        print(f"\n## {part}", flush=True)
        PARTS[part](data, broken, args)


def prepare(data: Path, args: argparse.Namespace) -> dict[str, str]:
    """Write the data set unless it is there; return the fault of each broken scan."""
    notes = data.with_suffix(".json")
    if not notes.exists():
        shutil.rmtree(data, ignore_errors=True)
        atlas = build_atlas(args.sources / "pam50", args.sources / "head" / "icbm152_t1.nii.gz")
        notes.write_text(json.dumps(write_data_set(atlas, data, args.n, args.size)))
    return json.loads(notes.read_text())


def run(data: Path, target: Path, *arguments: str) -> tuple[int, float, str]:
    """Run the command to its end; return its status, wall time [s] and what it said."""
    started_s = time.perf_counter()
    command = [*BATCH, str(data), str(target), "participant", *LIMITS, *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.returncode, time.perf_counter() - started_s, done.stdout


def images(data: Path) -> list[str]:
    """List the images of the data set."""
    return sorted(str(path.relative_to(data)) for path in data.glob("sub-*/**/anat/*.nii*"))


def table_of(target: Path, name: str) -> list[dict[str, str]]:
    """Read a table of the results."""
    head, *lines = (target / name).read_text().splitlines()
    return [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]


def faults(data: Path, broken: dict[str, str], args: argparse.Namespace) -> None:
    """Every good scan is labelled, every fault is named; what a scan costs."""
    target = fresh(args.ofolder / "undisturbed")
    status, wall_s, said = run(data, target)
    rows = {row["scan"]: row for row in table_of(target, "scans.tsv")}
    assert set(rows) == set(images(data))
    assert status == 1, said
    for image, row in rows.items():
        kind, words = REASONS[broken[image]] if image in broken else ("labelled", "n/a")
        assert (row["outcome"], words in row["reason"]) == (kind, True), row
        if image in broken:
            print(f"{broken[image]:16s} {row['outcome']}: {row['reason'].replace(str(data), '...')}")
    n_good = len(rows) - len(broken)
    print(f"{n_good} of {n_good} good scans labelled, {len(broken)} of {len(FAULTS)} faults named")
    print(f"{wall_s:.0f} s in all, of which up to {2 * 21} s wait for the scan that takes too long")
    print_cost(target)
    print_accuracy(data, target)
    group = [*BATCH, str(data), str(target), "group", "-v", "0"]
    subprocess.run(group, cwd=ROOT, env=ENVIRONMENT, check=True)


def print_cost(target: Path) -> None:
    """What a scan costs, and by that what many would."""
    records = [json.loads(path.read_text()) for path in target.glob("logs/**/*.json")]
    labelled = [record for record in records if record["kind"] == "labelled"]
    seconds = median(sum(record["seconds"].values()) for record in labelled)
    peak_mb = max(record["peak_mb"] for record in labelled)
    n_bytes = sum(p.stat().st_size for p in target.rglob("*") if p.is_file()) / len(labelled)
    n_files = sum(1 for p in target.rglob("*") if p.is_file()) / len(labelled)
    print(f"a worker: {seconds:.2f} s a scan (median), {peak_mb:.0f} MB at most")
    for n in (10_000, 1_000_000):
        print(
            f"{n:,} scans: {n * seconds / 3600:,.0f} core hours, {n * n_bytes / 1e9:,.1f} GB in "
            f"{n * n_files:,.0f} files"
        )


def print_accuracy(data: Path, target: Path) -> None:
    """Compare the labels with the simulated truth: a run that is complete must also be right."""
    scores = []
    for path in sorted(target.glob("sub-*/**/*_dlabel.nii.gz")):
        truth = data / "derivatives" / "labels" / path.relative_to(target)
        scores.append(score_case(read_labels(path), read_labels(truth)))
    found = summarise(scores)
    print(f"discs named right: {found['identification_rate']:.1%}, {found['distance_median_mm']:.1f} mm off (median)")


def speed(data: Path, broken: dict[str, str], args: argparse.Namespace) -> None:
    """One call a scan after the other, each on all cores, against one and two workers, in turns."""
    chosen = [image for image in images(data) if image not in broken][:30]
    subset = fresh(args.ofolder / "subset")
    for image in chosen:
        (subset / image).parent.mkdir(parents=True, exist_ok=True)
        (subset / image).symlink_to(data / image)
    rates: dict[str, list[float]] = {"shell loop": [], "1 workers": [], "2 workers": []}
    silent = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    plain = [argument for argument in LIMITS if argument != "--qc"]  # as the loop draws nothing
    for _ in range(args.rounds):
        folder = fresh(args.ofolder / "speed")
        started_s = time.perf_counter()
        for image in chosen:
            call = [*LABEL, "-i", str(subset / image), "-c", "t2", "-ofolder", str(folder), "-v", "0"]
            subprocess.run(call, cwd=ROOT, env=ENVIRONMENT, **silent)
        rates["shell loop"].append(60 * len(chosen) / (time.perf_counter() - started_s))
        for n in (1, 2):
            command = [*BATCH, str(subset), str(fresh(folder)), "participant", *plain, "--n-procs", str(n)]
            started_s = time.perf_counter()
            subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, **silent)
            rates[f"{n} workers"].append(60 * len(chosen) / (time.perf_counter() - started_s))
    for name, per_minute in rates.items():
        ratios = [rate / loop for rate, loop in zip(per_minute, rates["shell loop"], strict=True)]
        print(f"{name:12s} {median(per_minute):6.1f} volumes a minute, {median(ratios):.2f} times the loop")


def cluster(data: Path, broken: dict[str, str], args: argparse.Namespace) -> None:
    """A scheduler and two workers on loopback; one is killed, then the scheduler; the same files."""
    expected = contents(args.ofolder / "undisturbed")
    target = fresh(args.ofolder / "cluster")
    with dask() as (address, _, workers):
        process = start([*BATCH, str(data), str(target), "participant", *LIMITS, "--scheduler", address])
        wait_for_labels(target, 5)
        for pid in children_of(workers[0].pid):
            os.kill(pid, signal.SIGKILL)
        said, _ = process.communicate()
    print(f"one of two Dask workers killed: {said.splitlines()[-2]}")
    assert contents(target) == expected
    target = fresh(args.ofolder / "cluster")
    with dask() as (address, scheduler, _):
        process = start([*BATCH, str(data), str(target), "participant", *LIMITS, "--scheduler", address])
        wait_for_labels(target, 5)
        scheduler.kill()
        print(f"scheduler killed: {process.communicate()[0].splitlines()[-1]}")
    with dask() as (address, _, _):
        _, _, said = run(data, target, "--scheduler", address)
    print("and again:", *said.splitlines()[-2:])
    assert contents(target) == expected
    print(f"all {len(expected)} files equal those of the local run, bit for bit")


def kill(data: Path, broken: dict[str, str], args: argparse.Namespace) -> None:
    """kill -9 at random moments: no file is ever torn, and in the end all are as if undisturbed."""
    target = fresh(args.ofolder / "killed")
    moments = random.Random(0)
    for n in range(args.kills):
        process = start([*BATCH, str(data), str(target), "participant", *LIMITS])
        time.sleep(moments.uniform(0.5, 12))
        workers = children_of(process.pid)
        victims = [process.pid, *workers] if n % 2 else [process.pid]  # orphans end by themselves
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        process.communicate()
        n_files = sum(whole(path) for path in target.rglob("*") if path.is_file() and path.name[0] != ".")
        n_done = len(list(target.glob("sub-*/**/*_dlabel.nii.gz")))
        print(f"kill {n + 1}: {len(victims)} processes, {n_files} files whole, {n_done} scans labelled", flush=True)
    status, _, said = run(data, target)
    print(f"resumed: exit status {status};", *said.splitlines()[-2:-1])
    assert contents(target) == contents(args.ofolder / "undisturbed")
    print("all files equal those of the undisturbed run, bit for bit; no temporary file is left")


PARTS = {"faults": faults, "speed": speed, "cluster": cluster, "kill": kill}


def whole(path: Path) -> bool:
    """Make sure that a file is complete; logs may end anywhere."""
    if path.name.endswith(".nii.gz"):
        assert np.asarray(nib.load(path).dataobj).any(), path
    elif path.suffix == ".json":
        assert json.loads(path.read_text()), path
    elif path.suffix == ".png":
        assert path.read_bytes().endswith(b"IEND\xaeB`\x82"), path
    elif path.suffix == ".tsv":
        assert path.read_bytes().endswith(b"\n"), path
    return True


def contents(folder: Path) -> dict[str, bytes]:
    """Read all results but the logs, the page and its figures; hidden files too."""
    found = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    own = ("logs", "figures", "report.html")
    return {str(name): path.read_bytes() for name, path in found.items() if name.parts[0] not in own}


def fresh(folder: Path) -> Path:
    """Make a folder empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def start(command: list[str]) -> subprocess.Popen:
    """Start a process and keep what it says."""
    return subprocess.Popen(
        command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def children_of(pid: int) -> list[int]:
    """List the processes that a process has started."""
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in threads for child in path.read_text().split()]


def wait_for_labels(target: Path, n: int) -> None:
    """Wait until a run has labelled some scans."""
    while len(list(target.glob("sub-*/**/*_dlabel.nii.gz"))) < n:
        time.sleep(0.2)


@contextmanager
def dask() -> Iterator[tuple[str, subprocess.Popen, list[subprocess.Popen]]]:
    """Run a Dask scheduler and two workers as processes of their own, on loopback."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    module = [sys.executable, "-m"]
    place = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    scheduler = start([*module, "distributed.cli.dask_scheduler", *place])
    worker = [*module, "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
    workers = [start(worker) for _ in range(2)]
    try:
        yield address, scheduler, workers
    finally:
        for process in (*workers, scheduler):
            for pid in (*children_of(process.pid), process.pid):
                os.kill(pid, signal.SIGKILL)
            process.communicate()


if __name__ == "__main__":
    main()
