"""The page on cohorts and the scripts beside it do what they say."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cohort_cases import DATA_TEST, ROOT

from deepspine_sct.cli.batch_arguments import get_parser

DOCS = ROOT / "docs"
PAGE = (DOCS / "cohorts.md").read_text()
COMMANDS = re.findall(r"^sct_deepspine_batch [^#\n]*", PAGE, flags=re.MULTILINE)


@pytest.fixture
def data(tmp_path) -> Path:
    """Link a demonstration scan into a data set of three participants, one with a session."""
    for folder, stem in {"sub-1": "sub-1", "sub-2/ses-a": "sub-2_ses-a", "sub-3": "sub-3"}.items():
        path = tmp_path / "data" / folder / "anat" / f"{stem}_T2w.nii.gz"
        path.parent.mkdir(parents=True)
        path.symlink_to(DATA_TEST / "t2_sim.nii.gz")
    return tmp_path / "data"


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    """Put the command on the PATH, run by this interpreter."""
    command = tmp_path / "bin" / "sct_deepspine_batch"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m deepspine_sct.cli.batch "$@"\n')
    command.chmod(0o755)
    path = f"{command.parent}:{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "SCT_PROGRESS_BAR": "off"}


def labelled(folder: Path) -> list[str]:
    """Name the participants that have labels."""
    return sorted(path.name.split("_")[0] for path in folder.glob("sub-*/**/*_dlabel.nii.gz"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_line_is_valid(command):
    """The parser accepts each call that the page shows."""
    assert get_parser().parse_args(command.split()[1:]).output_dir


def test_the_reference_is_the_help():
    """The options on the page are those of -h, word by word, whatever the line breaks."""
    help_text = subprocess.run(
        [sys.executable, "-m", "deepspine_sct.cli.batch", "-h"],
        cwd=ROOT, env=os.environ | {"COLUMNS": "100"}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    (reference,) = re.findall(r"^```text\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert reference.split() == help_text.split()


def test_every_file_that_the_page_names_is_there():
    """Links lead to the scripts beside it."""
    links = re.findall(r"\]\(([^):]+)\)", PAGE)
    assert links
    for link in links:
        assert (DOCS / link).exists(), link


def test_the_script_for_sct_run_batch_labels_its_participant(data, environment, tmp_path):
    """Called as `sct_run_batch` calls it, for a participant or one session of one; SCT is asked for each scan's QC."""
    calls = tmp_path / "calls.txt"
    stand_in = tmp_path / "bin" / "sct_qc"
    stand_in.write_text(f'#!/bin/sh\necho "$@" >> "{calls}"\n')
    stand_in.chmod(0o755)
    results, report = tmp_path / "results", tmp_path / "qc"
    environment |= {"PATH_DATA": str(data), "PATH_RESULTS": str(results), "PATH_QC": str(report)}
    script = str(DOCS / "cohort_sct_run_batch.sh")
    for subject in ("sub-1", "sub-2/ses-a"):
        subprocess.run([script, subject], cwd=tmp_path, env=environment, check=True)
    assert labelled(results / "deepspine") == ["sub-1", "sub-2"]
    first, second = calls.read_text().splitlines()
    stem = "sub-2/ses-a/anat/sub-2_ses-a_T2w"
    assert second.startswith(f"-i {data}/{stem}.nii.gz -s {results}/deepspine/{stem}_label-discs_dlabel.nii.gz -p ")
    assert second.endswith(f"-qc {report} -qc-dataset data -qc-subject sub-2") and "sub-1_T2w.nii.gz" in first
    (data / "sub-3" / "anat" / "sub-3_T2w.nii.gz").unlink()
    (data / "sub-3" / "anat" / "sub-3_T2w.nii.gz").write_text("no image")
    failed = subprocess.run([script, "sub-3"], cwd=tmp_path, env=environment, check=False)
    assert failed.returncode == 1 and len(calls.read_text().splitlines()) == 2


@pytest.mark.skipif(shutil.which("sct_run_batch") is None, reason="no SCT on the PATH: its batch runner is not tried")
def test_scts_own_batch_runner_fills_its_quality_control_page(data, environment, tmp_path):
    """The real `sct_run_batch` with our script: labels of all participants, and an entry for each scan."""
    command = ["sct_run_batch", "-path-data", "data", "-path-output", "out"]
    command += ["-script", str(DOCS / "cohort_sct_run_batch.sh"), "-jobs", "1"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert labelled(tmp_path / "out" / "results" / "deepspine") == ["sub-1", "sub-2", "sub-3"]
    entries = [json.loads(path.read_text()) for path in (tmp_path / "out" / "qc" / "_json").glob("*.json")]
    shown = sorted((entry["dataset"], entry["subject"]) for entry in entries)
    assert shown == [("data", "sub-1"), ("data", "sub-2"), ("data", "sub-3")]
    assert (tmp_path / "out" / "qc" / "index.html").exists()


def test_the_jobs_of_a_slurm_array_share_the_participants(data, environment, tmp_path):
    """The first of two does two of three; the fifth of five has nothing to do."""
    for job, n_jobs, done in ((0, 2, ["sub-1", "sub-3"]), (4, 5, ["sub-1", "sub-3"])):
        slurm = {"ARRAY_TASK_ID": job, "ARRAY_TASK_COUNT": n_jobs, "CPUS_PER_TASK": 1}
        environment |= {f"SLURM_{name}": str(value) for name, value in slurm.items()}
        script = str(DOCS / "cohort_slurm_array.sh")
        subprocess.run([script, str(data), str(tmp_path / "out")], env=environment, check=True)
        assert labelled(tmp_path / "out") == done
