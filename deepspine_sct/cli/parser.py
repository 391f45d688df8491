"""What every command shares: SCT's manners of parsing, reporting an error and exiting."""

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

from deepspine_sct import __version__
from deepspine_sct.cli.messages import did_you_mean, one_line
from deepspine_sct.cli.streams import forgiving_streams, logged_warnings, showable
from deepspine_sct.errors import DeepspineError

_ENDINGS = (".nii", ".nii.gz", ".json", ".png", ".tsv", ".safetensors", ".onnx")

_INPUTS = ("-i", "-s", "-initlabel", "-initz", "-discs")
"""If one of these is given twice, argparse takes the last one and says nothing of the first. So it does for every
option that takes several values. Other options are settings, and a later one may overrule an earlier one."""

EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it


class SctArgumentParser(argparse.ArgumentParser):
    """An argument parser with the manners of the Spinal Cord Toolbox.

    Options have one dash and stand in groups MANDATORY, OPTIONAL and MISC. A usage error prints
    the usage and ``<prog>: error: <message>`` on stderr, and exits with 2; the whole help would push
    the line that matters off the screen. An option must be written out: argparse alone would read
    ``-initlable F`` as ``-i nitlable``.
    """

    def __init__(self, prog: str, description: str, usage: str, epilog: str) -> None:
        super().__init__(
            prog=prog,
            description=description,
            usage=f"{prog} {usage}",
            epilog=epilog,
            add_help=False,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.mandatory = self.add_argument_group("MANDATORY ARGUMENTS")
        self.optional = self.add_argument_group("OPTIONAL ARGUMENTS")
        self.misc = self.add_argument_group("MISC ARGUMENTS")

    def add_misc_arguments(self, is_bids_app: bool = False, has_temporary_files: bool = False) -> None:
        """Add -v, -r and -h, which SCT's commands end with, and -version, which a BIDS App writes with two dashes.

        -r is for commands that have temporary files.
        """
        self.misc.add_argument(
            *(("--version", "-version") if is_bids_app else ("-version", "--version")),
            action="version",
            version=f"{self.prog} {__version__}",
            help="Show the version and exit.",
        )
        self.misc.add_argument(
            "-v",
            type=int,
            choices=(0, 1, 2),
            default=1,
            help="Verbosity. 0: warnings and errors only, 1: the result, 2: the result, the time "
            "of every stage and the traceback of an error. Default: 1.",
        )
        if has_temporary_files:
            self.misc.add_argument(
                "-r",
                type=int,
                choices=(0, 1),
                default=1,
                help="Remove temporary files. 0: keep them, if there are any as with `-straighten 1`, and "
                "print their folder. Default: 1.",
            )
        self.misc.add_argument("-h", "--help", action="help", help="Show this help message and exit.")

    def parse_args(self, args=None, namespace=None):
        """Parse as argparse does, but refuse abbreviated and run-together options, and repeated inputs."""
        arguments = sys.argv[1:] if args is None else list(args)
        given = set()
        for argument in arguments:
            # BIDS Apps take --name=value as well.
            name = argument.partition("=")[0] if argument.startswith("--") else argument
            if _looks_like_an_option(argument) and name not in self._option_string_actions:
                hint = did_you_mean(name, self._option_string_actions)
                self.error(
                    f"unrecognized option: {argument}{hint or f'; a file of that name is given as ./{argument}'}"
                )
            action = self._option_string_actions.get(name)
            if action is None:
                continue
            if action.dest in given and (name in _INPUTS or action.nargs == "+"):
                remedy = "give it once" + (", with all of its values after it" if action.nargs == "+" else "")
                self.error(f"argument {name}: is given twice; {remedy}")
            given.add(action.dest)  # which is the same for both spellings of an option
        args, rest = self.parse_known_args(arguments, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}; a name with spaces needs quotes around it")
        return args

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> object:
        """Refuse a file or a folder without a name, as an unset variable of a script gives it."""
        if any(not text.strip() for text in arg_strings) and _names_a_path(action):
            raise argparse.ArgumentError(action, "is empty; was a variable of your script not set?")
        for text in arg_strings:
            if _names_a_path(action) and text.rpartition("/")[2].lower() in _ENDINGS:
                fault = f"{text!r} has no name before its ending; was a variable of your script not set?"
                raise argparse.ArgumentError(action, fault)
        return super()._get_values(action, arg_strings)

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """Refuse what is none of an option's choices, with the one that may have been meant."""
        if action.choices is not None and value not in action.choices:
            choices = [str(choice) for choice in action.choices]
            hint = did_you_mean(str(value), choices)
            raise argparse.ArgumentError(action, f"invalid choice: {value!r} (choose from {', '.join(choices)}){hint}")

    def error(self, message: str) -> NoReturn:
        """Print the usage and the message on stderr and exit with 2."""
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.prog}: error: {message} ({self.prog} -h shows all options)\n")


def _names_a_path(action: argparse.Action) -> bool:
    """Tell an argument that is a file or a folder by how the help calls it."""
    return any(word in str(action.metavar or "") for word in ("file", "folder", "_dir"))


def _looks_like_an_option(argument: str) -> bool:
    """Tell an option from a value, from a negative number and from a lone dash."""
    return argument[:1] == "-" and len(argument) > 1 and argument[1] not in ".0123456789"


def run(
    parser: SctArgumentParser,
    command: Callable[[argparse.Namespace], None],
    argv: Sequence[str] | None,
) -> int:
    """Parse the arguments, run the command, and turn what goes wrong into one line.

    Returns
    -------
    int
        The exit status: 0, 1 for an error, 3 where no disc was found, 130 when interrupted. The
        traceback is shown only with ``-v 2``. A usage error and ``-h`` raise SystemExit, as
        argparse does. An error that is none of the user's or the machine's doing is a bug and
        keeps its traceback.
    """
    with forgiving_streams(), logged_warnings():
        return _run(parser, command, argv)


def _run(
    parser: SctArgumentParser,
    command: Callable[[argparse.Namespace], None],
    argv: Sequence[str] | None,
) -> int:
    args = parser.parse_args(argv)
    try:
        command(args)
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except (DeepspineError, OSError, MemoryError, ModuleNotFoundError) as error:
        if args.v == 2:
            traceback.print_exception(error)
        print(f"{parser.prog}: error: {one_line(error)}", file=sys.stderr)
        return getattr(error, "exit_code", DeepspineError.exit_code)
    return 0


def say(text: str) -> None:
    """Print on stdout, with characters that the terminal cannot show escaped."""
    print(showable(text, sys.stdout))
