"""The page of the documentation that describes page, corrections and measures."""

import os
import re
import subprocess
import sys

import pytest
from cohort_cases import ROOT

from deepspine_sct.landmarks.curvature import CURVES

TEXT = (ROOT / "docs" / "page.md").read_text()


@pytest.mark.parametrize("command", ["correct", "measure"])
def test_the_references_are_the_helps(command):
    """The options on the page are those of -h, word by word, whatever the line breaks."""
    help_text = subprocess.run(
        [sys.executable, "-m", f"deepspine_sct.cli.{command}", "-h"],
        cwd=ROOT, env=os.environ | {"COLUMNS": "100"}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    found = re.search(rf"## Options of sct_deepspine_{command}\n\n```text\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert found[1].split() == help_text.split()


def test_every_curve_stands_in_the_table():
    """With the vertebrae between which it is measured."""
    rows = dict(re.findall(r"^\| (\w+_\w+) \| ([^|]+ \| [^|]+) \|$", TEXT, re.MULTILINE))
    for name in CURVES:
        region, curve, first, last = name.split("_")
        assert first in rows[f"{region}_{curve}"] and last in rows[f"{region}_{curve}"]
