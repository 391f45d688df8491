"""Made-up sessions: the candidates of several scans of one body."""

import numpy as np

from deepspine_sct import anatomy
from deepspine_sct.labeling.heatmap import Candidates
from deepspine_sct.labeling.joint import View

K = len(anatomy.DISC_VALUES)


def make_body(rng, scale=0.95, spread=0.05):
    """(25, 3) tips of a lordotic and kyphotic spine [mm]."""
    angle = np.radians(15 * np.sin(np.arange(1, K) / 3.5) + rng.normal(0, 6))
    step_mm = anatomy.SPACING_MM * scale * rng.normal(1, spread, K - 1)
    step = step_mm[:, None] * np.stack([0 * angle, np.sin(angle), -np.cos(angle)], axis=1)
    return np.vstack([[3.0, -20.0, 80.0], step]).cumsum(axis=0)


def make_view(body, values, rng, moved_mm=(0, 0, 0), mix=0.0, blur=0.5, ghosts=0):
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


def names_of(labeling, view):
    """Value given to each candidate, 0 where it was dropped."""
    values = np.zeros(len(view.candidates), dtype=int)
    for disc in labeling.discs:
        values[(view.candidates.xyz_mm == disc.xyz_mm).all(axis=1)] = disc.value
    return values.tolist()
