"""Order and name disc candidates: what the network says, weighed against what a spine can be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .. import anatomy
from ..caution import Caution
from ..errors import DeepspineError
from .cautions import about_names, about_what_was_given
from .confidence import least_sure, name_share
from .discs import Disc, Labeling, Rating
from .heatmap import Candidates
from .lattice import Lattice, best, best_path, sweep, through, total
from .level_shifts import level_shifts
from .pins import place_pins
from .prior import SkeletonPrior
from .promising import Promising, narrowed, promising
from .steps import build_lattice


def order(
    candidates: Candidates,
    prior: SkeletonPrior | None = None,
    values: tuple[int, ...] | None = None,
    pins: dict[int, np.ndarray] | None = None,
) -> Labeling:
    """Name the candidates that are discs and drop the ghosts.

    The best path through `lattice`, exactly, over all choices of candidates, all increasing values
    and all body sizes. A disc's confidence is the posterior of its name over the same paths.

    Parameters
    ----------
    candidates : Candidates
        In any order; the evidence has at most as many values as the prior.
    prior : SkeletonPrior, optional
        Default: the one that ships.
    values : tuple of int, optional
        Disc values asked for, default all. A disc that is none of them costs
        ``prior.elsewhere_cost``. So a range decides where the image leaves the names open, and
        moves no name where the image is sure. `Labeling.only` leaves the others out of the answer.
    pins : dict of int to (3,) array, optional
        Disc values whose world position [mm] is known. The nearest candidate within
        ``prior.pin_radius_mm`` carries that value; without one, the position itself does.

    Returns
    -------
    Labeling
        Superior to inferior. Empty when no candidate is more likely a disc than a ghost. Score
        and fit are those of the image by itself, without `values` and `pins`. Less sure of pins that contradict
        the spine that the image shows; see `doubt_given`.

    Raises
    ------
    DeepspineError
        When a pinned value is not a disc, or the pins do not run from head to foot.
    """
    prior = prior or SkeletonPrior.default()
    seen = order_alone(candidates, prior).labeling
    if values is None and not pins:
        return seen
    candidates = strongest(candidates, prior)
    asked = _best(candidates, prior, values or anatomy.DISC_VALUES, pins or {})
    warnings = [*asked.warnings, *about_what_was_given(seen, asked.only(values), bool(values))]
    basis = seen if seen.discs else asked
    answer = replace(asked, score=basis.score, fit=basis.fit, warnings=warnings)
    if not pins:
        return answer
    from .given import doubt_given  # not for the many that know no disc

    return doubt_given(answer, pins, seen, prior.pin_radius_mm)


def order_alone(candidates: Candidates, prior: SkeletonPrior) -> Alone:
    """Name candidates, in any order, by what they say alone; keep how that came about."""
    candidates = strongest(candidates, prior)
    lattice = build_lattice(candidates, prior)
    reading = read(lattice, prior)
    return Alone(candidates, lattice, reading, labeling_of(reading, candidates))


def rate(candidates: Candidates, prior: SkeletonPrior) -> Rating:
    """Score the best naming of candidates as `order` does, at a quarter of the cost: without confidences."""
    candidates = strongest(candidates, prior)
    if len(candidates) == 0:
        return Rating()
    lattice = build_lattice(candidates, prior)
    score, path = best_path(lattice, sweep(lattice, best))
    return Rating(score, len(path)) if score > 0 else Rating()


def strongest(candidates: Candidates, prior: SkeletonPrior) -> Candidates:
    """Leave out the weakest candidates where there are more than the prior allows; superior to inferior."""
    candidates = candidates.take(candidates.descending())
    return candidates.take(np.sort(np.argsort(-candidates.strength, kind="stable")[: prior.max_candidates]))


def _best(
    candidates: Candidates,
    prior: SkeletonPrior,
    values: tuple[int, ...],
    pins: dict[int, np.ndarray],
) -> Labeling:
    """Name the candidates that are among some values, with pins that hold."""
    candidates, pinned = place_pins(candidates, pins, prior.pin_radius_mm)
    reading = read(build_lattice(candidates, prior, pinned, values), prior, may_be_empty=not pinned)
    if reading.score == -np.inf:
        raise DeepspineError(
            f"the given discs {sorted(pinned.values())} are not in the order of their values from"
            " head to foot; check their values and positions"
        )
    return labeling_of(reading, candidates, values)


@dataclass(frozen=True, eq=False)
class Reading:
    """What a lattice says of its candidates.

    Attributes
    ----------
    path : list of (candidate, value)
        Best naming, values 0-based; empty where none is better than no disc.
    score : float
        Its log score; 0 where it is empty, -inf where no naming is possible.
    bounds : (n, K)
        Max-marginals.
    posterior : (n, K)
        Probability that a candidate is visited with a value; all zero where the path is empty.
    part : Promising
        What comes near to the best naming.
    """

    path: list[tuple[int, int]]
    score: float
    bounds: np.ndarray
    posterior: np.ndarray
    part: Promising


@dataclass(frozen=True, eq=False)
class Alone:
    """What one scan says by itself.

    Attributes
    ----------
    candidates : Candidates
        Those that were considered, superior to inferior.
    lattice : Lattice
        Over them.
    reading : Reading
        What it says.
    labeling : Labeling
        The same as an answer.
    """

    candidates: Candidates
    lattice: Lattice
    reading: Reading
    labeling: Labeling


def read(lattice: Lattice, prior: SkeletonPrior, may_be_empty: bool = True) -> Reading:
    """Find the best naming of a lattice and the probability of every name."""
    n, k = len(lattice.unary), len(prior.level_mm)
    bounds = through(lattice, best)
    score, path = best_path(lattice, bounds.forward) if n else (-np.inf, [])
    at_best_size = bounds.places.max(axis=1)
    if may_be_empty and score <= 0:
        score, path = 0.0, []
    part = promising(lattice, bounds, score, k)
    if not path or score == -np.inf:
        return Reading([], score, at_best_size, np.zeros((n, k)), part)
    return Reading(path, score, at_best_size, posterior_of_part(lattice, part, prior, may_be_empty), part)


def posterior_of_part(lattice: Lattice, part: Promising, prior: SkeletonPrior, may_be_empty: bool = True) -> np.ndarray:
    """(n, K) probability that candidate i is visited with value v, over all that is promising."""
    small, nodes = narrowed(lattice, part)
    posterior = np.zeros((len(lattice.unary), len(prior.level_mm)))
    of_small = name_posterior(small.tempered(prior.temperature), may_be_empty)
    posterior[nodes] = small.by_value(of_small, posterior.shape[1], 0.0)
    return posterior


def labeling_of(reading: Reading, candidates: Candidates, values: tuple[int, ...] = anatomy.DISC_VALUES) -> Labeling:
    """Report a naming of candidates, of which some values are asked for."""
    path, posterior = reading.path, reading.posterior
    if len(candidates) == 0:
        return Labeling(warnings=[Caution("no_disc", "no disc found")])
    if not path:
        text = "no disc found: no candidate looks more like a disc than not"
        return Labeling(warnings=[Caution("no_disc", text)])
    discs, shifts = named_discs(path, candidates.xyz_mm, posterior), level_shifts(posterior, path)
    return Labeling(
        discs=discs,
        level_confidence=least_sure(discs),
        level_margin=margin(reading.bounds, reading.score, path),
        warnings=about_names(discs, values, shifts),
        shifts=shifts,
        score=float(reading.score),
        fit=float(reading.score) / len(path),
    )


def named_discs(path: Sequence[tuple[int, int]], xyz_mm: np.ndarray, posterior: np.ndarray) -> list[Disc]:
    """Make discs of a path over places (n, 3) with the probability (n, K) of each name."""
    share = name_share(posterior)
    return [Disc(v + 1, xyz_mm[i], float(posterior[i, v]), float(share[i, v])) for i, v in path]


def name_posterior(lattice: Lattice, may_be_empty: bool) -> np.ndarray:
    """(n, W) probability that candidate i is visited with each value of its window, over all paths and scales."""
    sums = through(lattice, total)
    complete = sums.forward.at[lattice.ends].ravel()
    everything = total(np.append(complete, 0.0 if may_be_empty else -np.inf), 0)
    return np.minimum(np.exp(total(sums.places, 1) - everything), 1)


def margin(bounds: np.ndarray, score: float, path: list[tuple[int, int]]) -> float:
    """Lower bound of what it costs to rename more than half of the discs.

    A path that renames the candidates of a set scores at most the best path that renames any single
    one of them, `bounds` (n, K) being the max-marginals. Over sets of m candidates the least of
    these bounds is at most the m-th largest: exact when one shift is behind the largest m.
    """
    rivals = sorted((float(np.delete(bounds[i], v).max()) for i, v in path), reverse=True)
    return score - rivals[len(path) // 2]
