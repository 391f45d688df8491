"""Write what shells and pipelines read about the commands: ``python tools/describe_commands.py [FOLDER]``.

From the parsers of the commands come the completions of bash and zsh, by shtab, and the Boutiques descriptors of the
two commands that label scans. All of them are committed, so that nobody needs these libraries to use them; a test
compares them with the parsers. The default of FOLDER is the checkout.
"""

import argparse
import json
import re
import sys
from importlib import import_module
from pathlib import Path

import shtab

from deepspine_sct import __version__
from deepspine_sct.cli.commands import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
BOUTIQUES_SCHEMA = "0.5"

DESCRIBED = {
    "sct_deepspine_label": ("-o", "-json", "-overlay", "-attention", "-heatmaps"),
    "sct_deepspine_batch": ("output_dir",),
}
"""Commands with a descriptor, and the arguments that say where a result is to lie."""

REQUIRED_BY_PIPELINES = {("sct_deepspine_label", "-o")}
"""A descriptor has to say where the result lies, which a person may leave to the default."""

EXIT_CODES = {
    1: "An input, an output or the request cannot be used, or a scan failed. The message says what to do.",
    2: "Wrong usage.",
    3: "No disc was found, and no file was written.",
}


def parsers() -> dict[str, argparse.ArgumentParser]:
    """Build the parser of every command, by its whole name."""
    modules = {f"sct_deepspine_{name}": f"deepspine_sct.cli.{module}" for name, module in COMMANDS.items()}
    return {name: import_module(module).get_parser() for name, module in sorted(modules.items())}


def arguments(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """List the arguments of a command as its help shows them, without those that only print something."""
    return [one for one in parser._actions if one.dest not in ("help", "version") and one.help != argparse.SUPPRESS]


def completions(name: str, parser: argparse.ArgumentParser) -> dict[str, str]:
    """Return the files that complete a command, by path: names of files and folders where it wants them."""
    for action in arguments(parser):
        kind = _kind(action)
        if kind in ("file", "folder"):
            action.complete = shtab.FILE if kind == "file" else shtab.DIRECTORY
    bash, zsh = (shtab.complete(parser, shell) for shell in ("bash", "zsh"))
    return {f"completions/bash/{name}": bash, f"completions/zsh/_{name}": zsh}


def _kind(action: argparse.Action) -> str:
    """Say what an argument takes: flag, file, folder, integer, number or text."""
    if action.nargs == 0:
        return "flag"
    word = action.metavar if isinstance(action.metavar, str) else ""
    if word == "<file>":
        return "file"
    if word == "<folder>" or action.dest.endswith("_dir"):
        return "folder"
    if action.type is int or (isinstance(action.default, int) and action.nargs is None):
        return "integer"
    return "number" if action.type is float or isinstance(action.default, float) else "text"


def boutiques(name: str, parser: argparse.ArgumentParser) -> dict:
    """Describe a command as the Boutiques schema asks."""
    groups = {frozenset(_id(one) for one in group._group_actions) for group in parser._mutually_exclusive_groups}
    needed = {_id(one) for one in arguments(parser) if (name, _word(one)) in REQUIRED_BY_PIPELINES}
    # What may not be given together with an argument that is always given has no use.
    useless = set().union(*(group for group in groups if group & needed)) - needed
    inputs, outputs = [], []
    for action in arguments(parser):
        word = _word(action)
        if _id(action) in useless:
            continue
        described = _input(action) | ({"optional": False} if _id(action) in needed else {})
        if word in DESCRIBED[name]:
            described["type"] = "String"  # a File must exist already
            outputs.append(_output(described))
        inputs.append(described)
    return {
        "name": name,
        "tool-version": __version__,
        "schema-version": BOUTIQUES_SCHEMA,
        "description": " ".join(parser.description.split()),
        "command-line": " ".join([name, *(one["value-key"] for one in inputs)]),
        "inputs": inputs,
        "output-files": outputs,
        "groups": [_group(sorted(group)) for group in sorted(groups, key=sorted) if not group & needed],
        "error-codes": [{"code": code, "description": text} for code, text in EXIT_CODES.items()],
        "tags": {"domain": ["neuroinformatics", "mri", "spine"]},
    }


def _word(action: argparse.Action) -> str:
    """Return an argument as it is written: the option, or the name of a place."""
    return action.option_strings[-1] if action.option_strings else action.dest


def _id(action: argparse.Action) -> str:
    return _word(action).lstrip("-").replace("-", "_")


def _group(members: list[str]) -> dict:
    """Describe arguments of which only one may be given."""
    name = f"only one of {' and '.join(members)}"
    return {"id": "_or_".join(members), "name": name, "members": members, "mutually-exclusive": True}


def _input(action: argparse.Action) -> dict:
    kind, name = _kind(action), _id(action)
    described = {
        "id": name,
        "name": name,
        "description": " ".join(action.help.split()),
        "type": {"flag": "Flag", "file": "File", "folder": "File", "integer": "Number", "number": "Number"}.get(
            kind, "String"
        ),
        "value-key": f"[{name.upper()}]",
        "optional": not action.required,
    }
    if kind == "integer":
        described["integer"] = True
    if action.choices:
        described["value-choices"] = list(action.choices)
    if action.nargs in ("+", "*"):
        described["list"] = True
    if action.option_strings:
        described["command-line-flag"] = _word(action)
    return described


def _output(described: dict) -> dict:
    """Describe a result by the argument that gives its place."""
    return {
        "id": f"{described['id']}_written",
        "name": described["description"].partition(".")[0],
        "path-template": described["value-key"],
        "optional": described["optional"],
    }


def files() -> dict[str, str]:
    """Return all files by their path in the checkout."""
    written = {}
    for name, parser in parsers().items():
        written |= {path: _plain(text) for path, text in completions(name, parser).items()}
        if name in DESCRIBED:
            text = json.dumps(boutiques(name, parser), indent=2)
            written[f"deepspine_sct/pipelines/boutiques_{name.rpartition('_')[2]}.json"] = f"{text}\n"
    return written


def _plain(text: str) -> str:
    """Leave out the blanks at the ends of lines."""
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)


def main(argv: list[str] | None = None) -> int:
    """Write all files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT)
    folder = parser.parse_args(argv).folder
    for path, text in files().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
