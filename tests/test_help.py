"""Help at once: what -h loads, in a process of its own, and that it stays readable."""

import json
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from deepspine_sct.labeling.settings import DEFAULTS

ROOT = Path(__file__).resolve().parent.parent
HEAVY = ("torch", "scipy", "matplotlib", "nibabel", "numpy")


def console_scripts() -> dict[str, str]:
    """List the commands of the installed package: name to module:function."""
    ours = (one for one in entry_points(group="console_scripts") if one.value.startswith("deepspine_sct."))
    return {one.name: one.value for one in ours}


COMMANDS = console_scripts()
BIDS_APPS = {"sct_deepspine_batch"}

# Prints the heavy modules that were loaded when the command ended, as the last line.
PROBE = f"""
import atexit, json, sys
from importlib import import_module
atexit.register(lambda: print(json.dumps([m for m in {HEAVY!r} if m in sys.modules])))
module, function = sys.argv.pop(1).split(":")
sys.exit(getattr(import_module(module), function)())
"""


def probe(command: str, *arguments: str) -> tuple[int, str, str, list[str]]:
    """Run a command in a fresh process: exit status, stdout, stderr, heavy modules loaded."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, COMMANDS[command], *arguments],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    out, _, loaded = done.stdout.rstrip("\n").rpartition("\n")
    return done.returncode, out, done.stderr, json.loads(loaded)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_loads_nothing_heavy(command):
    """Neither torch nor scipy, matplotlib, nibabel or numpy: -h answers at once."""
    status, out, err, loaded = probe(command, "-h")
    assert (status, err, loaded) == (0, "", [])
    assert out.startswith(f"usage: {command} ")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_usage_error_loads_nothing_heavy(command):
    """A forgotten argument is told as fast as the help."""
    status, out, err, loaded = probe(command)
    assert (status, out, loaded) == (2, "", [])
    assert err.splitlines()[-1].startswith(f"{command}: error: ")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_the_three_groups_of_sct(command):
    """MANDATORY, OPTIONAL and MISC in this order, and -v, -h last; -r before -h where there are temporary files.

    Options have one dash, but for those of the command that is a BIDS App, and so has BIDS' own.
    """
    _, out, _, _ = probe(command, "-h")
    titles = [line for line in out.splitlines() if line.endswith("ARGUMENTS:")]
    assert titles == ["MANDATORY ARGUMENTS:", "OPTIONAL ARGUMENTS:", "MISC ARGUMENTS:"]
    options = [line.split()[0] for line in out.splitlines() if line.startswith("  -")]
    last = ["-v", "-r", "-h,"] if command == "sct_deepspine_label" else ["-v", "-h,"]
    assert options[-len(last) :] == last
    dashes = {option.startswith("--") for option in options[: -len(last)]}
    assert dashes == {command in BIDS_APPS}


def test_help_is_plain_ascii_of_at_most_100_columns():
    """It prints on any terminal, whatever its encoding."""
    for command in COMMANDS:
        _, out, _, _ = probe(command, "-h")
        assert out.isascii()
        assert max(len(line) for line in out.splitlines()) <= 100


def test_the_default_threshold_in_the_help_is_that_of_the_program():
    """It is written out there, as the help loads none of the steps."""
    _, out, _, _ = probe("sct_deepspine_label", "-h")
    assert f"that are none. Default: {DEFAULTS.threshold:g}." in " ".join(out.split())
