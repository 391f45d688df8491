"""All commands behind `python -m deepspine_sct`, and the version that each of them tells."""

import subprocess
import sys
from pathlib import Path

import pytest
from test_help import COMMANDS as SCRIPTS

from deepspine_sct import __version__
from deepspine_sct.__main__ import main
from deepspine_sct.cli.commands import COMMANDS

SCAN = Path(__file__).parents[1] / "data_test" / "t2_sim.nii.gz"


def test_the_short_names_are_those_of_the_installed_commands():
    """Every console script has its short name, which leads to the same module."""
    modules = {f"sct_deepspine_{name}": f"deepspine_sct.cli.{module}" for name, module in COMMANDS.items()}
    assert {script: function.partition(":")[0] for script, function in SCRIPTS.items()} == modules


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("option", ["-version", "--version"])
def test_every_command_tells_its_version(name, option, capsys):
    """With one dash as SCT writes its options, and with two as everybody else does."""
    with pytest.raises(SystemExit) as end:
        main([name, option])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"sct_deepspine_{name} {__version__}\n"


def test_the_module_passes_arguments_and_status_on():
    """The help of the named command comes out, and its status when something is wrong."""
    run = [sys.executable, "-m", "deepspine_sct"]
    done = subprocess.run([*run, "label", "-h"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: sct_deepspine_label ")
    done = subprocess.run([*run, "label", "-i", "none.nii", "-c", "t2"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "none.nii: no such file" in done.stderr


@pytest.mark.parametrize("module", ["deepspine_sct", "deepspine_sct.cli.label"])
def test_the_process_that_ends_at_once_loses_nothing(module, tmp_path):
    """The whole table comes through a pipe, in the order of a patient end, and so do the status and the files."""
    words = ["label"] * (module == "deepspine_sct") + ["-i", str(SCAN), "-c", "t2", "-ofolder", str(tmp_path)]
    quick = subprocess.run([sys.executable, "-m", module, *words], capture_output=True, text=True, check=True)
    (name,) = (path.name for path in tmp_path.glob("*.nii.gz"))
    quick_bytes = (tmp_path / name).read_bytes()
    patient = "import sys\nfrom deepspine_sct.cli.label import main\nsys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", patient, *words[-6:]]
    slow = subprocess.run(words, capture_output=True, text=True, check=True)
    assert quick.stdout == slow.stdout and quick.stderr == slow.stderr
    assert "Wrote" in quick.stdout
    assert (tmp_path / name).read_bytes() == quick_bytes


def test_without_a_command_it_says_which_there_are(capsys):
    """A usage error ends with 2, the help and the version with 0."""
    assert main([]) == main(["labels"]) == 2
    assert "'labels' is not a command" in capsys.readouterr().err
    assert main(["-h"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in COMMANDS)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"deepspine_sct {__version__}\n"
