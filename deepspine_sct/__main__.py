"""All commands behind one name: ``python -m deepspine_sct label -i t2.nii.gz -c t2``."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from deepspine_sct import __version__
from deepspine_sct.cli.commands import COMMANDS
from deepspine_sct.cli.streams import end_process

USAGE = f"""\
usage: python -m deepspine_sct {{{",".join(COMMANDS)}}} [options]

Runs the command sct_deepspine_<name>. For its options: python -m deepspine_sct <name> -h
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the first argument names.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; by default those of the process.

    Returns
    -------
    int
        Exit status of the command; 2 where there is no such command.
    """
    name, *arguments = (sys.argv[1:] if argv is None else list(argv)) or [""]
    if name in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    if name in ("-version", "--version"):
        print(f"deepspine_sct {__version__}")
        return 0
    if name not in COMMANDS:
        print(f"{USAGE}\ndeepspine_sct: error: '{name}' is not a command", file=sys.stderr)
        return 2
    return import_module(f"deepspine_sct.cli.{COMMANDS[name]}").main(arguments)


def program() -> NoReturn:
    """Be the process of the command that the first argument names."""
    status = main()
    if sys.argv[1:2] == ["label"]:  # the only one that is short enough for its end to matter
        end_process(status)
    sys.exit(status)


if __name__ == "__main__":
    program()
