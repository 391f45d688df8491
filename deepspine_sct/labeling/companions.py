"""One scan named together with others of its session: from what the network saw to named discs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import DeepspineError
from ..image.grid import Grid
from ..stopwatch import Stopwatch
from .discs import Labeling
from .joint import View
from .predictor import Look, Predictor, Result
from .session import Named, order_session
from .skeleton import order, order_alone


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


@dataclass(frozen=True, eq=False)
class Together:
    """All scans of a session, named together as far as they fit.

    Attributes
    ----------
    refusals : tuple of str
        Why each scan cannot take part; "" where it does.
    named : tuple of Named or None
        What became of each scan that does, its companions by their place among all.
    """

    refusals: tuple[str, ...]
    named: tuple[Named | None, ...]


def name_together(
    predictor: Predictor, looks: Sequence[Look | DeepspineError], threshold: float | None = None
) -> Together:
    """Name the scans of a session together, as far as they fit.

    Parameters
    ----------
    predictor : Predictor
        The network.
    looks : sequence of Look or DeepspineError
        The scans, in one world; in place of one that cannot be read, the reason.
    threshold : float, optional
        Least probability of a disc at a candidate.
    """
    views = [_view(predictor, look, threshold) for look in looks]
    of_readable = {i: view for i, view in enumerate(views) if isinstance(view, View)}
    readable = list(of_readable)
    named: list[Named | None] = [None] * len(looks)
    for i, of_scan in zip(readable, order_session(list(of_readable.values()), predictor.prior), strict=True):
        named[i] = of_scan.renumbered(readable)
    return Together(tuple("" if isinstance(view, View) else view for view in views), tuple(named))


def conclude_together(
    predictor: Predictor,
    look: Look,
    together: Together,
    i: int,
    watch: Stopwatch,
    threshold: float | None = None,
    values: Collection[int] | None = None,
) -> Joined:
    """Look again at the discs of one scan of a session, and judge it.

    Parameters
    ----------
    predictor : Predictor
        The network.
    look : Look
        The scan.
    together : Together
        Its session.
    i : int
        Its place in the session.
    watch : Stopwatch
        Takes the times of the stages.
    threshold : float, optional
        Least probability of a disc at a candidate.
    values : collection of int, optional
        Disc values asked for: no other one is missed, and the changes are told of these.

    Raises
    ------
    DeepspineError
        When the scan cannot be judged; see `Predictor.conclude`.
    """
    scan = together.named[i]
    if scan is None:  # it stands alone, and will be refused for the same reason
        labeling = order(predictor.candidates(look, threshold), predictor.prior)
        scan = Named(labeling, labeling)
    result = predictor.conclude(look, scan.labeling, watch, asked=values, joined=bool(scan.joined))
    return Joined(
        result=result,
        alone=scan.alone,
        support=scan.support.get(i, float("inf")),
        changes=tuple(c for c in _changes(scan.alone, scan.labeling) if values is None or set(c) & set(values)),
        companions=tuple(_companion(together, i, k) for k in range(len(together.named)) if k != i),
    )


def span_mm(grid: Grid) -> tuple[float, float]:
    """Lowest and highest world z [mm] in the middle of a (L, I, P) grid."""
    n_slices, n_rows, n_cols = grid.shape
    ends_ijk = [((n_slices - 1) / 2, row, (n_cols - 1) / 2) for row in (n_rows - 0.5, -0.5)]
    low_mm, high_mm = grid.to_world(np.array(ends_ijk))[:, 2]
    return float(low_mm), float(high_mm)


def _view(predictor: Predictor, look: Look | DeepspineError, threshold: float | None) -> View | str:
    """Say what a scan brings to a session, or why it can bring nothing."""
    if isinstance(look, DeepspineError):
        return str(look)
    alone = order_alone(predictor.candidates(look, threshold), predictor.prior)
    try:
        labeling = predictor.judge(look, alone.labeling)
    except DeepspineError as error:
        return str(error)
    return View(alone.candidates, span_mm(look.grid), alone) if labeling.discs else "no disc was found in it"


def _changes(before: Labeling, after: Labeling) -> tuple[tuple[int | None, int | None], ...]:
    """Compare the names of the same places."""
    was, is_now = ({tuple(disc.xyz_mm): disc.value for disc in of.discs} for of in (before, after))
    places = sorted(was | is_now, key=lambda xyz_mm: -xyz_mm[2])
    pairs = [(was.get(place), is_now.get(place)) for place in places]
    return tuple((old, new) for old, new in pairs if old != new)


def _companion(together: Together, i: int, k: int) -> Companion:
    """Tell what scan k of a session had to say to scan i."""
    scan, other = together.named[i], together.named[k]
    if other is None:
        return Companion(together.refusals[k])
    if scan is None:
        return Companion("the scan itself cannot be judged", other.alone)
    if k not in scan.joined:
        return Companion(scan.refused[k], other.alone)
    return Companion("", other.labeling, other.shift_mm - scan.shift_mm, scan.support[k])
