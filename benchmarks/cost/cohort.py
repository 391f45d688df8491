"""A cohort from end to end: faults, cluster and sudden death. ``make cohort-faults``.

Writes a BIDS data set of 200 simulated scans, ten of them broken, and runs `sct_deepspine_batch` on
it as a user would. Every part says what it saw and stops where something is not as it must be. What a
cohort costs is for `benchmarks.cost.cohort_cost`.
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

import nibabel as nib
import numpy as np

from benchmarks.cost.cohort_data import FAULTS, REASONS, write_data_set
from benchmarks.cost.cohort_run import BATCH, ENVIRONMENT, LIMITS, contents, fresh, images, run, start
from benchmarks.sources import REAL, ROOT
from deepspine_sct.evaluation.metrics import score_case, summarise
from deepspine_sct.image.labels import read_labels
from deepspine_sct.simulation.atlas import build_atlas


def main() -> None:
    """Run the parts that are asked for, by default all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=200, help="scans (default: 200)")
    parser.add_argument("-size", choices=("full", "small"), default="full")
    parser.add_argument("-kills", type=int, default=20, help="random moments (default: 20)")
    parser.add_argument("-model", type=Path, help="network (default: the installed one)")
    parser.add_argument("-sources", type=Path, default=REAL)
    parser.add_argument("-ofolder", type=Path, default=ROOT / "cohort_out")
    parser.add_argument("parts", nargs="*", default=list(PARTS))
    args = parser.parse_args()
    if args.model:
        LIMITS.extend(["--model", str(args.model.resolve())])
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
        atlas = build_atlas(args.sources)
        notes.write_text(json.dumps(write_data_set(atlas, data, args.n, args.size)))
    return json.loads(notes.read_text())


def table_of(target: Path, name: str) -> list[dict[str, str]]:
    """Read a table of the results."""
    head, *lines = (target / name).read_text().splitlines()
    return [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]


def faults(data: Path, broken: dict[str, str], args: argparse.Namespace) -> None:
    """Every good scan is labelled, every fault is named; what a scan costs."""
    target = fresh(args.ofolder / "undisturbed")
    status, wall_s, said = run(data, target)
    rows = {row["scan"]: row for row in table_of(target, "deepspine_images.tsv")}
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
    """Memory and disk of a labelled scan."""
    records = [json.loads(path.read_text()) for path in target.glob("logs/**/*.json")]
    labelled = [record for record in records if record["kind"] == "labelled"]
    files = [path.stat().st_size for path in target.rglob("*") if path.is_file()]
    print(f"a worker used {max(record['peak_mb'] for record in labelled)} MB at most")
    print(f"a scan leaves {sum(files) / len(labelled) / 1e3:.1f} kB in {len(files) / len(labelled):.1f} files")


def print_accuracy(data: Path, target: Path) -> None:
    """Compare the labels with the simulated truth: a run that is complete must also be right."""
    scores = []
    for path in sorted(target.glob("sub-*/**/*_dlabel.nii.gz")):
        truth = data / "derivatives" / "labels" / path.relative_to(target)
        scores.append(score_case(read_labels(path), read_labels(truth)))
    found = summarise(scores)
    print(f"discs named right: {found['identification_rate']:.1%}, {found['distance_median_mm']:.1f} mm off (median)")


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
    undisturbed, target = args.ofolder / "undisturbed", fresh(args.ofolder / "killed")
    moments = random.Random(0)
    longest_s = max(3.0, 2.5 * duration_s(undisturbed) / args.kills)  # spread over the whole of the work
    for n in range(args.kills):
        process = start([*BATCH, str(data), str(target), "participant", *LIMITS])
        time.sleep(moments.uniform(0.5, longest_s))
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
    assert contents(target) == contents(undisturbed)
    print("all files equal those of the undisturbed run, bit for bit; no temporary file is left")


def duration_s(target: Path) -> float:
    """Time that a run took, by its first and its last file."""
    started_s = (target / "dataset_description.json").stat().st_mtime
    return max(path.stat().st_mtime for path in target.glob("logs/**/*.json")) - started_s


PARTS = {"faults": faults, "cluster": cluster, "kill": kill}


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
