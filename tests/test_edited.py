"""A label file that was saved anew by somebody is told from the one that this program wrote."""

import gzip
import json
from pathlib import Path

import pytest

from deepspine_sct.files.edited import about_to_write, as_written, edited_since


@pytest.fixture
def label(tmp_path):
    """Write a label file and the JSON file beside it, as the commands do."""
    path = tmp_path / "x.nii.gz"
    path.write_bytes(gzip.compress(bytes(1000)))
    (tmp_path / "x.json").write_text(json.dumps({"SpatialReference": "orig"} | as_written(path)))
    return path


def test_a_file_that_was_saved_in_its_place_is_edited(label):
    """Whatever the program that saved it has done to the JSON file: nothing, in most cases."""
    assert not edited_since(label)
    label.write_bytes(gzip.compress(bytes(999) + b"\5"))
    assert edited_since(label)


CUT_SHORT = gzip.compress(bytes(1000), mtime=0)[:-9]  # the time of day would name the test otherwise in each worker


@pytest.mark.parametrize("content", [b"", b"no gzip", CUT_SHORT, None], ids=["empty", "no gzip", "cut short", "gone"])
def test_a_file_that_is_damaged_or_gone_is_nobodys_work(label, content):
    """Empty, cut off, of another kind, or removed: it may be made again."""
    label.unlink()
    if content is not None:
        label.write_bytes(content)
    assert not edited_since(label)


def test_a_file_that_may_not_be_read_may_be_somebodys(label, monkeypatch):
    """It could be replaced nevertheless, as only the folder must be writable for that."""

    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert edited_since(label)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_without_a_word_on_what_was_written_nothing_is_edited(label, text):
    """As beside the files of an older version."""
    label.with_name("x.json").write_text(text)
    label.write_bytes(gzip.compress(b"other"))
    assert not edited_since(label)


def test_who_is_killed_before_the_json_file_is_written_leaves_no_edited_file(label):
    """What was written before is forgotten first; all else that the JSON file says stays."""
    about_to_write(label)
    label.write_bytes(gzip.compress(b"of the run that was killed"))
    assert not edited_since(label)
    assert json.loads(label.with_name("x.json").read_text()) == {"SpatialReference": "orig"}


def test_a_label_file_gets_the_folder_that_it_is_written_to(tmp_path):
    """With those above it; of a label that was never written nothing else is made."""
    about_to_write(tmp_path / "sub-01" / "anat" / "x.nii.gz")
    assert list(tmp_path.rglob("*")) == [tmp_path / "sub-01", tmp_path / "sub-01" / "anat"]
