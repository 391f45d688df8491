"""Locks that can and cannot be had: entries are never lost, and nobody is stopped."""

import errno
import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import pytest
from at_once import run_at_once

from deepspine_sct.files import lock
from deepspine_sct.files.atomic import atomic_path
from deepspine_sct.files.gathering import rebuild
from deepspine_sct.files.lock import locked
from deepspine_sct.quality_control import sct_report
from deepspine_sct.quality_control.entry import make_entry
from deepspine_sct.quality_control.identity import identify
from deepspine_sct.quality_control.outcomes import LABELLED
from deepspine_sct.quality_control.page_folder import write_entry, write_page
from deepspine_sct.quality_control.slice_pictures import Picture

ROOT = Path(__file__).resolve().parent.parent
NOBODY = 65534
IDENTITY = {"dataset": "d", "subject": "s", "contrast": "anat"}


def add(report: Path, subject: str) -> None:
    """Add an entry to our page and to SCT's, as -qc does."""
    image = Path(f"/d/{subject}_T2w.nii")
    picture = {"slice": Picture("slice.png", b"1", (0.0, 0.0, 1.0, 1.0))}
    write_entry(report, make_entry(identify(image, subject=subject), image, LABELLED, pictures=picture), picture)
    write_page(report)
    names = IDENTITY | {"subject": subject}
    place = sct_report.picture_folder(report, names, "sct_x", datetime.now())
    layers = [place / f"{name}.png" for name in ("background", "overlay")]
    for path in layers:
        path.write_bytes(b"1")
    sct_report.add_entry(report, names, "t2.nii", "sct_x -i t2.nii", *layers)


def subjects(report: Path) -> tuple[set[str], set[str]]:
    """Whom SCT's index and our page show."""
    _, _, entries = (report / "js" / "datasets.js").read_text().partition("DATASETS = ")
    of_sct = {entry["subject"] for entry in json.loads(entries.strip().removesuffix(";"))}
    html = (report / "deepspine.html").read_text(encoding="utf-8")
    return of_sct, {name for name in of_sct if f'"subject":"{name}"' in html}


def own_tmpdir(folder: Path, writer: int) -> None:
    """Give this process a folder for temporary files that no other one has."""
    place = folder.parent / f"tmp-{writer}"
    place.mkdir()
    tempfile.tempdir = str(place)


def no_flock(folder: Path, writer: int) -> None:
    """Put this process on a disk without locks."""

    def refuse(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    fcntl.flock = refuse


def half_with_locks(folder: Path, writer: int) -> None:
    """Every second process may not open the lock file, which is another user's."""

    def refuse(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    if writer % 2:
        lock._open = refuse


def _add_five(folder: Path, writer: int) -> None:
    globals()[os.environ["TROUBLE"]](folder, writer)
    for turn in range(5):
        add(folder, f"sub-{writer}-{turn}")


@pytest.mark.parametrize("trouble", ["own_tmpdir", "no_flock", "half_with_locks"])
def test_no_entry_is_lost_whatever_can_be_locked(tmp_path, monkeypatch, trouble):
    """Four processes at once, five entries each: all are in SCT's index and on our page at the end."""
    monkeypatch.setenv("TROUBLE", trouble)
    report = tmp_path / "qc"
    report.mkdir()
    run_at_once(_add_five, report, 4)
    expected = {f"sub-{writer}-{turn}" for writer in range(4) for turn in range(5)}
    assert subjects(report) == (expected, expected)


def _add_at_one_time(folder: Path, writer: int) -> None:
    no_flock(folder, writer)
    for turn in range(5):
        names = IDENTITY | {"subject": f"sub-{writer}-{turn}"}
        place = sct_report.picture_folder(folder, names, "sct_x", datetime.now())
        layers = [place / f"{name}.png" for name in ("background", "overlay")]
        for path in layers:
            path.write_bytes(b"1")
        sct_report.add_entry(folder, names, "t2.nii", "sct_x -i t2.nii", *layers, datetime(2026, 1, 2, 3, 4, 5, 6))


def test_entries_of_one_microsecond_are_kept_without_locks(tmp_path):
    """Four processes at once, five entries each, all of one date: none takes the place of another."""
    report = tmp_path / "qc"
    report.mkdir()
    run_at_once(_add_at_one_time, report, 4)
    entries = [json.loads(path.read_text()) for path in (report / "_json").glob("qc_*.json")]
    assert {entry["subject"] for entry in entries} == {f"sub-{w}-{t}" for w in range(4) for t in range(5)}
    assert len({entry["date"] for entry in entries}) == 20
    assert not list((report / "_json").glob(".*.place"))


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EIO, errno.EINTR])
def test_a_disk_without_locks_gets_a_warning_and_the_entry(tmp_path, monkeypatch, caplog, code):
    """Whatever the system says instead of locking."""

    def refuse(descriptor, operation):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path / "lock") as held:
        assert not held
    assert "cannot be locked" in caplog.text and str(tmp_path / "lock") in caplog.text


UNLOCKABLE = {
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a link that somebody put there": lambda path: path.symlink_to("precious"),
    "a link to nowhere": lambda path: path.symlink_to("no/where"),
    "no folder": lambda path: None,
}


@pytest.mark.parametrize("case", UNLOCKABLE)
def test_what_is_no_lock_file_is_left_alone(tmp_path, caplog, case):
    """In a folder that everybody may write: nothing is followed, opened for ever, or removed."""
    (tmp_path / "precious").write_text("data")
    path = tmp_path / ("gone/lock" if case == "no folder" else "lock")
    UNLOCKABLE[case](path)
    with locked(path) as held:
        assert not held
    assert "continued without the lock" in caplog.text
    assert (tmp_path / "precious").read_text() == "data" and not (tmp_path / "no").exists()


def test_a_holder_that_hangs_is_not_waited_for_for_ever(tmp_path, caplog):
    """After the time that SCT waits as well; and a lock that is given back can be had again."""
    path = tmp_path / "lock"
    started_s = time.monotonic()
    with locked(path) as first, locked(path, timeout_s=0.2) as second:
        assert first and not second
    assert 0.2 <= time.monotonic() - started_s < 10 and "another process has held it" in caplog.text
    with locked(path, timeout_s=0.2) as again:
        assert again


def test_an_optional_lock_is_missed_in_silence(tmp_path, caplog):
    """SCT's own, which another user's run may have left in /tmp."""
    with locked(tmp_path / "gone" / "lock", optional=True) as held:
        assert not held
    assert caplog.text == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("mode", [0o644, 0o600])
def test_a_lock_file_of_another_user(tmp_path, mode):
    """In a sticky folder: one that may be read is locked, one that may not is missed, and both end well."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder == tmp_path or folder.name.startswith(("pytest-", "popen-")):  # those that pytest has made
            folder.chmod(0o755)
    tmp_path.chmod(0o1777)
    path = tmp_path / "lock"
    path.touch()
    path.chmod(mode)
    source = (
        "import fcntl, os, sys\nfrom deepspine_sct.files.lock import locked\nos.setgid(65534)\nos.setuid(65534)\n"
        "with locked(sys.argv[1], timeout_s=0.1) as held:\n    print(held)\n"
    )
    command = [sys.executable, "-c", source, str(path)]
    run = lambda: subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: E731
    assert run() == f"{mode == 0o644}\n"
    with locked(path) as held:
        assert held and run() == "False\n"


def test_the_last_writer_of_an_index_sees_all(tmp_path):
    """Files that appear while the index is written make it be written again; hidden ones do not count."""
    (tmp_path / "a.json").touch()
    (tmp_path / "._a.json").touch()
    seen = []

    def write(paths):
        seen.append([path.name for path in paths])
        if len(seen) < 3:
            (tmp_path / f"{len(seen)}.json").touch()

    rebuild(tmp_path, "*.json", write)
    assert seen == [["a.json"], ["1.json", "a.json"], ["1.json", "2.json", "a.json"]]


def test_the_last_writer_of_an_index_sees_what_was_replaced(tmp_path):
    """A file that another run writes anew while the index is written makes it be written again."""
    (tmp_path / "a.json").write_text("old")
    (tmp_path / "b.json").write_text("b")
    seen = []

    def write(paths):
        seen.append([path.read_text() for path in paths])
        if len(seen) == 1:
            with atomic_path(tmp_path / "a.json") as temporary:
                temporary.write_text("new")

    rebuild(tmp_path, "*.json", write)
    assert seen == [["old", "b"], ["new", "b"]]
