"""Numbers of things in sentences."""

import pytest

from deepspine_sct.wording import counted


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (0, ("scan",), "0 scans"),
        (1, ("scan",), "1 scan"),
        (2, ("label file",), "2 label files"),
        (1, ("file or folder", "files or folders"), "1 file or folder"),
        (3, ("file or folder", "files or folders"), "3 files or folders"),
    ],
)
def test_one_thing_has_no_plural(number, words, text):
    """And none, as well as several, has one, which may be given."""
    assert counted(number, *words) == text
