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
from itertools import combinations, product

import numpy as np

from .. import anatomy
from ..caution import Caution
from .agreement import agree, support
from .cautions import about_names
from .confidence import least_sure
from .discs import Labeling
from .joint import View, alone, combine, joint_lattice
from .lattice import along, best, best_path, sweep
from .level_shifts import level_shifts
from .meeting import Group, Meeting, Naming, Try, margins_of
from .movement import MOVED_MM, Shift, possible_shifts
from .prior import SkeletonPrior
from .skeleton import named_discs, order_alone

TOGETHER_NATS = 1.4
"""Log odds of four to one that files given as one session are one person in one world (assumed). They decide what is
joined. The confidences take even odds, so that a scan which is unsure by itself becomes sure by discs that coincide and
not by its header alone, and another person's scan, given by mistake, seldom makes a wrong name sure."""
KEPT_SHARE = 0.5
"""A scan that would have to give up more of its discs than this stands alone."""
OVERLAP_MM = 25.0
"""Two scans that share less than this of the spine need not share a disc."""
NEGLIGIBLE = 3e-3
"""A movement that is less probable than this, relative to the likeliest one, is left out of the confidences."""


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

    def renumbered(self, number: Sequence[int]) -> Named:
        """Return the same where scan j of the session is called ``number[j]``."""
        return replace(
            self,
            joined=tuple(sorted(number[j] for j in self.joined)),
            support={number[j]: nats for j, nats in self.support.items()},
            refused={number[j]: why for j, why in self.refused.items()},
        )


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
    sorted_views = [_ordered(views[j], prior) for j in rank]
    named = _Session(sorted_views, prior).named()
    place = {j: i for i, j in enumerate(rank)}
    return [named[place[j]].renumbered(rank) for j in range(len(views))]


def _key(view: View) -> tuple[float | bytes, ...]:
    c = view.candidates
    c = c.take(c.descending())
    return (*view.span_mm, *(part.tobytes() for part in (c.xyz_mm, c.strength, c.evidence, c.level_mm)))


def _ordered(view: View, prior: SkeletonPrior) -> View:
    alone = view.alone or order_alone(view.candidates, prior)
    return replace(view, candidates=alone.candidates, alone=alone)


class _Session:
    """The scans on their way to be one spine."""

    def __init__(self, views: Sequence[View], prior: SkeletonPrior) -> None:
        self.views = views
        self.prior = prior
        self.by_itself = [view.alone or order_alone(view.candidates, prior) for view in views]
        self.lattices = [alone.lattice for alone in self.by_itself]
        self.singles = [self._single(j) for j in range(len(views))]

    def named(self) -> list[Named]:
        """Join what belongs together, and say what became of each scan."""
        groups = list(self.singles)
        met: dict[tuple[tuple[int, ...], ...], Meeting] = {}
        while True:
            meetings = []
            for pair in combinations(groups, 2):
                key = tuple(tuple(group.posterior) for group in pair)
                if key not in met:
                    met[key] = self._meet(*pair)
                meetings.append(met[key])
            meeting = max(meetings, key=lambda meeting: meeting.chosen.gain, default=None)
            if meeting is None or meeting.chosen.gain <= 0:
                break
            rest = [group for group in groups if group is not meeting.one and group is not meeting.other]
            groups = sorted([*rest, self._joined(meeting)], key=lambda group: group.naming.joint.views)
        refused: dict[int, dict[int, str]] = {j: {} for j in range(len(self.views))}
        for meeting in meetings:
            why = self._reason(meeting)
            for j, k in product(meeting.one.posterior, meeting.other.posterior):
                refused[j][k] = refused[k][j] = why
        group_of = {j: group for group in groups for j in group.posterior}
        return [self._answer(j, group_of[j], refused[j]) for j in range(len(self.views))]

    def _single(self, j: int) -> Group:
        of_scan, joint = self.by_itself[j], alone(self.views, j, self.prior)
        path = [(int(np.searchsorted(joint.member[:, j], i)), v) for i, v in of_scan.reading.path]
        return Group(
            Naming(joint, path, of_scan.reading.score),
            {j: of_scan.reading.posterior},
            {j: of_scan.labeling.level_margin},
        )

    def _meet(self, one: Group, other: Group) -> Meeting:
        """Try two groups as one, moved in every way that their discs propose."""
        here, there = one.naming.joint, other.naming.joint
        shifts = possible_shifts(
            here.xyz_mm, here.strength(self.views), there.xyz_mm, there.strength(self.views),
            self.prior.reach_mm, self.prior.knee,
        )  # fmt: skip
        return Meeting(one, other, [self._try(one, other, shift) for shift in shifts])

    def _try(self, one: Group, other: Group, shift: Shift) -> Try:
        """Name two groups as one spine."""
        joint = combine(one.naming.joint, other.naming.joint, shift, self.views)
        lattice = joint_lattice(joint, self.views, self.prior)
        forward = sweep(lattice, best)
        score, path = best_path(lattice, forward) if len(lattice.unary) else (0.0, [])
        score, path = (score, path) if score > 0 else (0.0, [])
        agreement = agree(joint, path, lattice, self.views, self.lattices, self.prior)
        worth = agreement.worth - shift.cost(self.prior.knee)
        naming = Naming(joint, path, worth)
        gain = worth - one.naming.worth - other.naming.worth + TOGETHER_NATS
        if any(len(naming.names(j)) < max(KEPT_SHARE * len(self.singles[j].naming.path), 1) for j in joint.views):
            gain = -np.inf
        return Try(naming, lattice, forward, score, gain, agreement)

    def _joined(self, meeting: Meeting) -> Group:
        """Make one group of two, as sure as all tries together are."""
        chosen, sides = meeting.chosen, (meeting.one, meeting.other)
        # The odds of each try against two spines, where both are as likely before anything is seen.
        evidence = np.array([a_try.gain - TOGETHER_NATS for a_try in meeting.tries])
        odds = np.exp(evidence / self.prior.temperature)
        odds[odds < NEGLIGIBLE * odds.max()] = 0
        apart = 1 / (1 + odds.sum())
        posterior = {j: apart * of_view for side in sides for j, of_view in side.posterior.items()}
        for a_try, share in zip(meeting.tries, apart * odds, strict=True):
            if share:
                at_places = a_try.posterior(self.prior)
                for j in posterior:
                    at = a_try.naming.joint.member[:, j] >= 0
                    posterior[j][a_try.naming.joint.member[at, j]] += share * at_places[at]
        return Group(chosen.naming, posterior, margins_of(meeting, len(self.prior.level_mm)))

    def _reason(self, meeting: Meeting) -> str:
        """Say in one line why two groups are not one spine, in case they are not."""
        chosen = meeting.chosen
        if not all(self.singles[j].naming.path for side in (meeting.one, meeting.other) for j in side.posterior):
            return "one of them shows no disc"
        spans_mm = []
        for side in (meeting.one, meeting.other):
            of_views = np.array([self.views[j].span_mm for j in side.posterior])
            spans_mm.append((of_views[:, 0].min(), of_views[:, 1].max()))
        shared_mm = min(high for _, high in spans_mm) - max(low for low, _ in spans_mm)
        if shared_mm > OVERLAP_MM and 2 * chosen.agreement.shared_discs < shared_mm / OVERLAP_MM:
            return (
                f"both show the same {shared_mm:.0f} mm of height, but their discs do not coincide,"
                f" not even after a movement of up to {MOVED_MM:.0f} mm"
            )
        if chosen.agreement.fits:
            return "their discs could belong to one spine, but each scan gives clear evidence for other names"
        return "their discs do not fit on one spine"

    def _answer(self, j: int, group: Group, refused: dict[int, str]) -> Named:
        plain, naming = self.by_itself[j].labeling, group.naming
        joined = tuple(k for k in group.posterior if k != j)
        if not joined:
            return Named(plain, plain, refused=refused)
        names, posterior = naming.names(j), group.posterior[j]
        says = {k: support(self.lattices[k], naming.names(k)) for k in group.posterior}
        shift_mm = naming.joint.shift_mm[j]
        if not names:
            return Named(
                Labeling(warnings=[Caution("no_disc", "no disc found")]), plain, joined, shift_mm, says, refused
            )
        discs = named_discs(names, self.views[j].candidates.xyz_mm, posterior)
        shifts = level_shifts(posterior, names)
        score = plain.score if plain.discs else float(along(self.lattices[j], names).max())
        labeling = Labeling(
            discs=discs,
            level_confidence=least_sure(discs),
            level_margin=float(group.margins[j]),
            warnings=about_names(discs, anatomy.DISC_VALUES, shifts),
            shifts=shifts,
            score=score,
            fit=plain.fit if plain.discs else score / len(names),
        )
        return Named(labeling, plain, joined, shift_mm, says, refused)
