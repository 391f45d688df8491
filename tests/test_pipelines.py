"""What other programs read about the commands: completions, Boutiques descriptors and a Nipype interface."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from boutiques import bosh
from test_help import COMMANDS

from deepspine_sct.cli import label

ROOT = Path(__file__).resolve().parent.parent
PIPELINES = ROOT / "deepspine_sct" / "pipelines"
SCAN = ROOT / "data_test" / "t2_sim.nii.gz"
sys.path.insert(0, str(ROOT / "tools"))

import describe_commands  # noqa: E402

PARSERS = describe_commands.parsers()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_the_help_is_completed(name):
    """The committed completions of both shells know the options that the parser shows; `make commands` writes them."""
    shown = {word for one in describe_commands.arguments(PARSERS[name]) for word in one.option_strings}
    for path in describe_commands.completions(name, PARSERS[name]):
        words = set(re.findall(r"(?<![\w-])--?[A-Za-z][\w-]*", (ROOT / path).read_text()))
        assert shown <= words, path


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        (["-c", "t2"], {"t2", "t2s"}),
        (["-initl"], {"-initlabel"}),
        (["-c", "t2", "-qc-"], {"-qc-dataset", "-qc-subject"}),
        (["-i", "t2_sim.n"], {"t2_sim.nii.gz"}),
    ],
)
def test_bash_completes_options_choices_and_files(typed, completed):
    """A real bash completes the last word, as it does for somebody who presses the tabulator key."""
    script = f"""
        source {ROOT}/completions/bash/sct_deepspine_label
        COMP_WORDS=(sct_deepspine_label {" ".join(typed)})
        COMP_CWORD={len(typed)}
        _shtab_sct_deepspine_label
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], cwd=SCAN.parent, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == completed


@pytest.mark.parametrize("name", describe_commands.DESCRIBED)
def test_a_descriptor_is_valid_and_that_of_the_parser(name):
    """The validator of Boutiques accepts it, and it has the arguments, choices and texts of the command."""
    path = PIPELINES / f"boutiques_{name.rpartition('_')[2]}.json"
    bosh(["validate", str(path)])
    assert json.loads(path.read_text()) == describe_commands.boutiques(name, PARSERS[name])


def test_boutiques_builds_a_command_line_that_the_parser_reads():
    """What Boutiques makes of an invocation means to the command what it meant to the user."""
    invocation = {"i": str(SCAN), "c": "t2", "o": "a b.nii.gz", "initz": "68,4", "thr": 0.25, "straighten": 2}
    values = {f"[{key.upper()}]": value for key, value in invocation.items()}
    descriptor = json.loads((PIPELINES / "boutiques_label.json").read_text())
    flags = {one["value-key"]: one.get("command-line-flag") for one in descriptor["inputs"]}
    words = [key for key in descriptor["command-line"].split() if key in values]
    arguments = [word for key in words for word in (flags[key], str(values[key]))]
    args = PARSERS["sct_deepspine_label"].parse_args(arguments)
    assert (args.i, args.c, args.o, args.thr, args.straighten) == (str(SCAN), "t2", "a b.nii.gz", 0.25, 2)
    assert tuple(args.initz) == (68, 4)


def test_nipype_is_given_options_that_exist():
    """Every option of the interface is one of the command, and the contrasts are its contrasts."""
    tree = ast.parse((PIPELINES / "nipype.py").read_text())
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    options = {text.split()[0] for text in texts if re.match(r"-\w+ %", text)}
    known = {word: one for one in PARSERS["sct_deepspine_label"]._actions for word in one.option_strings}
    assert options >= {"-i", "-c", "-o", "-json"}
    assert options <= set(known)
    (enum,) = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "Enum"
    )
    assert [one.value for one in enum.args] == list(known["-c"].choices)


@pytest.mark.filterwarnings("ignore")  # of nipype and what it brings
def test_nipype_runs_the_command(tmp_path, monkeypatch):
    """Where nipype is installed, its interface labels a scan and names the files that the command wrote."""
    pytest.importorskip("nipype", reason="nipype is not installed")
    from deepspine_sct.pipelines.nipype import LabelDiscs

    monkeypatch.setenv("PATH", f"{ROOT / 'bin'}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    found = LabelDiscs(image=str(SCAN), contrast="t2").run().outputs
    assert label.main(["-i", str(SCAN), "-c", "t2", "-o", "own.nii.gz"]) == 0
    assert Path(found.discs).read_bytes() == Path("own.nii.gz").read_bytes()
    assert json.loads(Path(found.report).read_text())["discs"]
