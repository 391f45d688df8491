"""Files appear complete or not at all."""

import errno
import os
import stat

import pytest

from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.atomic import atomic_path


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
    refused = pytest.raises(DeepspineError, match="nowhere/a.nii: .*no such folder")
    with refused, atomic_path(target):
        raise AssertionError("must not be reached")


def test_file_in_place_of_the_folder_is_named(tmp_path):
    """A target below a file is refused in the same way."""
    (tmp_path / "file").touch()
    refused = pytest.raises(DeepspineError, match="no such folder")
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
