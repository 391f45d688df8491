"""Argument types of the research commands: what they take, and what they refuse."""

from argparse import ArgumentTypeError
from pathlib import Path

import pytest

from deepspine_sct.cli.argument_types import (
    checkpoint_path,
    count,
    count_or_none,
    named,
    positive,
    share,
    shares,
)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (shares, "0.8,0.1,0.1", (0.8, 0.1, 0.1)),
        (shares, "1,0,0", (1.0, 0.0, 0.0)),
        (share, "0", 0.0),
        (share, "1", 1.0),
        (positive, "1e-3", 0.001),
        (count, "12", 12),
        (count_or_none, "0", 0),
        (named, "ours=a/{stem}=b.nii", ("ours", "a/{stem}=b.nii")),
        (named, "v1.2-b=x", ("v1.2-b", "x")),
    ],
)
def test_good_values_are_read(kind, text, value):
    """Numbers, shares, and names with what belongs to them."""
    assert kind(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (shares, "0.5,0.5"),
        (shares, "0.5,0.6,-0.1"),
        (shares, "a,b,c"),
        (share, "1.1"),
        (share, "nan"),
        (positive, "0"),
        (positive, "inf"),
        (positive, "x"),
        (count, "0"),
        (count, "-1"),
        (count, "1.5"),
        (count_or_none, "-1"),
        (named, "ours"),
        (named, "=x"),
        (named, "ours="),
        (named, "../up=x"),
    ],
)
def test_bad_values_are_refused(kind, text):
    """Each with a message for the user."""
    with pytest.raises(ArgumentTypeError, match="is not"):
        kind(text)


@pytest.mark.parametrize(
    ("kind", "text", "wanted"),
    [
        (share, "1.1", "'1.1' is not a number from 0 to 1"),
        (positive, "inf", "'inf' is not a finite number of at least 0"),
        (positive, "0", "'0' is not above 0"),
    ],
)
def test_a_refusal_says_what_is_taken(kind, text, wanted):
    """Without infinity as the end of a range, which infinity itself would be in."""
    with pytest.raises(ArgumentTypeError, match=f"^{wanted}$"):
        kind(text)


def test_the_installed_checkpoint_has_a_word_of_its_own():
    """Any other text is a file."""
    assert checkpoint_path("installed").name == "deepspine.safetensors"
    assert checkpoint_path(Path("./installed.safetensors")) == Path("installed.safetensors")
