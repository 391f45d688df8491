"""What a naming scores for where its discs lie: a step between two of them, a turn between two steps."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from .. import anatomy
from .heatmap import Candidates
from .lattice import Lattice
from .prior import SkeletonPrior
from .scores import apart_score, candidate_score, log_peak, toll


@dataclass(frozen=True, eq=False)
class Steps:
    """Steps between places, and what is expected of each.

    Attributes
    ----------
    tail, head : (E,) int
        From place ``tail`` to place ``head``.
    length_mm : (E,)
        How far that is [mm].
    direction : (E, 3)
        Unit vectors, RAS+.
    tip_mm2 : (E,) or float
        Variance of each end's place along one axis [mm^2].
    seen : (E,) or float
        Share of the step where a disc between its ends would be seen.
    """

    tail: np.ndarray
    head: np.ndarray
    length_mm: np.ndarray
    direction: np.ndarray
    tip_mm2: np.ndarray | float
    seen: np.ndarray | float = 1.0

    @property
    def angle(self) -> np.ndarray:
        """(E,) angle to the vertical [rad]."""
        return np.arccos(np.clip(-self.direction[:, 2], -1, 1))

    def take(self, kept: np.ndarray) -> Steps:
        """Return the steps at `kept`, (E,) of bool, before anything else is expected of any of them."""
        return replace(
            self,
            tail=self.tail[kept],
            head=self.head[kept],
            length_mm=self.length_mm[kept],
            direction=self.direction[kept],
        )


@dataclass(frozen=True, eq=False)
class Window:
    """The successive values that are considered at each of n places: ``first[i]`` and the following ones.

    Attributes
    ----------
    first : (n,) int
        The lowest value of each place, 0-based.
    width : int
        How many there are at each.
    """

    first: np.ndarray
    width: int

    @classmethod
    def around(cls, values: np.ndarray) -> Window:
        """Return the narrowest one that holds some values (n, K) of bool, at least one at each place."""
        n, k = values.shape
        lowest, highest = values.argmax(axis=1), k - 1 - values[:, ::-1].argmax(axis=1)
        width = int((highest - lowest).max(initial=0)) + 1
        return cls(np.minimum(lowest, k - width), width)

    @property
    def values(self) -> np.ndarray:
        """(n, W) values of each place."""
        return self.first[:, None] + np.arange(self.width)

    def at(self, places: np.ndarray) -> np.ndarray:
        """(E, W) values at some places; (1, W), for all of them, where all places have the same ones."""
        everywhere = (self.first == self.first[:1]).all()
        return self.values[:1] if everywhere and len(self.first) else self.values[places]


def build_lattice(
    candidates: Candidates,
    prior: SkeletonPrior,
    pinned: dict[int, int] | None = None,
    values: tuple[int, ...] = anatomy.DISC_VALUES,
    window: Window | None = None,
    considered: np.ndarray | None = None,
) -> Lattice:
    """Score every part of every path.

    Parameters
    ----------
    candidates : Candidates
        n candidates, superior to inferior.
    prior : SkeletonPrior
        Geometry and weights.
    pinned : dict of int to int, optional
        Candidate index to the disc value that it must carry.
    values : tuple of int
        Disc values asked for.
    window : Window, optional
        The values that are considered, by default all K of the prior.
    considered : (n, n) array of bool, optional
        The steps that are considered, by default all.

    Returns
    -------
    Lattice
        Over n candidates.
    """
    n, k = len(candidates), len(prior.level_mm)
    unary = candidate_score(candidates, prior, pinned or {})
    unary[:, ~np.isin(np.arange(1, k + 1), values)] -= prior.elsewhere_cost
    steps = find_steps(candidates.xyz_mm, prior, considered)
    pins = np.array(sorted(pinned or {}), dtype=int)
    skips_pin = np.searchsorted(pins, steps.head) - np.searchsorted(pins, steps.tail, side="right") > 0
    steps = steps.take(~skips_pin)
    window = window or Window(np.zeros(n, dtype=int), k)
    apart = apart_score(candidates, steps.tail, steps.head, *_ends(steps, window), prior)
    lattice = connect(steps, unary, window, apart, scales_of(prior), prior)
    index = np.arange(n)
    return replace(lattice, starts=index <= pins.min(initial=n), ends=index >= pins.max(initial=-1))


def find_steps(xyz_mm: np.ndarray, prior: SkeletonPrior, considered: np.ndarray | None = None) -> Steps:
    """Find the steps that may be between places (n, 3), superior to inferior, world RAS+ [mm].

    Of these only those that are ``considered`` (n, n), by default all.
    """
    n = len(xyz_mm)
    tail, head = np.nonzero(np.triu(np.ones((n, n), dtype=bool) if considered is None else considered, 1))
    step_mm = xyz_mm[head] - xyz_mm[tail]
    length_mm = np.linalg.norm(step_mm, axis=1)
    steps = Steps(tail, head, length_mm, step_mm / np.maximum(length_mm, 1e-6)[:, None], prior.tip_sd_mm**2)
    return steps.take(steps.angle <= np.radians(prior.max_angle_deg))


def connect(
    steps: Steps, unary: np.ndarray, window: Window, apart: np.ndarray, scales: np.ndarray, prior: SkeletonPrior
) -> Lattice:
    """Score the steps between scored places.

    Parameters
    ----------
    steps : Steps
        Between n places.
    unary : (n, K)
        Score of each value at each place.
    window : Window
        The values that are considered.
    apart : (E, W, W)
        What images say of the ends of each step, of their values in the window.
    scales : (S,)
        Body sizes that are tried.
    prior : SkeletonPrior
        Geometry and weights.
    """
    size_z = (np.log(scales) - np.log(prior.scale_mean)) / prior.scale_sd
    known = apart - tilt_cost(steps.angle, prior)[:, None, None]
    everywhere = np.ones(len(unary), dtype=bool)
    return Lattice(
        unary=np.float32(np.take_along_axis(unary, window.values, axis=1)),
        scale=np.float32(-0.5 * size_z**2),
        tail=steps.tail,
        head=steps.head,
        link=link_score(steps, known, *_ends(steps, window), scales, prior),
        turn=turn_score(steps, prior),
        starts=everywhere,
        ends=everywhere,
        first=window.first,
    )


def _ends(steps: Steps, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Values that are considered at the tails and at the heads of steps."""
    return window.at(steps.tail), window.at(steps.head)


def scales_of(prior: SkeletonPrior) -> np.ndarray:
    """(S,) body sizes that are tried."""
    return np.geomspace(*prior.scale_range, prior.n_scales)


def tilt_cost(angle: np.ndarray, prior: SkeletonPrior) -> np.ndarray:
    """(E,) cost of steps at some angles (E,) to the vertical [rad]."""
    return toll(angle / np.radians(prior.angle_sd_deg), prior.knee)


def link_score(
    steps: Steps, known: np.ndarray, u: np.ndarray, v: np.ndarray, scales: np.ndarray, prior: SkeletonPrior
) -> np.ndarray:
    """(E, S, W, W) score of steps with other scores (E, W, W), at each scale, for values u and v (E or 1, W)."""
    spacing_mm = np.array(prior.spacing_mm)
    position_mm = np.concatenate([[0], np.cumsum(spacing_mm)])
    variance_mm2 = np.concatenate([[0], np.cumsum((spacing_mm * prior.spread) ** 2)])
    u, v = u[:, :, None], v[:, None, :]
    mean_mm = np.float32(position_mm[v] - position_mm[u])
    own_mm2 = np.float32(np.abs(variance_mm2[v] - variance_mm2[u]))
    ends_mm2 = np.float32(2 * np.reshape(steps.tip_mm2, (-1, 1, 1)))
    missing = np.float32(v - u - 1)
    gap_cost = np.float32(prior.missing_cost) + np.float32(prior.missing_more_cost) * (missing - 1)
    gap_cost = np.where(missing > 0, np.float32(np.reshape(steps.seen, (-1, 1, 1))) * gap_cost, 0)
    gap_cost[np.broadcast_to(missing < 0, gap_cost.shape)] = np.inf
    # Single precision, a scale at a time, in place: memory, not arithmetic, takes the time here.
    shape = (len(steps.tail), u.shape[1], v.shape[2])
    score = np.empty((shape[0], len(scales), *shape[1:]), dtype=np.float32)
    base, z = np.float32(known) - gap_cost, np.empty(shape, dtype=np.float32)
    length_mm, knee = np.float32(steps.length_mm)[:, None, None], np.float32(prior.knee)
    for s, scale in enumerate(np.float32(scales)):
        sd_mm = np.sqrt(scale**2 * own_mm2 + ends_mm2)
        np.subtract(length_mm, scale * mean_mm, out=z)
        z /= knee * sd_mm
        z *= z  # from here on `toll`
        z += 1
        np.sqrt(z, out=z)
        z -= 1
        z *= knee**2
        np.subtract(base, z, out=z)
        np.add(z, np.float32(log_peak(sd_mm, prior.reach_mm)), out=score[:, s])
    return score


def turn_score(steps: Steps, prior: SkeletonPrior) -> np.ndarray:
    """(E, E) score of two successive steps; zero where the one does not begin where the other ends."""
    one, other = np.nonzero(steps.head[:, None] == steps.tail)
    cosine = (steps.direction[one] * steps.direction[other]).sum(axis=1)
    change_rad = np.sqrt(np.maximum(2 - 2 * cosine, 0))
    near, far = 1 / steps.length_mm[one], 1 / steps.length_mm[other]
    noise = prior.tip_sd_mm**2 * (near**2 + far**2 + (near + far) ** 2)
    apart_mm = (steps.length_mm[one] + steps.length_mm[other]) / 2
    bend = (math.radians(prior.bend_deg_per_mm) * apart_mm) ** 2
    score = np.zeros((len(steps.tail), len(steps.tail)), dtype=np.float32)
    score[one, other] = -toll(change_rad / np.sqrt(noise + bend), prior.knee)
    return score
