"""Whatever befalls a worker process, every scan gets the outcome that it deserves."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path
from threading import Timer

import pytest
from cohort_cases import WORKER, find, make_job, write_data_set

import deepspine_sct
from deepspine_sct.cohort.bids_derivative import files_of
from deepspine_sct.cohort.supervisor import Supervisor
from deepspine_sct.errors import DeepspineError
from deepspine_sct.model.runtime import SHIPPED_ONNX
from deepspine_sct.quality_control.outcomes import FAILED, LABELLED


def prepare(tmp_path, *acquisitions: str):
    """Write a scan for each thing that is to befall, in this order; return the job and the scans."""
    names = [f"sub-{n:02d}/anat/sub-{n:02d}_acq-{what}_T2w.nii.gz" for n, what in enumerate(acquisitions)]
    scans = find(write_data_set(tmp_path / "data", names))
    job = make_job(tmp_path / "data", tmp_path / "out", timeout_s=2.0, memory_gb=1.5)
    return job, scans


def label_all(job, scans) -> dict[str, object]:
    """Label scans under supervision; return the outcome of each by what befell."""
    with Supervisor(job, [str(WORKER)]) as supervisor:
        pairs = list(supervisor.label_all(iter(scans)))
    assert sorted(scan.stem for scan, _ in pairs) == sorted(scan.stem for scan in scans)  # each once
    assert all(outcome.image == scan.path for scan, outcome in pairs)
    return {scan.stem.split("_")[1][4:]: outcome for scan, outcome in pairs}


def tries(scan) -> list[str]:
    """Processes that have tried a scan."""
    return next(scan.image.parent.glob("*.nii.gz.*")).read_text().split()


def test_one_process_labels_all_scans_when_nothing_happens(tmp_path):
    """The network is loaded once, and every scan has a log of its own and knows its worker's memory."""
    job, scans = prepare(tmp_path, "a", "b", "c", "d")
    outcomes = label_all(job, scans)
    assert {outcome.kind for outcome in outcomes.values()} == {LABELLED}
    (pid,) = {warning for outcome in outcomes.values() for warning in outcome.warnings}
    assert int(pid) != os.getpid()
    for scan, outcome in zip(scans, outcomes.values(), strict=True):
        log = files_of(job, scan).log.read_text()
        assert log.count(f"labelled by {pid}") == 1
        assert 20 < outcome.peak_mb < 1536
        assert set(outcome.seconds) == {"read", "network"}


def test_a_workers_memory_is_its_own(tmp_path):
    """Not that of the process which started it, large as its list of scans may be."""
    ballast = b"x" * 2**29
    job, scans = prepare(tmp_path, "a")
    (outcome,) = label_all(job, scans).values()
    assert 20 < outcome.peak_mb < len(ballast) / 2**20


def test_a_poisoned_scan_fails_alone_with_its_reason(tmp_path):
    """Crash, hang, memory and bug, each between good scans that are labelled."""
    poison = {
        "crash": "crashed (SIGSEGV)",
        "hang": "took longer than 2 s",
        "memory": "needs more memory than the 1.5 GB",
        "bug": "KeyError: 'a bug'",
    }
    order = [name for n, what in enumerate(poison) for name in (f"good{n}", what)] + ["last"]
    job, scans = prepare(tmp_path, *order)
    outcomes = label_all(job, scans)
    for what, outcome in outcomes.items():
        if what in poison:
            assert (outcome.kind, poison[what] in outcome.reason) == (FAILED, True), outcome
        else:
            assert outcome.kind == LABELLED
    logs = {scan.stem.split("_")[1][4:]: files_of(job, scan).log.read_text() for scan in scans}
    assert "Segmentation fault" in logs["crash"]
    assert "Timeout" in logs["hang"]
    assert "cohort_worker.py" in logs["hang"]  # where it hung
    assert "Traceback" in logs["bug"]


def test_a_worker_lost_by_accident_costs_no_scan(tmp_path):
    """A crash that does not come again is nobody's fault: both scans in hand are labelled."""
    job, scans = prepare(tmp_path, "a", "once", "b")
    outcomes = label_all(job, scans)
    assert {outcome.kind for outcome in outcomes.values()} == {LABELLED}
    assert len(set(tries(scans[1]))) == 2


def test_kill_9_between_and_during_scans_costs_no_scan(tmp_path):
    """After each answer the worker is killed, which has the next scan in hand; another one takes over."""
    job, scans = prepare(tmp_path, *(f"held{n}" for n in range(5)))
    workers = set()
    with Supervisor(replace(job, timeout_s=60), [str(WORKER)]) as supervisor:
        outcomes = supervisor.label_all(iter(scans))
        for scan in scans:
            Path(f"{scan.image}.go").touch()  # no scan ends before the worker of the one before is killed
            done, outcome = next(outcomes)
            assert (done, outcome.kind) == (scan, LABELLED)
            (pid,) = outcome.warnings
            workers.add(pid)
            os.kill(int(pid), signal.SIGKILL)
        assert list(outcomes) == []
    assert len(workers) == 5


def test_damaged_and_foreign_files_do_not_cost_the_worker(tmp_path):
    """They fail with the reader's own words, without the path, and the same process goes on."""
    job, scans = prepare(tmp_path, "a", "b", "c")
    scans[1].image.write_bytes(b"")
    outcomes = label_all(job, scans)
    assert outcomes["b"].reason == "is empty; copy it again"
    assert outcomes["a"].warnings == outcomes["c"].warnings


def test_a_scan_whose_folder_leads_out_fails_alone(tmp_path):
    """The refusal is an outcome like any other."""
    job, scans = prepare(tmp_path, "a", "b")
    job.target.mkdir()
    (job.target / "sub-01").symlink_to(tmp_path)
    outcomes = label_all(job, scans)
    assert outcomes["a"].kind == LABELLED
    assert "leads out" in outcomes["b"].reason


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"checksum": "f" * 64}, "install the same everywhere"),
        ({"model": "gone.onnx"}, "could not start.*gone.onnx"),
        ({"memory_gb": 0.01}, "could not start"),
    ],
)
def test_a_worker_that_cannot_start_is_no_scans_fault(tmp_path, change, words):
    """The run as a whole is refused then, and no process is left."""
    job, scans = prepare(tmp_path, "a")
    if "model" in change:
        change = {"model": tmp_path / change["model"]}
    with Supervisor(replace(job, **change)) as supervisor, pytest.raises(DeepspineError, match=words):
        list(supervisor.label_all(iter(scans)))


@pytest.mark.parametrize("fault", [Path.unlink, lambda path: path.write_bytes(b"")], ids=["gone", "empty"])
def test_a_network_that_vanishes_in_the_middle_of_a_run_ends_it(tmp_path, fault):
    """A worker is lost and the next one finds no network: one line that names the file, and no scan has failed."""
    job, scans = prepare(tmp_path, "a", "held")
    job = replace(job, model=Path(shutil.copy(SHIPPED_ONNX, tmp_path / "network.onnx")), timeout_s=60)
    with Supervisor(job, [str(WORKER)]) as supervisor:
        outcomes = supervisor.label_all(iter(scans))
        _, outcome = next(outcomes)
        fault(job.model)
        os.kill(int(outcome.warnings[0]), signal.SIGKILL)
        with pytest.raises(DeepspineError, match=f"^a worker could not start: {job.model}: [^\n]*$"):
            next(outcomes)


def test_a_network_that_the_disk_refuses_is_told_without_a_traceback(tmp_path, capfd):
    """Whatever the system says instead of an answer: in one line, and nothing from the worker itself."""
    job, scans = prepare(tmp_path, "a")
    job = replace(job, model=tmp_path / ("n" * 300 + ".onnx"))
    with Supervisor(job) as supervisor, pytest.raises(DeepspineError, match=r"could not start: [^\n]*nnn\.onnx"):
        list(supervisor.label_all(iter(scans)))
    assert capfd.readouterr() == ("", "")


def test_a_worker_that_closes_its_pipe_and_goes_on_is_killed(tmp_path, monkeypatch):
    """Its supervisor does not wait for it for ever."""
    job, scans = prepare(tmp_path, "a")
    monkeypatch.setattr("deepspine_sct.cohort.supervisor.GRACE_S", 0.1)
    closes = "import os, sys, time; os.close(int(sys.argv[2])); time.sleep(600)"
    with Supervisor(job, ["-c", closes]) as supervisor, pytest.raises(DeepspineError, match="closed its pipe"):
        list(supervisor.label_all(iter(scans)))


def test_a_worker_ends_when_its_supervisor_is_gone(tmp_path):
    """At once when idle, without anybody to kill it."""
    job, scans = prepare(tmp_path, "a")
    supervisor = Supervisor(job, [str(WORKER)])
    ((_, outcome),) = supervisor.label_all(iter(scans))
    (pid,) = outcome.warnings
    supervisor._pipe.close()  # what the system does for a supervisor that is killed
    assert supervisor._process.wait(timeout=60) == 0
    supervisor.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


@pytest.mark.parametrize("has_job", [False, True])
def test_a_worker_whose_supervisor_was_killed_while_it_starts_says_nothing(tmp_path, has_job):
    """Before the job came or after it: a traceback on the terminal of a run that was killed helps nobody."""
    job, _ = prepare(tmp_path, "a")
    ours, its = Pipe()
    package = str(Path(deepspine_sct.__file__).parents[1])
    worker = subprocess.Popen(
        [sys.executable, str(WORKER), package, str(its.fileno())], pass_fds=[its.fileno()], stderr=subprocess.PIPE
    )
    its.close()
    if has_job:
        ours.send(job)
    ours.close()
    _, said = worker.communicate(timeout=60)
    assert (worker.returncode, said) == (0, b"")


def test_stop_ends_a_run_at_once(tmp_path):
    """From another thread, in the middle of a scan that would take a minute."""
    job, scans = prepare(tmp_path, "hang", "a")
    with Supervisor(replace(job, timeout_s=60), [str(WORKER)]) as supervisor:
        Timer(2.0, supervisor.stop).start()
        started_s = time.monotonic()
        assert list(supervisor.label_all(iter(scans))) == []
    assert time.monotonic() - started_s < 30


def test_a_stop_while_a_worker_starts_is_not_lost(tmp_path, monkeypatch):
    """Between the last look at whether to go on and the birth of what could be killed: no scan is labelled."""
    job, scans = prepare(tmp_path, "a")
    start = subprocess.Popen
    with Supervisor(job, [str(WORKER)]) as supervisor:

        def stop_and_start(*arguments, **options):
            supervisor.stop()
            return start(*arguments, **options)

        monkeypatch.setattr(subprocess, "Popen", stop_and_start)
        assert list(supervisor.label_all(iter(scans))) == []
    assert not list(scans[0].image.parent.glob("*.nii.gz.*"))


def test_a_stop_while_a_worker_loads_its_network_ends_without_an_error(tmp_path):
    """It is not a worker that could not start."""
    job, scans = prepare(tmp_path, "a")
    with Supervisor(job, ["-c", "import time; time.sleep(60)"]) as supervisor:
        Timer(1.0, supervisor.stop).start()
        assert list(supervisor.label_all(iter(scans))) == []
