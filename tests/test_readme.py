"""The README: its reference is the program's own, and its tables are the package's."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deepspine_sct.anatomy import DISC_NAMES
from deepspine_sct.cli.label_arguments import get_parser
from deepspine_sct.image.labels import read_labels

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def test_the_reference_is_the_help():
    """The options in the README are those of -h, word by word, whatever the line breaks."""
    help_text = subprocess.run(
        [sys.executable, "-m", "deepspine_sct.cli.label", "-h"],
        cwd=ROOT, env=os.environ | {"COLUMNS": "100"}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    (reference,) = (text for language, text in BLOCKS if language == "text" and "usage:" in text)
    assert reference.split() == help_text.split()


def test_the_table_of_discs_is_complete():
    """Every value stands in the table once, beside its own name."""
    cells = re.findall(r"(?<=\|) (\d+) \| (top of C1|[CTL]\d+/[TLSC]\d+) (?=\|)", README)
    assert {int(value): name for value, name in cells} == DISC_NAMES
    assert len(cells) == len(DISC_NAMES)


@pytest.mark.parametrize(
    "command",
    [
        line.partition("#")[0].split()
        for language, text in BLOCKS
        if language == "sh"
        for line in text.splitlines()
        if "sct_deepspine_label -" in line
    ],
    ids=" ".join,
)
def test_every_command_line_is_valid(command):
    """The parser accepts each call of the command that the README shows."""
    args = get_parser().parse_args(command[1:])
    assert args.i == "t2.nii.gz"


def test_every_make_target_and_file_exists():
    """What the README tells to run or to read is there."""
    makefile = (ROOT / "Makefile").read_text()
    targets, links = re.findall(r"\bmake ([a-z]+)\b", README), re.findall(r"\]\(([^)#:]+)\)", README)
    assert targets and links
    for target in set(targets):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
    for link in links:
        assert (ROOT / link).exists(), link


def test_the_python_lines_run(tmp_path, monkeypatch, capsys):
    """On a simulated scan under the name that they read: they print a line a disc and write the file."""
    (tmp_path / "t2.nii.gz").write_bytes((ROOT / "data_test" / "t2_lumbar_sim.nii.gz").read_bytes())
    monkeypatch.chdir(tmp_path)
    (lines,) = (text for language, text in BLOCKS if language == "python")
    exec(compile(lines, "README.md", "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert {int(line.split()[0]) for line in printed} == set(read_labels("discs.nii.gz"))
    assert len(printed) >= 4
