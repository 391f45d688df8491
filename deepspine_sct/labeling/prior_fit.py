"""The distances between discs, learnt from labelled spines.

The model: the distance from disc v to the next, in spine i, is ``size_i * spacing_v * exp(e)``, with
e of standard deviation ``spread_v``. In the logarithm that is a table of two additive effects with
missing cells, as few spines show all discs; it is solved by least squares. Every spacing is tied to
the one it starts from as if that had been measured in `PRIOR_SPINES` further spines, so a distance
that no one shows keeps its value, and the body size keeps its unit: 1 is the template.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..anatomy import Points
from ..errors import DeepspineError
from .prior import SkeletonPrior

PRIOR_SPINES = 3.0
"""How many spines the prior that one starts from counts as, for each distance."""


def fit_prior(spines: Sequence[Points], start: SkeletonPrior | None = None) -> tuple[SkeletonPrior, np.ndarray]:
    """Learn mean and spread of the distances, and the body sizes.

    Parameters
    ----------
    spines : sequence of dict of int to (3,) array
        World position [mm] of each disc value, one dict per person.
    start : SkeletonPrior, optional
        What is known before; all that is not learnt here is taken over. Default: the one that
        ships.

    Returns
    -------
    prior : SkeletonPrior
        With other `spacing_mm`, `spread`, `scale_mean` and `scale_sd`.
    n_measured : (K - 1,) array of int
        Spines that show each distance.

    Raises
    ------
    DeepspineError
        When not one spine shows two successive discs.
    """
    start = start or SkeletonPrior.default()
    log_mm = np.array([_log_distances(points, len(start.spacing_mm)) for points in spines])
    log_mm = log_mm.reshape(-1, len(start.spacing_mm))
    log_mm = log_mm[~np.isnan(log_mm).all(axis=1)]
    if len(log_mm) == 0:
        raise DeepspineError(
            "no spine shows two successive discs, so no distance can be learnt; give other or more images"
        )
    log_size, log_spacing = _solve(log_mm, np.log(start.spacing_mm))
    n_measured = (~np.isnan(log_mm)).sum(axis=0)
    fitted = replace(
        start,
        spacing_mm=tuple(np.exp(log_spacing).round(3).tolist()),
        spread=_spread(log_mm - log_size[:, None] - log_spacing, n_measured, start),
        scale_mean=round(float(np.exp(log_size.mean())), 4),
        scale_sd=_size_sd(log_size, start),
    )
    return fitted, n_measured


def _log_distances(points: Points, n: int) -> np.ndarray:
    """(n,) logarithm of the distance [mm] from each disc to the next, NaN where one is missing."""
    logs = np.full(n, np.nan)
    for value in points:
        if value + 1 in points and value <= n:
            logs[value - 1] = np.log(np.linalg.norm(points[value + 1] - points[value]))
    return logs


def _solve(log_mm: np.ndarray, log_start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least squares of size (n,) plus spacing (K - 1,) to a table (n, K - 1) with missing cells."""
    n_spines, n_steps = log_mm.shape
    seen = ~np.isnan(log_mm)
    values = np.where(seen, log_mm, 0)
    normal = np.zeros((n_spines + n_steps, n_spines + n_steps))
    normal[:n_spines, :n_spines] = np.diag(seen.sum(axis=1))
    normal[:n_spines, n_spines:] = seen
    normal[n_spines:, :n_spines] = seen.T
    normal[n_spines:, n_spines:] = np.diag(seen.sum(axis=0) + PRIOR_SPINES)
    moment = np.concatenate([values.sum(axis=1), values.sum(axis=0) + PRIOR_SPINES * log_start])
    effects = np.linalg.solve(normal, moment)
    return effects[:n_spines], effects[n_spines:]


def _spread(residual: np.ndarray, n_measured: np.ndarray, start: SkeletonPrior) -> tuple[float, ...]:
    """Compute the standard deviation of each distance, drawn to the one to start from where few were seen."""
    squares = np.nansum(residual**2, axis=0)
    # What the sizes and the spacings took up is missing in the residuals.
    n_cells = n_measured.sum()
    free = max(1 - (len(residual) + (n_measured > 0).sum()) / n_cells, 0.1)
    variance = squares / free + PRIOR_SPINES * np.square(start.spread)
    return tuple(np.sqrt(variance / (n_measured + PRIOR_SPINES)).round(4).tolist())


def _size_sd(log_size: np.ndarray, start: SkeletonPrior) -> float:
    squares = np.square(log_size - log_size.mean()).sum() + PRIOR_SPINES * start.scale_sd**2
    return round(float(np.sqrt(squares / (max(len(log_size) - 1, 0) + PRIOR_SPINES))), 4)
