"""The entry in SCT's quality-control report: its form, its place, its lock; and SCT's own reading."""

import json
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

import pytest
from at_once import run_at_once
from browser import CHROMIUM, PNG, Browser

from deepspine_sct.files.atomic import atomic_path
from deepspine_sct.files.lock import locked
from deepspine_sct.quality_control.sct_report import add_entry, default_identity, lock_file, picture_folder

IDENTITY = {"dataset": "lab", "subject": "sub-01", "contrast": "anat"}
COMMAND = "sct_deepspine_label -i 'a b.nii.gz' -c t2 -qc qc"
KEYS = (
    "path", "cmdline", "command", "sctVersion", "dataset", "subject", "contrast", "inputFile", "plane",
    "backgroundImage", "overlayImage", "date", "rank", "qc",
)  # fmt: skip
"""Keys of an entry of SCT 7, all of them strings."""

WHEN = datetime(2026, 1, 2, 3, 4, 5, 678)


def add(report: Path, when=None, **identity) -> Path:
    """Add an entry with two pictures of one pixel."""
    pictures = [report / "deepspine" / f"{name}.png" for name in ("background", "overlay")]
    for picture in pictures:
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_bytes(PNG)
    return add_entry(report, IDENTITY | identity, "folder/a b.nii.gz", COMMAND, *pictures, when)


def datasets(report: Path) -> tuple[str, list[dict]]:
    """Read what SCT's page reads: the report's identity and its entries."""
    first, second = (report / "js" / "datasets.js").read_text().strip().splitlines()
    identity = first.removeprefix("window.SCT_QC_UUID = '").removesuffix("';")
    return identity, json.loads(second.removeprefix("window.SCT_QC_DATASETS = ").removesuffix(";"))


def test_an_entry_has_the_form_of_scts(tmp_path):
    """Every key of SCT 7 and no other, strings all, pictures named from the report's folder."""
    path = add(tmp_path, WHEN)
    assert path == tmp_path / "_json" / "qc_2026_01_02_030405.000678.json"
    entry = json.loads(path.read_text())
    assert tuple(entry) == KEYS and all(isinstance(value, str) for value in entry.values())
    assert entry["command"] == "sct_deepspine_label" and entry["cmdline"] == COMMAND
    assert entry["inputFile"] == "a b.nii.gz" and entry["path"] == str(Path.cwd())
    assert entry["date"] == "2026-01-02 03:04:05.000678" and entry["plane"] == "Sagittal"
    for key in ("backgroundImage", "overlayImage"):
        assert (tmp_path / entry[key]).read_bytes() == PNG
    assert datasets(tmp_path)[1] == [entry]


def test_dates_are_unique_and_the_report_keeps_its_identity(tmp_path):
    """The page tells entries apart by date, and finds a rater's marks by the identity."""
    add(tmp_path, WHEN, subject="a")
    identity, _ = datasets(tmp_path)
    add(tmp_path, WHEN, subject="b")
    again, entries = datasets(tmp_path)
    assert again == identity != ""
    assert [entry["date"][-6:] for entry in entries] == ["000678", "000679"]
    assert [entry["subject"] for entry in entries] == ["a", "b"]


def test_entries_and_identity_of_sct_stay(tmp_path):
    """Also where SCT's page has just been copied and is still empty."""
    theirs = dict.fromkeys(KEYS, "x") | {"date": "2025"}
    (tmp_path / "_json").mkdir()
    (tmp_path / "_json" / "qc_2025.json").write_text(json.dumps(theirs))
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "datasets.js").write_text("window.SCT_QC_UUID = ''\nwindow.SCT_QC_DATASETS = []\n")
    add(tmp_path)
    identity, (first, second) = datasets(tmp_path)
    assert first == theirs and second["subject"] == "sub-01" and len(identity) == 36


def _add_five(report: Path, writer: int) -> None:
    for turn in range(5):
        add(report, subject=f"sub-{writer}-{turn}")


def test_processes_do_not_lose_each_others_entries(tmp_path):
    """Three writers at once, five entries each: all are in the list at the end."""
    run_at_once(_add_five, tmp_path, 3)
    names = {f"sub-{writer}-{turn}" for writer in range(3) for turn in range(5)}
    assert {entry["subject"] for entry in datasets(tmp_path)[1]} == names


def test_the_lock_is_the_one_that_sct_takes(tmp_path):
    """The name is SCT's, and its file is the one that portalocker's semaphore locks first."""
    report = tmp_path / "my qc"
    report.mkdir()
    path = lock_file(tmp_path / "x" / ".." / "my qc")
    assert path == lock_file(report) and path.parent == Path(tempfile.gettempdir())
    assert path.name.startswith("sct_qc-my qc-") and path.name.endswith(".00.lock")
    portalocker = pytest.importorskip("portalocker", reason="portalocker is not installed")
    name = path.name.removesuffix(".00.lock")
    semaphore = portalocker.BoundedSemaphore(maximum=1, name=name, timeout=0.1, check_interval=0.05)
    with locked(path), pytest.raises(portalocker.exceptions.LockException):
        semaphore.acquire()
    semaphore.acquire()
    with locked(path, timeout_s=0.1, optional=True) as held:
        assert not held
    semaphore.release()
    path.unlink()


def write_scan(folder: Path) -> None:
    """Write a scan, its cord and two discs for SCT to show."""
    import nibabel as nib
    import numpy as np

    z = np.indices((30, 30, 40))[2]
    labels = np.zeros((30, 30, 40), np.uint8)
    labels[15, 20, 30], labels[15, 20, 12] = 3, 4
    cord = np.zeros((30, 30, 40), np.uint8)
    cord[13:17, 13:17] = 1
    for name, data in (("t2", z.astype(np.float32)), ("seg", cord), ("discs", labels)):
        nib.save(nib.Nifti1Image(data, np.diag([-1.0, 1, 1, 1])), folder / f"{name}.nii.gz")


def run_sct_qc(*arguments: str | Path, folder: Path) -> None:
    """Let SCT add an entry; what it printed is shown when it fails."""
    command = ["sct_qc", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.mark.skipif(shutil.which("sct_qc") is None, reason="no SCT on the PATH: its identities are not compared")
def test_a_linked_scan_has_the_identity_that_sct_gives_it(tmp_path):
    """Both name what the link leads to, as with git-annex."""
    write_scan(tmp_path)
    report, link = tmp_path / "qc", tmp_path / "a" / "b" / "c" / "scan.nii.gz"
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "t2.nii.gz")
    run_sct_qc("-i", link, "-s", "discs.nii.gz", "-p", "sct_label_utils", "-qc", report, folder=tmp_path)
    pictures = [report / "deepspine" / f"{name}.png" for name in ("background", "overlay")]
    add_entry(report, default_identity(link), link, COMMAND, *pictures)
    theirs, ours = datasets(report)[1]
    assert ours["command"] == "sct_deepspine_label" and theirs["command"] == "sct_label_utils"
    assert all(ours[key] == theirs[key] for key in ("dataset", "subject", "contrast", "inputFile", "plane"))


@pytest.mark.skipif(shutil.which("sct_qc") is None, reason="no SCT on the PATH: its own report is not tried")
def test_scts_own_page_shows_our_entry_beside_its_own(tmp_path):
    """Ours before and after SCT's: SCT rebuilds the list with all three, and its page lists them."""
    write_scan(tmp_path)
    report = tmp_path / "qc"
    add(report, subject="ours-1")
    files = ("-i", "t2.nii.gz", "-s", "discs.nii.gz", "-d", "seg.nii.gz", "-p", "sct_label_utils")
    run_sct_qc(*files, "-qc", report, "-qc-subject", "theirs", folder=tmp_path)
    assert [entry["subject"] for entry in datasets(report)[1]] == ["ours-1", "theirs"]
    add(report, subject="ours-2")
    # SCT's own script, which it leaves in the report, accepts what we wrote.
    subprocess.run([sys.executable, "refresh_qc_entries.py"], cwd=report / "py", check=True)
    assert [entry["subject"] for entry in datasets(report)[1]] == ["ours-1", "theirs", "ours-2"]
    if CHROMIUM is None:
        pytest.skip("SCT's list is right, but there is no Chromium to open its page in")
    with Browser(report / "index.html", tmp_path) as page:
        shown = page.wait_for("ours-2")
        assert all(subject in shown for subject in ("ours-1", "theirs", "ours-2"))
        assert shown.count("sct_deepspine_label") == 2
        assert page.errors == []


@pytest.mark.parametrize(
    ("image", "names"),
    [
        ("/data/lab/sub-01/anat/t2.nii.gz", ("lab", "sub-01", "anat")),
        ("/anat/t2.nii.gz", ("", "", "anat")),
        ("/t2.nii.gz", ("", "", "")),
    ],
)
def test_the_folders_of_the_image_name_the_entry(image, names):
    """Data set, subject and contrast are the last three folders, as SCT's own commands have it."""
    assert tuple(default_identity(image).values()) == names


def test_a_picture_that_a_killed_run_has_begun_is_removed_by_the_next_run(tmp_path):
    """Each entry has a folder of its own, in which no later run writes; whole pictures and locked files stay."""
    names = {"dataset": "a", "subject": "b", "contrast": "c"}
    killed = picture_folder(tmp_path, names, "sct_x", datetime(2026, 1, 1))
    begin = "import os, signal; from pathlib import Path; from deepspine_sct.files.atomic import atomic_path\n"
    begin += f"with atomic_path(Path({str(killed / 'x.png')!r})): os.kill(os.getpid(), signal.SIGKILL)"
    (killed / "y.png").write_bytes(PNG)
    with atomic_path(killed / "z.png") as being_written:
        subprocess.run([sys.executable, "-c", begin], check=False)
        assert len(list(killed.iterdir())) == 3
        picture_folder(tmp_path, names, "sct_x", datetime(2026, 1, 2))
        assert sorted(killed.iterdir()) == sorted([being_written, killed / "y.png"])


def test_the_pictures_of_an_entry_lie_in_the_folder_whatever_the_names(tmp_path):
    """And each entry has a folder of its own, also two of one moment."""
    names = {"dataset": "../../x", "subject": "a/b", "contrast": ""}
    when = datetime(2026, 1, 2)
    first, second = (picture_folder(tmp_path, names, "sct_deepspine_label -i x", when) for _ in range(2))
    assert first != second and {first.parent, second.parent} == {
        tmp_path / "------x" / "a-b" / "unknown" / "sct_deepspine_label"
    }
