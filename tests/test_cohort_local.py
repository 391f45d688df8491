"""Several workers on one machine share the scans of a run."""

import os
import shutil
import time
from dataclasses import replace

import pytest
from cohort_cases import WORKER, children_of, find, make_job, write_data_set

from deepspine_sct.cli import batch
from deepspine_sct.cohort import local, state
from deepspine_sct.cohort.job import Outcome
from deepspine_sct.cohort.supervisor import Supervisor
from deepspine_sct.errors import DeepspineError
from deepspine_sct.model.runtime import SHIPPED_ONNX
from deepspine_sct.quality_control.outcomes import FAILED, LABELLED


@pytest.fixture
def scans(tmp_path):
    """Write six scans."""
    return find(write_data_set(tmp_path / "data", [f"sub-{n}/anat/sub-{n}_T2w.nii.gz" for n in range(6)]))


@pytest.fixture
def job(tmp_path, monkeypatch):
    """Make a job whose workers only pretend."""
    monkeypatch.setattr(local, "Supervisor", lambda job: Supervisor(job, [str(WORKER)]))
    return make_job(tmp_path / "data", tmp_path / "out", timeout_s=20)


def test_two_workers_do_every_scan_once_and_record_it(job, scans):
    """All outcomes come, each is on the disk by then, and both workers had their share."""
    workers, done = set(), []
    for outcome in local.label_locally(job, scans, 2):
        workers |= set(outcome.warnings)
        (scan,) = (scan for scan in scans if scan.path == outcome.image)
        done.append(scan)
        record = state.files_of(job, scan).record
        assert state.read_record(record)[0] == outcome
        assert outcome.kind == LABELLED
        assert len((scan.image.parent / f"{scan.image.name}.").read_text().split()) == 1  # one try
    assert sorted(done, key=lambda scan: scan.path) == scans
    assert len(workers) == 2


def test_what_is_settled_meanwhile_is_not_done_again(job, scans, monkeypatch):
    """As when Dask hands a scan out twice: the first outcome is handed on, no worker sees the scan."""
    before = Outcome(scans[2].path, LABELLED, warnings=("another worker did it",))
    monkeypatch.setattr(local, "settled", lambda job, scan: before if scan == scans[2] else None)
    with local.Supervisor(job) as supervisor:
        outcomes = list(local.label_recorded(supervisor, scans[1:4]))
    assert sorted(outcome.image for outcome in outcomes) == [scan.path for scan in scans[1:4]]
    assert before in outcomes
    assert not list(scans[2].image.parent.glob("*.gz.*"))


def test_a_scan_that_changes_while_it_is_labelled_is_done_again(tmp_path, monkeypatch):
    """Its record holds the file that was there before; the next run labels the one that is there now."""
    monkeypatch.setattr(local, "Supervisor", lambda job: Supervisor(job, [str(WORKER)]))
    names = [f"sub-{n}/anat/sub-{n}_acq-{what}_T2w.nii.gz" for n, what in enumerate(("replaced", "b"))]
    scans = find(write_data_set(tmp_path / "data", names))
    job = make_job(tmp_path / "data", tmp_path / "out", timeout_s=20)
    assert {outcome.kind for outcome in local.label_locally(job, scans, 1)} == {LABELLED}
    inputs = [state.read_record(state.files_of(job, scan).record)[1] for scan in scans]
    now = [state.made_from(job, scan, state.files_of(job, scan)) for scan in scans]
    assert inputs[0] != now[0] and inputs[1] == now[1]


def test_a_run_that_cannot_work_says_so(job, scans):
    """The error of a thread arrives in the caller's."""
    with pytest.raises(DeepspineError, match="install the same"):
        list(local.label_locally(replace(job, checksum="0" * 64), scans, 2))


def test_a_network_that_vanishes_ends_the_command_in_one_line(job, tmp_path, monkeypatch, capsys):
    """In the middle of a run, together with a worker: exit status 1, the file is named, and no process is left."""
    names = [f"sub-{n}/anat/sub-{n}_acq-{'networkless' if n == 1 else n}_T2w.nii.gz" for n in range(6)]
    data, model = write_data_set(tmp_path / "data", names), tmp_path / "network.onnx"
    shutil.copy(SHIPPED_ONNX, model)
    monkeypatch.setenv("SCT_PROGRESS_BAR", "off")
    before = children_of(os.getpid())
    command = [str(data), str(tmp_path / "out"), "participant", "--n-procs", "2", "--model", str(model)]
    assert batch.main(command) == 1
    error = f"sct_deepspine_batch: error: a worker could not start: {model}: no such network; check -model"
    assert [line for line in capsys.readouterr().err.splitlines() if not line.startswith("Warning")] == [error]
    assert children_of(os.getpid()) == before


def test_a_scan_without_a_place_for_its_record_fails_alone(job, scans, tmp_path):
    """A link that leads out of the target folder costs its own scan only, and nothing is written through it."""
    (tmp_path / "elsewhere").mkdir()
    job.target.mkdir()
    (job.target / "sub-1").symlink_to(tmp_path / "elsewhere")
    outcomes = {outcome.image: outcome for outcome in local.label_locally(job, scans[:3], 2)}
    assert [outcomes[scan.path].kind for scan in scans[:3]] == [LABELLED, FAILED, LABELLED]
    assert "leads out of" in outcomes[scans[1].path].reason
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize("place", ["out/sub-1", "out/logs/sub-1"])
def test_a_link_that_leads_to_itself_costs_its_own_scan_only(job, scans, tmp_path, place):
    """In the target folder and in that of the records."""
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).symlink_to(tmp_path / place)
    outcomes = {outcome.image: outcome for outcome in local.label_locally(job, scans[:3], 2)}
    assert [outcomes[scan.path].kind for scan in scans[:3]] == [LABELLED, FAILED, LABELLED]
    reason = outcomes[scans[1].path].reason
    assert reason.startswith(f"{tmp_path / place}") and "symbolic links); check" in reason


def test_workers_are_killed_when_the_caller_stops_listening(job, scans):
    """An interruption from the keyboard leaves no process behind."""
    outcomes = local.label_locally(job, scans, 2)
    (pid,) = next(outcomes).warnings
    outcomes.close()
    for _ in range(50):
        if not os.path.exists(f"/proc/{pid}"):
            break
        time.sleep(0.1)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)
