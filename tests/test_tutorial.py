"""The tutorial: its commands exist and are accepted; `make tutorial` runs them all."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import pytest
from test_help import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", TUTORIAL, flags=re.MULTILINE | re.DOTALL)


def calls() -> list[list[str]]:
    """Every call of one of our commands in the shell blocks, split as a shell does."""
    lines = "\n".join(BLOCKS).replace("\\\n", " ").splitlines()
    words = [shlex.split(line.partition(" ; done")[0], comments=True) for line in lines]
    return [line for line in words if line and line[0] in COMMANDS]


@pytest.mark.parametrize("call", calls(), ids=lambda call: " ".join(call)[:60])
def test_every_call_is_accepted_by_its_parser(call):
    """No option in the tutorial is misspelt or out of date."""
    module = import_module(COMMANDS[call[0]].partition(":")[0])
    module.get_parser().parse_args(call[1:])


def test_pictures_and_links_exist():
    """Every picture and file that the tutorial points to is there."""
    for link in re.findall(r"\]\(([^)#:]+)\)", TUTORIAL):
        assert (ROOT / "docs" / link).exists(), link
