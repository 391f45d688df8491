"""Cautions: sentences that programs know by a code."""

import copy
import pickle
import re
from pathlib import Path

import pytest

import deepspine_sct
from deepspine_sct.caution import CODES, Caution


def test_a_caution_is_its_sentence():
    """It prints, joins and compares as a string does."""
    caution = Caution("few_discs", "only 2 discs")
    assert caution == "only 2 discs" and f"Warning: {caution}" == "Warning: only 2 discs"
    assert caution.to_dict() == {"code": "few_discs", "text": "only 2 discs"}


def test_copies_keep_the_code():
    """Also on their way to another process."""
    caution = Caution("few_discs", "only 2 discs")
    for twin in (copy.copy(caution), copy.deepcopy(caution), pickle.loads(pickle.dumps(caution))):
        assert (twin, twin.code) == (caution, caution.code)


def test_an_unknown_code_is_a_mistake():
    """Whoever adds a caution has to list its code, with its meaning."""
    with pytest.raises(ValueError, match="unknown code"):
        Caution("fewdiscs", "only 2 discs")


def test_every_code_is_in_use():
    """Each is given somewhere in the package, and no other one is."""
    source = "".join(path.read_text() for path in Path(deepspine_sct.__file__).parent.rglob("*.py"))
    assert set(re.findall(r'Caution\(\s*"(\w+)"', source)) == set(CODES)
