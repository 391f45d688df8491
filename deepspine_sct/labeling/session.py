"""The scans of one session name each other's discs.

Every scan is ordered by itself. Then the two groups of scans that gain most by being one spine are
put together, again and again, until no two gain. What decides is the log likelihood of one spine
against that of two: discs that coincide and distances that fit speak for it, names and discs that a
scan would have to give up, and movement, speak against it. The order of the scans does not matter.

A confidence is the posterior over all that was weighed: every movement that was tried, and that the
scans do not belong together at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from .. import anatomy
from .agreement import Agreement, agree, support
from .cautions import about_names
from .discs import Disc, Labeling
from .joint import Joint, View, alone, combine, joint_lattice
from .lattice import Lattice, along, best, best_path, through
from .movement import MOVED_MM, possible_shifts
from .prior import SkeletonPrior
from .skeleton import build_lattice, margin, name_posterior, order, strongest

TOGETHER_NATS = 1.4
"""Log odds of four to one that files given as one session are one person in one world: cautious on purpose, so
that a scan which is unsure by itself becomes sure by discs that coincide, not by headers alone (assumed)."""
KEPT_SHARE = 0.5
"""A scan that would have to give up more of its discs than this stands alone."""
OVERLAP_MM = 25.0
"""Two scans that share less than this of the spine need not share a disc."""


@dataclass(frozen=True, eq=False)
class Named:
    """One scan of a session.

    Attributes
    ----------
    labeling : Labeling
        Its own discs, where it has them, with the names that the session as a whole gives them; the
        same as `alone` where no other scan was joined.
    alone : Labeling
        What the scan says by itself.
    joined : tuple of int
        The scans that were named with it, itself left out.
    shift_mm : (3,) array
        What is to be added to its world positions to reach those of the first scan of its group [mm].
    support : dict of int to float
        For each scan of its group, by how much its own image prefers these names to those that are one
        level higher or lower [nats]. Negative where it would rather have others.
    refused : dict of int to str
        For each scan that was not joined, why.
    """

    labeling: Labeling
    alone: Labeling
    joined: tuple[int, ...] = ()
    shift_mm: np.ndarray = field(default_factory=lambda: np.zeros(3))
    support: dict[int, float] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class _Group:
    """Scans that are one spine, and how it is named."""

    joint: Joint
    path: list[tuple[int, int]]  # of places and 0-based values
    worth: float  # log likelihood ratio of this spine [nats]
    posterior: dict[int, np.ndarray]  # (n, K) of each view
    margins: dict[int, float]

    def names(self, j: int) -> list[tuple[int, int]]:
        """Candidates of a view on the path, with their values."""
        return [(int(self.joint.member[i, j]), v) for i, v in self.path if self.joint.member[i, j] >= 0]


@dataclass(frozen=True, eq=False)
class _Meeting:
    """Two groups tried as one."""

    group: _Group
    gain: float  # [nats]
    agreement: Agreement


def order_session(views: Sequence[View], prior: SkeletonPrior | None = None) -> list[Named]:
    """Name the discs of several scans of one person as one spine, as far as they are one.

    Parameters
    ----------
    views : sequence of View
        What each scan shows, all in one world.
    prior : SkeletonPrior, optional
        Default: the one that ships.

    Returns
    -------
    list of Named
        One a view, in their order. Of a single view what `order` says.
    """
    prior = prior or SkeletonPrior.default()
    # In an order of their own, so that sums are formed alike however the scans are given.
    rank = sorted(range(len(views)), key=lambda j: _key(views[j]))
    sorted_views = [replace(views[j], candidates=_tidy(views[j], prior)) for j in rank]
    named = _Session(sorted_views, prior).named()
    place = {j: i for i, j in enumerate(rank)}
    return [_renumbered(named[place[j]], rank) for j in range(len(views))]


def _key(view: View) -> tuple:
    c = view.candidates
    c = c.take(c.descending())
    return (*view.span_mm, *(part.tobytes() for part in (c.xyz_mm, c.strength, c.evidence, c.level_mm)))


def _tidy(view: View, prior: SkeletonPrior):
    candidates = strongest(view.candidates, prior)
    return candidates.take(candidates.descending())


def _renumbered(named: Named, rank: Sequence[int]) -> Named:
    return replace(
        named,
        joined=tuple(sorted(rank[j] for j in named.joined)),
        support={rank[j]: nats for j, nats in named.support.items()},
        refused={rank[j]: why for j, why in named.refused.items()},
    )


class _Session:
    """The scans on their way to be one spine."""

    def __init__(self, views: Sequence[View], prior: SkeletonPrior) -> None:
        self.views = views
        self.prior = prior
        self.alone = [order(view.candidates, prior) for view in views]
        self.lattices: list[Lattice] = [build_lattice(view.candidates, prior) for view in views]
        self.singles = [self._single(j) for j in range(len(views))]

    def named(self) -> list[Named]:
        """Join what belongs together, and say what became of each scan."""
        groups = list(self.singles)
        met: dict[tuple[int, int], _Meeting] = {}
        while True:
            pairs = list(combinations(groups, 2))
            for one, other in pairs:
                if (id(one), id(other)) not in met:
                    met[id(one), id(other)] = self._meet(one, other)
            meetings = [met[id(one), id(other)] for one, other in pairs]
            gains = [meeting.gain for meeting in meetings]
            if not gains or max(gains) <= 0:
                break
            chosen = gains.index(max(gains))
            groups = [group for group in groups if not any(group is part for part in pairs[chosen])]
            groups = sorted([*groups, meetings[chosen].group], key=lambda group: group.joint.views)
        refused = {
            (j, k): met[id(one), id(other)].agreement.reason
            for one, other in combinations(groups, 2)
            for j in one.joint.views
            for k in other.joint.views
        }
        refused |= {(k, j): why for (j, k), why in refused.items()}
        return [self._answer(j, group, refused) for j in range(len(self.views)) for group in groups
                if j in group.joint.views]  # fmt: skip

    def _single(self, j: int) -> _Group:
        joint, lattice = alone(self.views, j), self.lattices[j]
        if len(joint.xyz_mm) == 0:
            empty = np.zeros((0, len(self.prior.level_mm)))
            return _Group(joint, [], 0.0, {j: empty}, {j: 0.0})
        path, score, _ = _read(lattice)
        posterior = name_posterior(lattice.tempered(self.prior.temperature), may_be_empty=True)
        return _Group(joint, path, score, {j: posterior}, {j: self.alone[j].level_margin})

    def _meet(self, one: _Group, other: _Group) -> _Meeting:
        """Try two groups as one, moved in every way that their discs propose; the best one counts."""
        points = [(g.joint.xyz_mm, g.joint.strength(self.views)) for g in (one, other)]
        shifts = possible_shifts(*points[0], *points[1], self.prior.reach_mm, self.prior.knee)
        tries = [self._try(one, other, combine(one.joint, other.joint, shift, self.views), shift) for shift in shifts]
        chosen = max(tries, key=lambda meeting: meeting.gain)
        if chosen.gain <= 0:
            return chosen
        # The odds of each try against two spines, whose own log odds are 0.
        weights = np.exp(np.array([meeting.gain for meeting in tries] + [0.0]) / self.prior.temperature)
        weights /= weights.sum()
        posterior = {}
        for j in chosen.group.joint.views:
            apart = (one if j in one.posterior else other).posterior[j]
            parts = [meeting.group.posterior[j] for meeting in tries] + [apart]
            posterior[j] = sum(weight * part for weight, part in zip(weights, parts, strict=True))
        group = replace(chosen.group, posterior=posterior, margins=self._margins(one, other, tries, chosen))
        return replace(chosen, group=group)

    def _try(self, one: _Group, other: _Group, joint: Joint, shift) -> _Meeting:
        """Name two groups as one spine."""
        lattice = joint_lattice(joint, self.views, self.prior)
        path, score, bounds = _read(lattice)
        agreement = agree(joint, path, lattice, self.views, self.lattices, self.prior)
        at_places = name_posterior(lattice.tempered(self.prior.temperature), may_be_empty=True)
        posterior, margins = {}, {}
        for j in joint.views:
            at = joint.member[:, j] >= 0
            posterior[j] = np.zeros((len(self.views[j].candidates), at_places.shape[1]))
            posterior[j][joint.member[at, j]] = at_places[at]
            own = [(i, v) for i, v in path if joint.member[i, j] >= 0]
            margins[j] = margin(bounds, score, own) if own else 0.0
        worth = agreement.worth - shift.cost(self.prior.knee)
        group = _Group(joint, path, worth, posterior, margins)
        gain = worth - one.worth - other.worth + TOGETHER_NATS
        if any(len(group.names(j)) < KEPT_SHARE * len(self.singles[j].path) for j in joint.views):
            gain = -np.inf
        return _Meeting(group, gain, replace(agreement, reason=self._reason(one, other, group, agreement)))

    def _margins(self, one: _Group, other: _Group, tries: list[_Meeting], chosen: _Meeting) -> dict[int, float]:
        """Let nothing be surer than the choice among the tries that give a scan other names."""
        margins = dict(chosen.group.margins)
        for j in margins:
            names = chosen.group.names(j)
            rivals = [(meeting.group, meeting.gain) for meeting in tries] + [(one if j in one.margins else other, 0.0)]
            for group, gain in rivals:
                same = len(set(names) & set(group.names(j)))
                if 2 * same < len(names):
                    margins[j] = min(margins[j], chosen.gain - gain)
        return margins

    def _reason(self, one: _Group, other: _Group, group: _Group, agreement: Agreement) -> str:
        """Say in one line why two groups are not one spine, in case they are not."""
        spans = [self._span(part, group.joint.shift_mm) for part in (one, other)]
        shared_mm = min(high for _, high in spans) - max(low for low, _ in spans)
        if shared_mm > OVERLAP_MM and agreement.shared_discs == 0:
            return (
                f"both show {shared_mm:.0f} mm of one height, but their discs do not lie at one place,"
                f" not even after a movement of up to {MOVED_MM:.0f} mm"
            )
        if agreement.kept:
            return "their discs could be one spine, but each scan has good reasons for other names"
        return "their discs do not lie on one spine"

    def _span(self, group: _Group, shift_mm: np.ndarray) -> tuple[float, float]:
        spans = np.array([np.array(self.views[j].span_mm) + shift_mm[j, 2] for j in group.joint.views])
        return float(spans[:, 0].min()), float(spans[:, 1].max())

    def _answer(self, j: int, group: _Group, refused: dict[tuple[int, int], str]) -> Named:
        plain = self.alone[j]
        why = {k: text for (i, k), text in refused.items() if i == j}
        joined = tuple(k for k in group.joint.views if k != j)
        if not joined:
            return Named(plain, plain, refused=why)
        names, posterior = group.names(j), group.posterior[j]
        says = {k: support(self.lattices[k], group.names(k)) for k in group.joint.views}
        shift_mm = group.joint.shift_mm[j]
        if not names:
            return Named(Labeling(warnings=["no disc found"]), plain, joined, shift_mm, says, why)
        level_confidence = float(np.median([posterior[i, v] / posterior[i].sum() for i, v in names]))
        score = plain.score if plain.discs else float(along(self.lattices[j], names).max())
        labeling = Labeling(
            discs=[Disc(v + 1, self.views[j].candidates.xyz_mm[i], float(posterior[i, v])) for i, v in names],
            level_confidence=level_confidence,
            level_margin=float(group.margins[j]),
            warnings=about_names([v + 1 for _, v in names], anatomy.DISC_VALUES, level_confidence),
            score=score,
            fit=plain.fit if plain.discs else score / len(names),
        )
        return Named(labeling, plain, joined, shift_mm, says, why)


def _read(lattice: Lattice) -> tuple[list[tuple[int, int]], float, np.ndarray]:
    """Return the best path, its score and the max-marginals (n, K); no path where none is worth it."""
    bounds, forward = through(lattice, best)
    score, path = best_path(lattice, forward)
    return (path, score, bounds.max(axis=1)) if score > 0 else ([], 0.0, bounds.max(axis=1))
