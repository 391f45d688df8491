"""What a run of `sct_deepspine_batch` says beside its summary: what is left out, under way, missing or gone."""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deepspine_sct.wording import counted

if TYPE_CHECKING:
    from deepspine_sct.cohort.job import Outcome
    from deepspine_sct.data.discovery import Findings

MOST_NAMED = 3
"""Scans that a line names; of more it says how many there are."""


def warn(findings: "Findings") -> None:
    """Say what is left out, and what lacks its sidecar."""
    for image, reason in findings.skipped.items():
        print(f"skipped: {image}: {reason}", file=sys.stderr)
    bare = findings.without_sidecar
    if bare:
        print(
            f"Warning: no JSON sidecar beside {counted(len(bare), 'scan')}, for example {bare[0].image.name}; "
            "the labels do not need one",
            file=sys.stderr,
        )


def shown(outcomes: "Iterable[Outcome]", total: int, verbosity: int) -> "Iterator[Outcome]":
    """Pass outcomes on under a progress bar, and name those that are no success."""
    from tqdm import tqdm

    from deepspine_sct.quality_control.outcomes import LABELLED

    hidden = verbosity == 0 or os.environ.get("SCT_PROGRESS_BAR", "").lower() in ("off", "no", "false")
    # None: no bar where stderr is no terminal, so that a log holds lines and nothing else.
    with tqdm(outcomes, total=total, unit="scan", disable=hidden or None, smoothing=0.05) as bar:
        for outcome in bar:
            if outcome.kind != LABELLED:
                tqdm.write(f"{outcome.kind}: {outcome.image}: {outcome.reason}", sys.stderr)
            elif verbosity == 2:
                notes = "".join(f"; {warning}" for warning in outcome.warnings)
                tqdm.write(f"{outcome.kind}: {outcome.image}{notes}", sys.stderr)
            yield outcome


def sum_up(findings: "Findings") -> None:
    """Say at the end how much was passed over."""
    from deepspine_sct.data.discovery import left_out_lines

    for line in left_out_lines(findings):
        print(line, file=sys.stderr)


def count_cautions(outcomes: "Sequence[Outcome]", where: str) -> None:
    """Say at the end how many scans lack something that was asked for, and which file says why."""
    counts = Counter(code for outcome in outcomes for code in set(outcome.codes))
    if n := counts["corrected_by_hand"]:
        print(
            f"What was corrected by hand stays for {counted(n, 'scan')}; reports, measures and page have the automatic "
            "labels",
            file=sys.stderr,
        )
    if n := counts["no_cord_levels"]:
        print(f"No levels of the cord for {counted(n, 'scan')}; {where} says why", file=sys.stderr)


def count_removed(levels: "Sequence[Path]", is_asked: bool) -> None:
    """Say at the end how many scans have lost their levels of the cord."""
    if levels:
        remedy = "" if is_asked else "; run this again with --derivatives-seg to have them made again"
        print(
            f"Warning: levels of the cord of an earlier run were removed for {counted(len(levels), 'scan')} without "
            f"any in this run, for example {levels[0].name}{remedy}",
            file=sys.stderr,
        )


def left_over_lines(target: Path, findings: "Findings") -> list[str]:
    """Say of which scans there are results although they are not in the data set any more."""
    from deepspine_sct.cohort.state import left_over

    names = left_over(target, findings)
    if not names:
        return []
    first = ", ".join(names[:MOST_NAMED]) + (", ..." if len(names) > MOST_NAMED else "")
    return [
        f"{len(names)} labelled before, but not in the data set any more: {first}; their results stay in {target}, "
        "but on no page and in no table; if nobody needs them, remove them there and in logs"
    ]
