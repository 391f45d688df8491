"""What surrounds the command, and must change neither its result nor its exit status."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from fake_predictor import SHAPE, known_discs, oblique_affine

from benchmarks.acceptance.fuzz_base import load_base
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.volume import Volume
from deepspine_sct.pictures.matplotlib_settings import own_settings
from deepspine_sct.pictures.overlay import render_overlay

ROOT = Path(__file__).resolve().parent.parent
ARGUMENTS = ["-c", "t2", "-json", "a.json", "-overlay", "a.png", "-qc", "qc", "-attention", "where.nii"]

CLOSED = {"cron": ">&- 2>&-", "all closed": "<&- >&- 2>&-", "no stderr": "2>&-"}
FULL = {"a full log": "> /dev/full", "both full": "> /dev/full 2> /dev/full", "a reader that leaves": "| true"}

ENVIRONMENTS = {
    "notebook": {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
    "a backend that is not there": {"MPLBACKEND": "module://nowhere.at_all", "DISPLAY": ":99"},
    "a backend that is none": {"MPLBACKEND": "nonsense"},
    "LaTeX": {"rc": "text.usetex: True\nfont.family: serif\nsavefig.dpi: 17\nfigure.facecolor: red\n"},
    "a dark style": {"rc": "axes.facecolor: black\ntext.color: white\nimage.cmap: jet\nsavefig.bbox: tight\n"},
    "settings that are none": {"rc": "no such: thing\nfont.size: huge\n"},
    "no home": {"HOME": "/dev/null", "MPLCONFIGDIR": "/dev/null/x", "XDG_CACHE_HOME": "/dev/null"},
    "no place for temporary files": {"TMPDIR": "/nowhere", "TEMP": "", "TMP": "/dev/null"},
    "ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii:strict"},
    "Latin-1": {"PYTHONIOENCODING": "latin-1:strict", "LANG": "de_DE.ISO-8859-1"},
    "threads": {"OMP_NUM_THREADS": "none", "OPENBLAS_NUM_THREADS": "-3", "MKL_NUM_THREADS": ""},
    "odd numbers": {"COLUMNS": "wide", "LINES": "0", "SOURCE_DATE_EPOCH": "9" * 30, "TZ": "Mars/Base"},
    "a poor terminal": {"TERM": "", "NO_COLOR": "1", "PYTHONUNBUFFERED": "1", "SCT_PROGRESS_BAR": "no"},
    "optimised": {"PYTHONOPTIMIZE": "2", "PYTHONHASHSEED": "7"},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Run the command as a user does, on a small scan whose name is hard to print."""
    folder = tmp_path_factory.mktemp("environments")
    base = load_base()
    nib.save(nib.Nifti1Image(base.volume.data, base.volume.grid.affine), folder / "größe_脊椎.nii.gz")

    def run(name: str, redirection: str = "", rc: str = "", **variables: str) -> tuple[int, str, dict[str, bytes]]:
        place = folder / name.replace(" ", "_")
        place.mkdir()
        if rc:
            (place / "matplotlibrc").write_text(rc)
        command = [sys.executable, "-m", "deepspine_sct.cli.label", "-i", "../größe_脊椎.nii.gz", *ARGUMENTS]
        script = (
            f'"$@" {redirection}; echo $? > status'
            if "|" not in redirection
            else f'("$@"; echo $? > status) {redirection}'
        )
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
        done = subprocess.run(["sh", "-c", script, "sh", *command], cwd=place, env=environment, capture_output=True)
        status = int((place / "status").read_text())
        names = ("größe_脊椎_labeled_discs.nii.gz", "a.png", "where.nii", "where.png")
        return (
            status,
            done.stderr.decode(errors="replace"),
            {n: (place / n).read_bytes() for n in names if (place / n).exists()},
        )

    return run


@pytest.fixture(scope="module")
def usual(runs):
    """What comes out in an ordinary environment."""
    status, err, files = runs("usual")
    assert status == 0 and len(files) == 4, err
    return files


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_variables_and_settings_change_nothing(runs, usual, name):
    """The same bytes, pictures included, and not a word on stderr but the command's own warnings."""
    status, err, files = runs(name, **ENVIRONMENTS[name])
    assert status == 0, err
    assert files == usual
    assert [line for line in err.splitlines() if not line.startswith("Warning: ")] == []


@pytest.mark.parametrize("name", [*CLOSED, *FULL])
def test_streams_that_are_closed_or_full_change_nothing(runs, usual, name):
    """Files are whole and the exit status is 0, whoever listens: no file gets the number of a closed stream."""
    status, _, files = runs(name, (CLOSED | FULL)[name])
    assert status == 0 and files == usual


def test_an_error_keeps_its_status_without_anybody_to_tell(runs):
    """Exit status 1 and 2 are those of the error, not of the stream."""
    for arguments, status in ((["-i", "nowhere.nii", "-c", "t2"], 1), (["-i", "x.nii"], 2)):
        command = [sys.executable, "-m", "deepspine_sct.cli.label", *arguments]
        for redirection in (">&- 2>&-", "> /dev/full 2>/dev/full"):
            script = f'"$@" {redirection}'
            assert subprocess.run(["sh", "-c", script, "sh", *command], cwd=ROOT, check=False).returncode == status


def test_the_users_own_figures_stay_as_they_were():
    """In a notebook: settings, backend and the level of matplotlib's log are those from before."""
    import matplotlib

    volume = Volume(np.random.default_rng(0).normal(size=SHAPE).astype(np.float32), Grid(SHAPE, oblique_affine()))
    plain = render_overlay(volume, known_discs())
    log = logging.getLogger("matplotlib")
    with matplotlib.rc_context({"text.usetex": True, "savefig.dpi": 33, "image.cmap": "jet", "axes.facecolor": "red"}):
        log.setLevel(logging.DEBUG)
        before = dict(matplotlib.rcParams), log.level
        assert render_overlay(volume, known_discs()) == plain
        assert (dict(matplotlib.rcParams), log.level) == before
        log.setLevel(logging.NOTSET)


@pytest.mark.parametrize("title", ["t2\udcff.nii", "脊椎", "$x_1$ \\frac", "a\nb", ""])
def test_any_file_name_can_be_a_title(title):
    """What is no text, no letter of the font or no mathematics is shown all the same, without a warning."""
    volume = Volume(np.random.default_rng(0).normal(size=SHAPE).astype(np.float32), Grid(SHAPE, oblique_affine()))
    assert render_overlay(volume, known_discs(), title=title).startswith(b"\x89PNG")


def test_settings_are_restored_after_an_error():
    """A picture that fails leaves nothing behind."""
    import matplotlib

    with matplotlib.rc_context({"savefig.dpi": 33}):
        with pytest.raises(ZeroDivisionError), own_settings():
            raise ZeroDivisionError
        assert matplotlib.rcParams["savefig.dpi"] == 33


def test_a_worker_prints_any_name_to_its_log(tmp_path):
    """A batch whose locale cannot print a scan's warnings labels the scan all the same."""
    from cohort_cases import write_data_set

    root = write_data_set(tmp_path / "data_größe_脊椎", ["sub-01/anat/sub-01_T2w.nii.gz"])
    variables = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii:strict",
                 "MPLBACKEND": "module://matplotlib_inline.backend_inline", "PYTHONPATH": str(ROOT)}  # fmt: skip
    command = [
        sys.executable,
        "-m",
        "deepspine_sct.cli.batch",
        str(root),
        "out",
        "participant",
        "--n-procs",
        "1",
        "--qc",
    ]
    subprocess.run(command, cwd=tmp_path, env={**os.environ, **variables}, check=False, capture_output=True)
    record = json.loads((tmp_path / "out" / "logs" / "sub-01" / "anat" / "sub-01_T2w.json").read_text())
    assert "no disc was found" in record["reason"]  # noise: it got as far as the network
