"""One scan named together with others of its session: from what the network saw to named discs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import DeepspineError
from ..image.grid import Grid
from ..stopwatch import Stopwatch
from .discs import Labeling
from .joint import View
from .predictor import Look, Predictor, Result
from .session import Named, order_session
from .skeleton import order


@dataclass(frozen=True, eq=False)
class Companion:
    """Another scan of the session, and what it had to say.

    Attributes
    ----------
    refused : str
        Why it was not named together with the scan; "" where it was.
    labeling : Labeling
        Its own discs, in its own world, with the names of the session, or its own names where it was refused.
    moved_mm : (3,) array
        What is to be added to its world RAS+ positions to reach those of the scan [mm].
    support : float
        By how much its own image prefers the names to those a level higher or lower [nats]; infinite where
        no others are possible, or it was refused.
    """

    refused: str
    labeling: Labeling = field(default_factory=Labeling)
    moved_mm: np.ndarray = field(default_factory=lambda: np.zeros(3))
    support: float = float("inf")


@dataclass(frozen=True, eq=False)
class Joined:
    """A scan named together with its companions.

    Attributes
    ----------
    result : Result
        As of one scan.
    alone : Labeling
        What the ordering says of the scan by itself.
    support : float
        By how much its own image prefers the names to those a level higher or lower [nats].
    changes : tuple of (int or None, int or None)
        Value by itself and value now of each disc that is named otherwise, superior to inferior; None
        where it is, or was, no disc.
    companions : tuple of Companion
        In the order in which they were given.
    """

    result: Result
    alone: Labeling
    support: float
    changes: tuple[tuple[int | None, int | None], ...]
    companions: tuple[Companion, ...]


def predict_together(
    predictor: Predictor,
    look: Look,
    others: Sequence[Look | DeepspineError],
    watch: Stopwatch,
    threshold: float | None = None,
    values: Collection[int] | None = None,
) -> Joined:
    """Name the discs of a scan together with other scans of its session, as far as they fit.

    Parameters
    ----------
    predictor : Predictor
        The network.
    look : Look
        The scan.
    others : sequence of Look or DeepspineError
        The other scans, in the same world; in place of one that cannot be read, the reason.
    watch : Stopwatch
        Takes the times of the stages.
    threshold : float, optional
        Least probability of a disc at a candidate.
    values : collection of int, optional
        Disc values asked for; the others are left out of the answer.

    Raises
    ------
    DeepspineError
        When the scan itself cannot be judged; see `Predictor.conclude`.
    """
    with watch.stage("ordering"):
        refusals = [_refusal(predictor, other, threshold) for other in others]
        readable = [i for i, refusal in enumerate(refusals) if not refusal]
        looks = [look, *(others[i] for i in readable)]
        views = [View(predictor.candidates(each, threshold), span_mm(each.grid)) for each in looks]
        named = order_session(views, predictor.prior)
    companions = [Companion(refusal) for refusal in refusals]
    for place, i in enumerate(readable, 1):
        companions[i] = _companion(named, place)
    labeling = named[0].labeling
    if values is not None:
        labeling = replace(labeling, discs=[disc for disc in labeling.discs if disc.value in values])
    result = predictor.conclude(look, labeling, watch)
    changes = _changes(named[0].alone, labeling)
    return Joined(result, named[0].alone, named[0].support.get(0, float("inf")), changes, tuple(companions))


def span_mm(grid: Grid) -> tuple[float, float]:
    """Lowest and highest world z [mm] in the middle of a (L, I, P) grid."""
    n_slices, n_rows, n_cols = grid.shape
    ends_ijk = [((n_slices - 1) / 2, row, (n_cols - 1) / 2) for row in (n_rows - 0.5, -0.5)]
    low_mm, high_mm = grid.to_world(np.array(ends_ijk))[:, 2]
    return float(low_mm), float(high_mm)


def _refusal(predictor: Predictor, other: Look | DeepspineError, threshold: float | None) -> str:
    """Say why a scan cannot help, "" where it may."""
    if isinstance(other, DeepspineError):
        return str(other)
    labeling = order(predictor.candidates(other, threshold), predictor.prior)
    try:
        labeling = predictor.judge(other, labeling)
    except DeepspineError as error:
        return str(error)
    return "" if labeling.discs else "no disc was found in it"


def _changes(before: Labeling, after: Labeling) -> tuple[tuple[int | None, int | None], ...]:
    """Compare the names of the same places."""
    was, is_now = ({tuple(disc.xyz_mm): disc.value for disc in of.discs} for of in (before, after))
    places = sorted(was | is_now, key=lambda xyz_mm: -xyz_mm[2])
    pairs = [(was.get(place), is_now.get(place)) for place in places]
    return tuple((old, new) for old, new in pairs if old != new)


def _companion(named: Sequence[Named], place: int) -> Companion:
    scan, other = named[0], named[place]
    if place not in scan.joined:
        return Companion(scan.refused[place], other.alone)
    return Companion("", other.labeling, other.shift_mm - scan.shift_mm, scan.support[place])
