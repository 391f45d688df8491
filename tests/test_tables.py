"""Tables: what a spreadsheet and a program read back is what was written."""

import csv
import json
import os

import pytest

from deepspine_sct.files.tables import read_json, write_csv, write_json

NAN = float("nan")


def test_csv_has_all_columns_and_empty_cells_for_nothing(tmp_path):
    """Rows with different keys share one header; NaN and None are empty."""
    path = tmp_path / "t.csv"
    write_csv(path, [{"a": 1, "b": 0.123456789}, {"a": "x,y", "c": None, "b": NAN}])
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [{"a": "1", "b": "0.12346", "c": ""}, {"a": "x,y", "b": "", "c": ""}]


def test_a_file_name_that_is_no_utf_8_is_spelt_out(tmp_path):
    """A table that no reader takes, or none at all, would be worse."""
    write_csv(tmp_path / "t.csv", [{"image": os.fsdecode(b"sub-1_\xfc")}])
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == "image\nsub-1_\\udcfc\n"


def test_json_is_strict(tmp_path):
    """NaN and infinity become null, tuples lists, keys strings, at any depth."""
    path = tmp_path / "t.json"
    write_json(path, {"rows": [{3: NAN, "x": (1, float("inf"))}], "ok": 0.5})
    text = path.read_text()
    assert "NaN" not in text and "Infinity" not in text
    assert json.loads(text) == {"rows": [{"3": None, "x": [1, None]}], "ok": 0.5}


def test_json_is_read_with_the_mark_of_an_editor_and_refused_as_a_value_error(tmp_path):
    """A byte order mark changes nothing, and brackets without an end are no reason for another kind of error."""
    path = tmp_path / "t.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(path) == {"a": 1}
    for text in ("", "x", "[" * 100_000):
        path.write_text(text)
        with pytest.raises(ValueError):
            read_json(path)


def test_a_device_is_no_json(tmp_path):
    """Some never end: they would be read until the memory is full."""
    path = tmp_path / "t.json"
    path.symlink_to("/dev/null")
    with pytest.raises(ValueError, match="it is a device"):
        read_json(path)
