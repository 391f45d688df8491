"""`sct_deepspine_label`: one scan in, one file of named discs out."""

import gc
import shlex
import shutil
import sys
from argparse import Namespace
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from deepspine_sct.cli.interruption import interrupted_later
from deepspine_sct.cli.label_arguments import get_parser
from deepspine_sct.cli.numpy_threads import give_numpy_one_thread
from deepspine_sct.cli.parser import run, say
from deepspine_sct.cli.streams import end_process
from deepspine_sct.errors import NoDiscFound
from deepspine_sct.stopwatch import Stopwatch

# Everything heavy is imported where it is used, so that -h and a usage error answer at once.
if TYPE_CHECKING:
    from deepspine_sct.image.ahead import ReadAhead
    from deepspine_sct.labeling.predictor import Predictor
    from deepspine_sct.scan.report import Report
    from deepspine_sct.scan.request import ScanRequest


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; by default those of the process.

    Returns
    -------
    int
        Exit status; see `deepspine_sct.cli.parser.run`.
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    parser = get_parser()
    command = shlex.join([parser.prog, *arguments])

    def label_as_asked(args: Namespace) -> None:
        if (args.qc_dataset or args.qc_subject) and not args.qc:
            parser.error("arguments -qc-dataset and -qc-subject: name a scan on a page; give its folder with -qc")
        if args.overlay_session and not args.beside:
            parser.error("argument -overlay-session: needs the other scans of the session; give them with -with")
        if args.beside and args.straighten:
            parser.error(
                "argument -with: not allowed with argument -straighten, which leaves the world coordinates of the scans"
            )
        from deepspine_sct.image.ahead import ReadAhead

        ahead = ReadAhead(Path(args.i))  # before the libraries are loaded, which takes another core as long
        with interrupted_later():
            give_numpy_one_thread()
            request = make_request(args, command)
        label(request, ahead, verbosity=args.v)

    collects = gc.isenabled()
    gc.disable()  # what half a second leaves behind is not worth looking for, which costs 20 ms
    try:
        return run(parser, label_as_asked, arguments)
    finally:
        if collects:
            gc.enable()


def program() -> NoReturn:
    """Be the process of the command, which ends as soon as its files are written."""
    end_process(main())


def make_request(args: Namespace, command: str) -> "ScanRequest":
    """Turn the arguments into a request, and refuse outputs that would do harm.

    Raises
    ------
    DeepspineError
        When an output cannot be written, or pictures cannot be drawn.
    """
    from deepspine_sct.scan.output_paths import optional_path, plan_outputs
    from deepspine_sct.scan.request import ScanRequest, Straightening

    outputs = plan_outputs(
        args.i,
        args.s,
        file=args.o,
        folder=args.ofolder,
        json=args.json,
        overlay=args.overlay,
        session=args.overlay_session,
        qc=args.qc,
        attention=args.attention,
        heatmaps=args.heatmaps,
        inputs=[name for name in (args.initlabel, args.model, *args.beside) if name],
    )
    if outputs.wants_picture:
        from deepspine_sct.pictures.figure import require_matplotlib

        require_matplotlib()  # said now, not after the network has run
    return ScanRequest(
        name=args.i,
        image=Path(args.i),
        contrast=args.c,
        values=args.discs,
        threshold=args.thr,
        initlabel=optional_path(args.initlabel),
        initz=args.initz,
        cord=optional_path(args.s),
        straighten=Straightening(args.straighten),
        beside=tuple(map(Path, args.beside)),
        model=optional_path(args.model),
        device=args.device,
        keep_temporary=args.r == 0,
        page_dataset=args.qc_dataset,
        page_subject=args.qc_subject,
        command=command,
        outputs=outputs,
    )


def label(request: "ScanRequest", ahead: "ReadAhead", verbosity: int) -> None:
    """Label one scan, write its files, and say what was found.

    Raises
    ------
    DeepspineError
        When an input or the request cannot be used, or a file cannot be written. A label file that was
        written stays.
    NoDiscFound
        When the image holds no disc; no file is written.
    """
    watch = Stopwatch()
    background = ThreadPoolExecutor(1)
    loading = background.submit(load_predictor, request)  # it needs a core, and reading mostly another
    # Nobody waits for it who does not need its result: a thread that imports may wait for ever for a lock that this one
    # held when it was interrupted.
    background.shutdown(wait=False)
    with interrupted_later():
        from deepspine_sct.scan.inputs import read_inputs
        from deepspine_sct.scan.label_scan import label_scan
        from deepspine_sct.scan.write_outputs import IncompleteOutputs, write_outputs
    with watch.stage("read"):
        inputs = read_inputs(request, ahead=ahead)
    with watch.stage("load"):
        predictor = loading.result()
    try:
        labelled = label_scan(request, predictor, inputs, watch)
    except NoDiscFound as error:
        raise NoDiscFound(f"{error}, {_advice(request)}") from error
    try:
        report = write_outputs(labelled, watch)
    except IncompleteOutputs as error:
        announce(request, error.report, verbosity)
        raise
    announce(request, report, verbosity)


def _advice(request: "ScanRequest") -> str:
    """Name the options that may help where no disc was found, the most helpful one first."""
    knows_a_disc = request.initz or request.initlabel
    first = "" if knows_a_disc else "give one disc that you know with -initz <slice>,<disc>, "
    return f"{first}{'widen -discs, ' if request.values else ''}or lower -thr"


def load_predictor(request: "ScanRequest") -> "Predictor":
    """Load the network that the request names, or the installed one."""
    from deepspine_sct.model.runtime import load_runtime

    # Before the import below: it runs mostly outside of Python, so that the other thread can import meanwhile.
    runtime = load_runtime(request.model, request.device)
    from deepspine_sct.labeling.predictor import Predictor

    return Predictor(runtime)


def announce(request: "ScanRequest", report: "Report", verbosity: int) -> None:
    """Print the result on stdout and the warnings on stderr."""
    from deepspine_sct.cli import result_table

    for caution in report.warnings:
        if caution.code == "output_failed":  # the error at the end says so
            continue
        print("Warning:", *f"{request.name}: {caution}".split(), file=sys.stderr)  # one line, whatever the name holds
    if verbosity == 0:
        return
    say(result_table.disc_table(report))
    say(result_table.level_line(report))
    if report.session:
        say(result_table.session_lines(report.session))
    if verbosity == 2:
        say(result_table.provenance_lines(report))
    for path in report.outputs.values():
        say(f"Wrote {path}")
    if shutil.which("fsleyes"):
        say(f"To see it:\n{result_table.viewer_command(request.name, str(request.outputs.discs))}")


if __name__ == "__main__":
    program()
