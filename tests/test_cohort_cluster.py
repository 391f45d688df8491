"""A Dask cluster of separate processes on loopback: the same files, whichever of them is killed."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cohort_cases import DATA_TEST, ROOT, children_of, contents

from deepspine_sct.errors import DeepspineError

pytest.importorskip("distributed")

ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(ROOT),
    "SOURCE_DATE_EPOCH": "1700000000",
    "SCT_PROGRESS_BAR": "off",
    "OMP_NUM_THREADS": "1",
}
N_SCANS = 10


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Copy a demonstration scan under ten names."""
    root = tmp_path_factory.mktemp("cluster") / "data"
    for n in range(N_SCANS):
        path = root / f"sub-{n}" / "anat" / f"sub-{n}_T2w.nii.gz"
        path.parent.mkdir(parents=True)
        shutil.copyfile(DATA_TEST / "t2_sim.nii.gz", path)
    return root


@pytest.fixture(scope="module")
def undisturbed(data) -> dict[str, bytes]:
    """Label the scans on this machine, without a cluster."""
    run = batch(data, "local", "--n-procs", "2")
    said, _ = run.communicate()
    assert run.returncode == 0, said
    return contents(data.parent / "local", "logs", "deepspine.html")


def batch(data: Path, target: str, *arguments: str) -> subprocess.Popen:
    """Start the command."""
    command = [sys.executable, "-m", "deepspine_sct.cli.batch", str(data), str(data.parent / target)]
    return start(*command, "participant", *arguments)


def start(*command: str) -> subprocess.Popen:
    """Start a process, and keep what it says."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, env=ENVIRONMENT, **pipes)


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, subprocess.Popen, list[subprocess.Popen]]]:
    """Run a scheduler and two Dask workers; yields the address and the processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    dask = [sys.executable, "-m"]
    scheduler = start(
        *dask, "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"
    )
    worker = [*dask, "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
    worker += ["--local-directory", str(folder)]
    workers = [start(*worker) for _ in range(2)]
    try:
        yield address, scheduler, workers
    finally:
        for process in (*workers, scheduler):
            for pid in (process.pid, *children_of(process.pid)):
                os.kill(pid, signal.SIGKILL)
            process.communicate()


def wait_for_labels(folder: Path, n: int) -> None:
    """Wait until a run has labelled some scans."""
    for _ in range(600):
        if len(list(folder.glob("sub-*/anat/*dlabel.nii.gz"))) >= n:
            return
        time.sleep(0.1)
    raise TimeoutError("the run makes no progress")


def test_a_killed_worker_costs_no_scan_and_changes_no_bit(data, undisturbed, tmp_path):
    """One of the two Dask workers is killed in mid-run: all scans are labelled, as without a cluster."""
    with cluster(tmp_path) as (address, _, workers):
        run = batch(data, "cluster", "--scheduler", address)
        wait_for_labels(data.parent / "cluster", 2)
        for pid in children_of(workers[0].pid):
            os.kill(pid, signal.SIGKILL)
        said, _ = run.communicate(timeout=120)
    assert run.returncode == 0, said
    assert f"This run: {N_SCANS} labelled" in said
    assert contents(data.parent / "cluster", "logs", "deepspine.html") == undisturbed


def test_a_killed_scheduler_is_told_and_the_next_run_finishes(data, undisturbed, tmp_path):
    """Exit status 1 and one line; on a new cluster only what is missing is done."""
    out = data.parent / "twice"
    with cluster(tmp_path) as (address, scheduler, _):
        run = batch(data, "twice", "--scheduler", address)
        wait_for_labels(out, 2)
        scheduler.kill()
        said, _ = run.communicate(timeout=120)
    assert run.returncode == 1
    assert said.splitlines()[-1].endswith("the scheduler is gone; start it and run this again")
    assert "Traceback" not in said
    with cluster(tmp_path) as (address, _, _):
        run = batch(data, "twice", "--scheduler", address, "--resume")
        said, _ = run.communicate(timeout=120)
    assert run.returncode == 0, said
    assert "scans are done already" in said
    assert contents(out, "logs", "deepspine.html") == undisturbed


def test_a_scheduler_that_dies_before_a_result_is_fetched_is_told(monkeypatch):
    """A task has ended, and the connection is closed while what it found is on its way: one line, no traceback."""
    from deepspine_sct.cohort import cluster as module

    class Future:
        key, status = "one", "finished"

        def result(self):
            raise OSError("in <TCP (closed) ConnectionPool.gather>: ConnectionResetError")

    class Client:
        loop = None

        def nthreads(self):
            return {}

        def submit(self, *args, **kwargs):
            return Future()

    monkeypatch.setattr(module, "as_completed", lambda first, loop: iter(first))
    with pytest.raises(DeepspineError, match="the scheduler is gone; start it and run this again"):
        list(module._hand_out(Client(), None, [None], "tcp://127.0.0.1:1"))
