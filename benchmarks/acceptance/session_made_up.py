"""Made-up sessions: the candidates of several scans, without an image or a network, so that there can be many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from deepspine_sct import anatomy
from deepspine_sct.labeling.heatmap import Candidates
from deepspine_sct.labeling.joint import View

K = len(anatomy.DISC_VALUES)
SEED = 1000
NECK = range(2, 12)
KINDS = {
    # whether of one person, movement along each axis [mm], range of the first disc, number of discs
    "neck, and thorax": (True, 3.0, (8, 14), 8),
    "neck, and four discs of the thorax": (True, 3.0, (8, 14), 4),
    "neck, and another scan of one height": (True, 3.0, (3, 8), 8),
    "neck, and thorax of another subject": (False, 12.0, (8, 14), 8),
    "neck, and four discs of another subject's thorax": (False, 12.0, (8, 14), 4),
    "neck, and another subject at one height": (False, 12.0, (3, 8), 8),
}


@dataclass(frozen=True)
class MadeUp:
    """A neck whose names are clear, and a scan whose names are open between two levels."""

    group: str
    name: str
    views: list[View]
    values: list[range]
    of_one: bool  # person


def made_up_sessions(n: int) -> Iterator[MadeUp]:
    """Yield n sessions of each kind."""
    for i in range(n):
        for group, (of_one, moved_mm, tops, size) in KINDS.items():
            rng = np.random.default_rng([SEED, i])
            body = make_body(rng)
            other = body if of_one else make_body(rng, rng.uniform(0.8, 1.1))
            top = int(rng.integers(*tops))
            values = range(top, top + size)
            moved_xyz, mix = rng.normal(0, moved_mm, 3), rng.uniform(0.4, 0.6)
            views = [
                make_view(body, NECK, rng, ghosts=2),
                make_view(other, values, rng, moved_xyz, mix, 0.7, ghosts=2),
            ]
            yield MadeUp(group, str(i), views, [NECK, values], of_one)


def make_body(rng: np.random.Generator, scale: float = 0.95) -> np.ndarray:
    """(25, 3) tips of a lordotic and kyphotic spine [mm]."""
    angle = np.radians(15 * np.sin(np.arange(1, K) / 3.5) + rng.normal(0, 6))
    step_mm = anatomy.SPACING_MM * scale * rng.normal(1, 0.05, K - 1)
    step = step_mm[:, None] * np.stack([0 * angle, np.sin(angle), -np.cos(angle)], axis=1)
    return np.vstack([[3.0, -20.0, 80.0], step]).cumsum(axis=0)


def make_view(body, values, rng, moved_mm=(0, 0, 0), mix=0.0, blur=0.5, ghosts=0) -> View:
    """What a scan of some discs shows; a share ``mix`` of the names speaks for the next disc below."""
    values = np.asarray(values)
    n = len(values)
    distance = np.arange(1, K + 1) - values[:, None]
    evidence = (1 - mix) * np.exp(-0.5 * (distance / blur) ** 2) + mix * np.exp(-0.5 * ((distance - 1) / blur) ** 2)
    level_mm = anatomy.LEVEL_MM[values - 1] - 30 * mix + rng.normal(0, 4, n)
    xyz_mm = body[values - 1] + rng.normal(0, 0.8, (n, 3)) * [3, 1, 1]
    high, low = xyz_mm[0, 2] + 12, xyz_mm[-1, 2] - 12
    strays_mm = rng.uniform((-10, body[:, 1].min() - 40, low), (10, body[:, 1].max() + 60, high), (ghosts, 3))
    candidates = Candidates(
        np.vstack([xyz_mm, strays_mm]) + moved_mm,
        np.append(rng.uniform(0.6, 0.98, n), rng.uniform(0.15, 0.5, ghosts)),
        np.vstack([evidence / evidence.sum(axis=1, keepdims=True) * 0.9, rng.dirichlet(np.ones(K), ghosts)]),
        np.append(level_mm, rng.uniform(-50, 450, ghosts)),
    )
    return View(candidates, (low + moved_mm[2], high + moved_mm[2]))


def names_of(labeling, view) -> list[int]:
    """Value given to each candidate, 0 where it was dropped."""
    values = np.zeros(len(view.candidates), dtype=int)
    for disc in labeling.discs:
        values[(view.candidates.xyz_mm == disc.xyz_mm).all(axis=1)] = disc.value
    return values.tolist()


def wrong_names(labeling, view, values) -> int:
    """Number of candidates that are named, but wrongly."""
    truth = [*values, *[0] * (len(view.candidates) - len(values))]
    return sum(name not in (0, true) for name, true in zip(names_of(labeling, view), truth, strict=True))
