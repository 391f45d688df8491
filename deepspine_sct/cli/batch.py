"""`sct_deepspine_batch`: a whole BIDS data set, on one machine or on a cluster."""

import os
import shlex
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from deepspine_sct.cli.batch_arguments import get_parser
from deepspine_sct.cli.batch_messages import (
    count_cautions,
    count_removed,
    left_over_lines,
    shown,
    sum_up,
    warn,
)
from deepspine_sct.cli.parser import run, say
from deepspine_sct.errors import DeepspineError
from deepspine_sct.wording import counted

SUMMARY_NAME = "summary.txt"
"""File in the folder of logs that says what the last run said."""

if TYPE_CHECKING:
    from deepspine_sct.cohort.job import Job, Outcome
    from deepspine_sct.data.bids import Scan
    from deepspine_sct.data.discovery import Findings


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
    parser.set_defaults(command=shlex.join([parser.prog, *arguments]))
    return run(parser, batch, arguments)


def batch(args: Namespace) -> None:
    """Do what the arguments say.

    Raises
    ------
    DeepspineError
        When the data set, the output or the request cannot be used, or some scans failed.
    """
    from deepspine_sct.data.discovery import search

    if args.analysis_level == "group":
        report_on_group(args)
        return
    source, _ = folders_of(args)
    findings = search(source, suffixes_of(args), args.participant_label, args.session_label)
    if args.dry_run:
        show_plan(make_job(args), findings, args.force)
    else:
        label_participants(args, findings)


def folders_of(args: Namespace) -> tuple[Path, Path]:
    """Make the paths of the data set and of the results absolute, without "..": the last folder names the data set.

    Links are not followed: a data set that is reached through one has the name of the link.
    """
    return Path(os.path.abspath(args.bids_dir)), Path(os.path.abspath(args.output_dir))


def suffixes_of(args: Namespace) -> tuple[str, ...]:
    """BIDS suffixes of the scans to do."""
    from deepspine_sct.data.bids import CONTRASTS

    return tuple(args.suffix or (CONTRASTS[contrast] for contrast in args.contrast))


def find_group(args: Namespace, job: "Job", found: "Findings | None" = None) -> "Findings":
    """Search the whole data set for the scans that are asked for, and for those of runs on other suffixes.

    What was found of it before is handed on where there are no other ones.
    """
    from deepspine_sct.cohort.state import recorded_suffixes
    from deepspine_sct.data.discovery import search

    asked = suffixes_of(args)
    others = sorted(recorded_suffixes(job.target) - set(asked))
    return found if found and not others else search(job.source, (*asked, *others))


def make_job(args: Namespace, date: str = "") -> "Job":
    """Gather what is done to every scan.

    Raises
    ------
    DeepspineError
        When the network or a folder is missing.
    """
    from deepspine_sct.cohort.job import Job
    from deepspine_sct.model.runtime import load_runtime

    cords = Path(args.derivatives_seg).absolute() if args.derivatives_seg else None
    if cords and not cords.is_dir():
        raise DeepspineError(f"{cords}: no such folder; check --derivatives-seg")
    model = Path(args.model).absolute() if args.model else None
    source, target = folders_of(args)
    return Job(
        source=source,
        target=target,
        checksum=load_runtime(model, "cpu").checksum,
        date=date,
        model=model,
        pictures=args.qc,
        cords=cords,
        together=suffixes_of(args) if args.joint else (),
        timeout_s=args.timeout,
        memory_gb=args.memory,
    )


def label_participants(args: Namespace, findings: "Findings") -> None:
    """Label the scans that are not done yet, and say how it went.

    Raises
    ------
    DeepspineError
        When some scans failed, or the run as a whole did.
    """
    from deepspine_sct.cohort import state
    from deepspine_sct.cohort.target_folder import link_segmentations, open_target
    from deepspine_sct.quality_control.outcomes import FAILED

    job = make_job(args)
    job = replace(job, date=open_target(job.target, job.source, job.checksum))
    if job.cords:
        job = replace(job, cords_name=link_segmentations(job.target, job.cords))
    warn(findings)
    if args.scheduler:
        from deepspine_sct.cohort.cluster import check_scheduler

        check_scheduler(args.scheduler)
    todo = state.take_up(job, findings.scans, again=args.force)
    levels = state.levels_files(job, todo)
    all_scans = counted(len(findings.scans), "scan")
    if args.v and len(todo) < len(findings.scans):
        n_done = len(findings.scans) - len(todo)
        say(f"{n_done} of {all_scans} {'is' if n_done == 1 else 'are'} done already")
    outcomes = list(shown(label(args, job, todo), len(todo), args.v)) if todo else []
    counts = Counter(outcome.kind for outcome in outcomes)
    if args.v:
        say("This run: " + (", ".join(f"{n} {kind}" for kind, n in counts.items()) or "nothing to do"))
    is_part = bool(args.participant_label or args.session_label)
    write_group(args, job, findings if is_part else find_group(args, job, findings), is_part=is_part)
    sum_up(findings)
    count_cautions(outcomes, "*_label-discs_report.json of each" if is_part else "deepspine_images.tsv")
    count_removed([path for path in levels if not path.exists()], is_asked=job.cords is not None)
    if counts[FAILED]:
        raise DeepspineError(
            f"{counts[FAILED]} of {all_scans} failed; the reasons are above and in "
            f"{job.target}/logs, and the next run tries them again"
        )


def write_group(args: Namespace, job: "Job", findings: "Findings", is_part: bool = False) -> None:
    """Say what was labelled and what a person has to look at; write it to the log, the tables and the page.

    A run on some participants or sessions writes neither tables nor page, which would then hold these
    alone; the level group writes them.
    """
    from deepspine_sct.cohort.bids_derivative import LOG_FOLDER
    from deepspine_sct.cohort.group_tables import write_tables
    from deepspine_sct.cohort.scan_entries import about, read_scans
    from deepspine_sct.files.atomic import atomic_path
    from deepspine_sct.quality_control.page_folder import write_page
    from deepspine_sct.quality_control.triage import judge, summary

    scans = list(read_scans(job, findings))
    entries = [scan.entry for scan in scans]
    judged = judge(entries)
    lines = summary(entries, judged) + ([] if is_part else left_over_lines(job.target, findings))
    if args.v:
        say("\n".join(lines))
    if is_part:
        if args.v:
            say("To write the page and the tables of the whole data set, run the level group")
        return
    (job.target / LOG_FOLDER).mkdir(exist_ok=True)
    with atomic_path(job.target / LOG_FOLDER / SUMMARY_NAME) as path:
        path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="backslashreplace")
    write_tables(job.target, job.source, scans, judged)
    page = write_page(job.target, entries, about(job, scans, args.command))
    if args.v:
        say(f"Wrote {page}")


def label(args: Namespace, job: "Job", scans: "Sequence[Scan]") -> "Iterator[Outcome]":
    """Have the scans labelled where the user wants it."""
    if args.scheduler:
        from deepspine_sct.cohort.cluster import label_on_cluster

        return label_on_cluster(job, scans, args.scheduler)
    from deepspine_sct.cohort.local import label_locally, usable_cores

    n_workers = min(args.n_procs or usable_cores(), len(scans))
    return label_locally(job, scans, n_workers)


def show_plan(job: "Job", findings: "Findings", force: bool) -> None:
    """Print what a run would do to each scan."""
    from deepspine_sct.cohort.state import settled
    from deepspine_sct.cohort.target_folder import check_usable

    check_usable(job.target, job.source)
    warn(findings)
    counts: Counter[str] = Counter()
    for scan in findings.scans:
        known = None if force else settled(job, scan)
        deed = f"{known.kind} before" if known else "to do"
        counts[deed] += 1
        say(f"{deed}: {scan.path}")
    say(", ".join(f"{n} {deed}" for deed, n in counts.items()))
    sum_up(findings)


def report_on_group(args: Namespace) -> None:
    """Write the tables and the page on what is there.

    Raises
    ------
    DeepspineError
        When nothing was labelled into the folder yet, or a file cannot be written.
    """
    from deepspine_sct.cohort.job import Job
    from deepspine_sct.cohort.target_folder import check_target

    for option in ("dry-run", "participant-label", "session-label"):
        if getattr(args, option.replace("-", "_")):
            get_parser().error(f"argument --{option}: belongs to the level participant; leave it out")
    job = Job(*folders_of(args), checksum="", date="", pictures=True)
    check_target(job.target, job.source)
    write_group(args, job, find_group(args, job))


if __name__ == "__main__":
    sys.exit(main())
