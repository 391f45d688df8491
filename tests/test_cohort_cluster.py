"""A Dask cluster of separate processes on loopback: the same files, whichever of them is killed."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from cohort_cases import DATA_TEST, ROOT, children_of, contents, kill, kill_tree, load

from deepspine_sct.errors import DeepspineError

pytest.importorskip("distributed")

from deepspine_sct.cohort.cluster import label_on_cluster  # noqa: E402  (needs distributed)

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


HOLD = """
import time
from pathlib import Path
from deepspine_sct.cohort.cluster import KeepWorkers

def dask_setup(worker):
    label = KeepWorkers.label

    def held(self, job, scans):
        while any("sub-9" in scan.path for scan in scans) and not Path({go!r}).exists():
            time.sleep(0.05)
        return label(self, job, scans)

    KeepWorkers.label = held
"""
"""What Dask workers load so that a run cannot end: they label the last scan only when there is a file "go"."""


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, subprocess.Popen, list[subprocess.Popen]]]:
    """Run a scheduler and two Dask workers, which hold the last scan back; yields the address and the processes."""
    (folder / "hold.py").write_text(HOLD.format(go=str(folder / "go")))
    told = folder / "scheduler.json"
    dask = [sys.executable, "-m"]
    # It chooses a port itself: one that was free a moment ago may have been taken meanwhile.
    where = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(told)]
    processes = [start(*dask, "distributed.cli.dask_scheduler", *where)]
    try:
        address = address_of(processes[0], told)
        worker = [*dask, "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-dashboard"]
        worker += ["--local-directory", str(folder), "--preload", str(folder / "hold.py")]
        processes += [start(*worker) for _ in range(2)]
        yield address, processes[0], processes[1:]
    finally:
        for process in reversed(processes):
            kill_tree(process.pid)
            process.communicate()


def address_of(scheduler: subprocess.Popen, told: Path) -> str:
    """Wait until a scheduler listens and has told where."""
    while True:
        with suppress(FileNotFoundError, ValueError):  # not there yet, or being written
            return load(told)["address"]
        assert scheduler.poll() is None, scheduler.communicate()
        time.sleep(0.05)


def wait_for_labels(run: subprocess.Popen, folder: Path, n: int) -> None:
    """Wait until a run has labelled some scans."""
    while len(list(folder.glob("sub-*/anat/*dlabel.nii.gz"))) < n:
        assert run.poll() is None, run.communicate()
        time.sleep(0.05)


def test_a_killed_worker_costs_no_scan_and_changes_no_bit(data, undisturbed, tmp_path):
    """One of the two Dask workers is killed in mid-run: all scans are labelled, as without a cluster."""
    with cluster(tmp_path) as (address, _, workers):
        run = batch(data, "cluster", "--scheduler", address)
        wait_for_labels(run, data.parent / "cluster", 2)
        kill(*children_of(workers[0].pid))
        (tmp_path / "go").touch()
        said, _ = run.communicate(timeout=300)
    assert run.returncode == 0, said
    assert f"This run: {N_SCANS} labelled" in said
    assert contents(data.parent / "cluster", "logs", "deepspine.html") == undisturbed


def test_a_killed_scheduler_is_told_and_the_next_run_finishes(data, undisturbed, tmp_path):
    """Exit status 1 and one line; on a new cluster only what is missing is done."""
    out = data.parent / "twice"
    with cluster(tmp_path) as (address, scheduler, _):
        run = batch(data, "twice", "--scheduler", address)
        wait_for_labels(run, out, 2)
        scheduler.kill()
        said, _ = run.communicate(timeout=300)
    assert run.returncode == 1
    assert said.splitlines()[-1].endswith("the scheduler is gone; start it and run this again")
    assert "Traceback" not in said
    (tmp_path / "scheduler.json").unlink()
    (tmp_path / "go").touch()
    with cluster(tmp_path) as (address, _, _):
        run = batch(data, "twice", "--scheduler", address, "--resume")
        said, _ = run.communicate(timeout=300)
    assert run.returncode == 0, said
    assert "scans are done already" in said
    assert contents(out, "logs", "deepspine.html") == undisturbed


class DyingClient:
    """Stands for Dask's client, whose scheduler dies before the nth talk with it."""

    loop, status = None, "running"

    def __init__(self, dies_before: int, error: Exception):
        self._n_left, self._error = dies_before, error
        self.n_talks = 0

    def _talk(self):
        self.n_talks += 1
        if self.n_talks >= self._n_left:
            raise self._error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def register_plugin(self, plugin, name):
        self._talk()

    def nthreads(self):
        self._talk()
        return {"worker": 1}

    def submit(self, *arguments, **_):
        self._talk()
        return SimpleNamespace(key=object(), status="finished", result=lambda: self._talk() or [arguments])


@pytest.fixture
def dying_client(monkeypatch):
    """Have the command talk with a client that dies before its nth talk; yields its builder."""
    from deepspine_sct.cohort import cluster as module

    class Completed(list):
        add = list.append

    def build(dies_before: int, error: Exception) -> DyingClient:
        client = DyingClient(dies_before, error)
        monkeypatch.setattr(module, "_connect", lambda address: client)
        return client

    monkeypatch.setattr(module, "as_completed", lambda first, loop: Completed(first))
    return build


def test_whichever_talk_with_a_dead_scheduler_fails_is_told_in_the_usual_line(dying_client):
    """It dies before the first talk, before the last, or in between: one line; the very last one is free."""
    undisturbed = dying_client(10**9, OSError())
    assert len(list(label_on_cluster(None, [None] * 6, "tcp://1"))) == 6
    assert undisturbed.n_talks > 2 * 6
    for n in range(1, undisturbed.n_talks):
        for error in (ConnectionResetError("reset"), TimeoutError(), CancelledError()):
            dying_client(n, error)
            with pytest.raises(DeepspineError, match="^tcp://1: the scheduler is gone; start it and run this again$"):
                list(label_on_cluster(None, [None] * 6, "tcp://1"))
    dying_client(undisturbed.n_talks, OSError())
    assert len(list(label_on_cluster(None, [None] * 6, "tcp://1"))) == 6


def test_only_a_closed_client_turns_a_strange_error_into_a_scheduler_that_is_gone(dying_client):
    """A fault of ours stays one; after the client closed itself, whatever it raises means the same."""
    dying_client(4, AttributeError("a fault"))
    with pytest.raises(AttributeError, match="a fault"):
        list(label_on_cluster(None, [None] * 6, "tcp://1"))
    dying_client(4, AttributeError("None has no send")).status = "closed"
    with pytest.raises(DeepspineError, match="the scheduler is gone"):
        list(label_on_cluster(None, [None] * 6, "tcp://1"))
