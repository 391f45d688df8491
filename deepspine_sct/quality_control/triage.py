"""What a person should look at first, and why: said once, for the page, the tables and the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..anatomy import disc_name
from ..labeling.confidence import SURE, UNLIKELY, in_two_digits
from ..landmarks.agreement import contradicted
from ..landmarks.spacing import outliers, spacings
from .entry import Entry
from .outcomes import DAMAGED, FAILED, LABELLED, NOT_DONE, SKIPPED

_SAID_ANYWAY = ("levels_uncertain", "low_confidence")
"""Cautions that say again what the confidences say."""

_MOST_NAMED = 10
_MOST_URGENT = 2.9  # of a labelled scan: what failed comes first
_RANK = {FAILED: 3.0, DAMAGED: 3.0, NOT_DONE: 0.5, SKIPPED: 0.25}


@dataclass(frozen=True)
class Finding:
    """Why a scan should be looked at.

    Attributes
    ----------
    reasons : sentences, the gravest first; empty where there is nothing to look at
    urgency : larger comes first; 0 for a labelled scan with nothing to look at
    """

    reasons: tuple[str, ...]
    urgency: float


def judge(entries: Sequence[Entry]) -> list[Finding]:
    """Say of every scan why it should be looked at, if at all.

    A labelled scan is looked at where its names are in doubt or contradict those of another scan of
    its session, where a disc is weak, where the program has warned, and where a distance between
    discs is unlike that of the other scans.

    Parameters
    ----------
    entries : sequence of Entry
        All scans of the page, as each is compared with the others.
    """
    found = [s for n, entry in enumerate(entries) if entry.outcome == LABELLED for s in spacings(n, entry.points)]
    odd: dict[int, list[str]] = {}
    for spacing, score in outliers(found):
        names = f"{disc_name(spacing.value)} to {disc_name(spacing.value + 1)}"
        text = f"{names} is {spacing.mm:.1f} mm, unlike the other scans ({score:+.1f} SD)"
        odd.setdefault(spacing.scan, []).append(text)
    clashes = _clashes(entries)
    return [_judge_one(entry, odd.get(n, []), clashes.get(n, [])) for n, entry in enumerate(entries)]


def _clashes(entries: Sequence[Entry]) -> dict[int, list[str]]:
    """Say of which scans the names contradict those of another scan of their session."""
    sessions: dict[tuple[str, ...], list[int]] = {}
    for n, entry in enumerate(entries):
        if entry.discs and entry.subject.startswith("sub-"):
            sessions.setdefault((entry.dataset, entry.subject, entry.session), []).append(n)
    clashes: dict[int, list[str]] = {}
    for members in sessions.values():
        for first, second, shift in contradicted([entries[n].points for n in members]):
            other = entries[members[second]].image.rpartition("/")[2]
            text = f"a disc has a value {abs(shift)} {'higher' if shift > 0 else 'lower'} here than in {other}"
            clashes.setdefault(members[first], []).append(text)
    return clashes


def _judge_one(entry: Entry, odd: Sequence[str], clashes: Sequence[str]) -> Finding:
    if entry.outcome != LABELLED:
        return Finding((entry.reason or entry.outcome,), _RANK[entry.outcome])
    reasons, urgency = [], 0.0
    level = entry.level_confidence if entry.level_confidence is not None else 1.0
    if level < SURE:
        reasons.append(f"the names may be shifted: level confidence {in_two_digits(level)}")
        urgency += 1 + (1 - level)
    if clashes:
        reasons += clashes
        urgency += 1.5
    if odd:
        reasons += odd
        urgency += 0.8
    weak = [value for value, _, confidence in entry.discs if confidence < UNLIKELY]
    if weak:
        reasons.append(f"weak discs: {', '.join(map(disc_name, weak))}")
        urgency += 0.5 + 0.02 * len(weak)
    others = [caution for caution in entry.warnings if caution.code not in _SAID_ANYWAY]
    if others:
        reasons += others
        urgency += 0.3
    return Finding(tuple(reasons), min(urgency, _MOST_URGENT))


def summary(entries: Sequence[Entry], findings: Sequence[Finding]) -> list[str]:
    """Say in a few lines how a run went: what was labelled, what to look at, what failed and why.

    Returns
    -------
    list of str
        One line for each kind of outcome, and below it the scans that a person has to look at.
    """
    counts = Counter(entry.outcome for entry in entries)
    look = [n for n, entry in enumerate(entries) if entry.outcome == LABELLED and findings[n].reasons]
    look.sort(key=lambda n: -findings[n].urgency)
    lines = [f"{counts[LABELLED]} labelled, {len(look)} of them to look at"]
    lines += _named([(entries[n], findings[n].reasons[0]) for n in look])
    for outcome in (FAILED, DAMAGED, NOT_DONE):
        if counts[outcome]:
            lines.append(f"{counts[outcome]} {outcome}")
            lines += _named([(entry, entry.reason) for entry in entries if entry.outcome == outcome])
    if counts[SKIPPED]:
        lines.append(f"{counts[SKIPPED]} skipped")
        reasons = Counter(entry.reason for entry in entries if entry.outcome == SKIPPED)
        lines += [f"  {n} x {reason}" for reason, n in reasons.most_common(_MOST_NAMED)]
    return lines


def _named(scans: Sequence[tuple[Entry, str]]) -> list[str]:
    """Name scans with a reason each; of many the first ones."""
    lines = [f"  {entry.image.rpartition('/')[2]}: {reason}".rstrip(": ") for entry, reason in scans[:_MOST_NAMED]]
    rest = len(scans) - _MOST_NAMED
    return lines + ([f"  and {rest} more"] if rest > 0 else [])
