"""Files appear complete or not at all."""

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deepspine_sct.errors import DeepspineError
from deepspine_sct.files import atomic
from deepspine_sct.files.atomic import FOREIGN_AGE_S, PREFIX, atomic_path


def test_complete_file_gets_its_name(tmp_path):
    """A finished file stands under its own name, alone in its folder."""
    with atomic_path(tmp_path / "discs.nii.gz") as temporary:
        temporary.write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["discs.nii.gz"]
    assert (tmp_path / "discs.nii.gz").read_text() == "new"


def test_temporary_name_serves_writers_that_look_at_the_suffix(tmp_path):
    """The temporary file is a hidden neighbour of the target and keeps all its suffixes."""
    with atomic_path(str(tmp_path / "a.b.nii.gz")) as temporary:
        temporary.touch()
        assert temporary.parent == tmp_path
        assert temporary.suffixes[-2:] == [".nii", ".gz"] and temporary.name.startswith(".")


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt])
def test_failure_leaves_the_old_file(tmp_path, failure):
    """An interrupted writer leaves the previous file as it was, and nothing beside it."""
    target = tmp_path / "report.json"
    target.write_text("old")
    with pytest.raises(failure), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise failure
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    assert target.read_text() == "old"


def test_readers_never_see_a_part(tmp_path):
    """While the new file is being written the old one is still read."""
    target = tmp_path / "report.json"
    target.write_text("old")
    with atomic_path(target) as temporary:
        temporary.write_text("half")
        assert target.read_text() == "old"
    assert target.read_text() == "half"


def test_mode_follows_the_umask(tmp_path):
    """Others may read the result wherever the user's umask lets them."""
    previous = os.umask(0o022)
    try:
        with atomic_path(tmp_path / "a.nii") as temporary:
            temporary.touch()
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "a.nii").stat().st_mode) == 0o644


def test_missing_folder_is_named(tmp_path):
    """A target in a folder that does not exist is refused before anything is written."""
    target = tmp_path / "nowhere" / "a.nii"
    refused = pytest.raises(DeepspineError, match="nowhere/a.nii: .*its folder does not exist")
    with refused, atomic_path(target):
        raise AssertionError("must not be reached")


def test_file_in_place_of_the_folder_is_named(tmp_path):
    """A target below a file is refused in the same way, and no folder is asked for."""
    (tmp_path / "file").touch()
    refused = pytest.raises(DeepspineError, match="file is not a folder; give another path")
    with refused, atomic_path(tmp_path / "file/a.nii"):
        raise AssertionError("must not be reached")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_disk_trouble_is_one_line_that_names_the_target(tmp_path, code):
    """A full or read-only disk is reported for the file the user asked for, not the temporary."""
    target = tmp_path / "a.nii"
    with pytest.raises(DeepspineError) as caught, atomic_path(target) as temporary:
        temporary.touch()
        raise OSError(code, os.strerror(code), str(temporary))
    assert str(caught.value).startswith(f"{target}: cannot be written ({os.strerror(code)})")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_folder_in_the_way_is_named(tmp_path):
    """A folder that has the target's name is not replaced."""
    (tmp_path / "a.nii" / "kept").mkdir(parents=True)
    refused = pytest.raises(DeepspineError, match="cannot be written")
    with refused, atomic_path(tmp_path / "a.nii") as temporary:
        temporary.touch()
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii"]


def test_trouble_with_another_file_is_not_blamed_on_the_target(tmp_path):
    """An error about a file that the writer only reads passes through."""
    with pytest.raises(FileNotFoundError, match="other.txt"), atomic_path(tmp_path / "a.nii"):
        (tmp_path / "other.txt").read_text()


def start_writer(target: Path, script: str = "sys.stdin.read()") -> subprocess.Popen:
    """Start a process that writes half of a target, says so, and then runs a script."""
    source = f"""
import sys
from deepspine_sct.files.atomic import atomic_path
with atomic_path({str(target)!r}) as temporary:
    temporary.write_text("half")
    print(temporary, flush=True)
    {script}
    temporary.write_text("whole")
"""
    return subprocess.Popen(
        [sys.executable, "-c", source],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    )


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path):
    """The next writer in the folder, of whatever file, finds and removes the half file."""
    with start_writer(tmp_path / "a.nii") as writer:
        left = Path(writer.stdout.readline().strip())
        writer.send_signal(signal.SIGKILL)
    assert [path for path in tmp_path.iterdir()] == [left] and left.read_text() == "half"
    with atomic_path(tmp_path / "b.json") as temporary:
        assert list(tmp_path.iterdir()) == [temporary]
        temporary.write_text("b")
    assert [path.name for path in tmp_path.iterdir()] == ["b.json"]


def test_a_living_writer_is_not_disturbed(tmp_path):
    """Another process writes the same target meanwhile: both succeed, the last one stays."""
    target = tmp_path / "a.nii"
    with start_writer(target) as writer:
        theirs = Path(writer.stdout.readline().strip())
        with atomic_path(target) as ours:
            ours.write_text("ours")
            assert theirs.read_text() == "half"
        assert target.read_text() == "ours" and theirs.exists()
        writer.communicate("go on")
    assert writer.returncode == 0
    assert target.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [target]


def test_writers_that_race_never_fail_nor_mix(tmp_path):
    """Four processes replace one file 60 times each; every one succeeds and no part is ever seen."""
    target = tmp_path / "a.txt"
    source = f"""
import sys
from deepspine_sct.files.atomic import atomic_path
for _ in range(60):
    with atomic_path({str(target)!r}) as temporary:
        temporary.write_text(sys.argv[1] * 5000)
"""
    command = [sys.executable, "-c", source]
    root = Path(__file__).parent.parent
    writers = [subprocess.Popen([*command, letter], cwd=root) for letter in "abcd"]
    while any(writer.poll() is None for writer in writers):
        if target.exists():
            text = target.read_text()
            assert len(text) == 5000 and len(set(text)) == 1
        time.sleep(0.002)
    assert [writer.returncode for writer in writers] == [0] * 4
    assert list(tmp_path.iterdir()) == [target]


def test_a_file_of_another_computer_is_given_a_day(tmp_path):
    """A lock held elsewhere need not be seen here, so only an old file counts as abandoned."""
    young, old = tmp_path / f"{PREFIX}0badc0de-1-a.nii", tmp_path / f"{PREFIX}0badc0de-2-a.nii"
    for path in (young, old):
        path.write_text("half")
    long_ago_s = time.time() - FOREIGN_AGE_S - 60
    os.utime(old, (long_ago_s, long_ago_s))
    with atomic_path(tmp_path / "a.nii") as temporary:
        temporary.touch()
    assert {path.name for path in tmp_path.iterdir()} == {young.name, "a.nii"}


def test_only_plain_files_of_ours_are_removed(tmp_path):
    """A link, a pipe or a folder under such a name, and every other name, are left alone."""
    mine = tmp_path / f"{PREFIX}{atomic._computer()}-"
    precious = tmp_path / "precious.nii"
    precious.write_text("data")
    Path(f"{mine}1-a.nii").symlink_to(precious)
    os.mkfifo(f"{mine}2-a.nii")
    Path(f"{mine}3-a.nii").mkdir()
    (tmp_path / ".a.nii").touch()
    before = {path.name for path in tmp_path.iterdir()}
    with atomic_path(tmp_path / "b.nii") as temporary:
        temporary.touch()
    assert {path.name for path in tmp_path.iterdir()} == before | {"b.nii"}
    assert precious.read_text() == "data"


def test_a_disk_without_locks_still_works(tmp_path, monkeypatch):
    """Where nothing can be locked files are written as ever, and none counts as abandoned."""

    def refuse(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(atomic.fcntl, "flock", refuse)
    left = tmp_path / f"{PREFIX}{atomic._computer()}-1-a.nii"
    left.touch()
    with atomic_path(tmp_path / "a.nii") as temporary:
        temporary.write_text("whole")
    assert (tmp_path / "a.nii").read_text() == "whole" and left.exists()


def test_the_longest_name_can_be_written(tmp_path):
    """A target's name may have all the 255 bytes that a file system allows."""
    target = tmp_path / ("n" * 248 + ".nii.gz")
    with atomic_path(target) as temporary:
        temporary.write_text("whole")
    assert target.read_text() == "whole"


def test_a_device_is_not_replaced(tmp_path):
    """What is no regular file stays: a superuser would turn /dev/null into a file."""
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe)
    for target in (pipe, Path("/dev/null")):
        with pytest.raises(DeepspineError, match="it is a device or a pipe"), atomic_path(target):
            raise AssertionError("must not be reached")
    assert stat.S_ISFIFO(pipe.stat().st_mode) and not Path("/dev/null").is_file()


@pytest.mark.parametrize("part", [0, 1000])
def test_a_quota_leaves_nothing(tmp_path, part):
    """A real limit on the size of files: one line, the old file whole, nothing beside it."""
    target = tmp_path / "a.nii"
    target.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (part, limits[1]))
    refused = pytest.raises(DeepspineError, match="cannot be written .File too large")
    try:
        with refused, atomic_path(target) as temporary:
            temporary.write_bytes(b"x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == [target] and target.read_bytes() == b"old"


def test_a_disk_that_fails_late_leaves_the_old_file(tmp_path, monkeypatch):
    """An error that the disk reports only when the data must be on it is not lost."""

    def fail(descriptor):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(atomic.os, "fsync", fail)
    target = tmp_path / "a.nii"
    target.write_text("old")
    with pytest.raises(DeepspineError, match="Input/output error"), atomic_path(target) as temporary:
        temporary.write_text("new")
    assert list(tmp_path.iterdir()) == [target] and target.read_text() == "old"
