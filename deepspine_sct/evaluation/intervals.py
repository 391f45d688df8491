"""Confidence intervals that stay honest at 0 and 100 % and for a handful of images.

The discs of an image are right or wrong together, and so are the images of a subject, who has the same spine in all of
them: what counts is how many subjects there are. A bootstrap over subjects says that 28 flawless ones leave no doubt at
all; the score interval of Wilson (1927) says 88 to 100 %.
"""

from collections.abc import Callable, Sequence
from math import exp, isfinite, nan, sqrt

import numpy as np
from scipy import special

from deepspine_sct.evaluation.metrics import CaseScore

LEVEL = 0.95
"""Coverage of the intervals."""


def wilson_interval(n_right: float, n: float, level: float = LEVEL) -> tuple[float, float]:
    """Score interval of a share of independent trials (Wilson 1927).

    Parameters
    ----------
    n_right, n : float
        Successes and trials; need not be whole, so that an effective number of trials can be given.
    level : float
        Coverage.

    Returns
    -------
    low, high : float
        NaN without a trial.
    """
    if n <= 0:
        return nan, nan
    share, z2 = n_right / n, _quantile(level) ** 2 / n
    middle, half = share + z2 / 2, sqrt(max(share * (1 - share), 0) * z2 + z2 * z2 / 4)
    low, high = (middle - half) / (1 + z2), (middle + half) / (1 + z2)
    return max(low if n_right > 0 else 0.0, 0.0), min(high if n_right < n else 1.0, 1.0)


def pooled_share_interval(part: np.ndarray, whole: np.ndarray) -> tuple[float, float]:
    """Interval of a share that is pooled over subjects, such as the discs named right of all discs.

    It is Wilson's with as many trials as the subjects are worth (Korn and Graubard 1998, who use the exact interval in
    the same way): all trials of a subject count as one where the subjects are all right or all wrong, and nearly as
    single ones where errors are spread evenly. The worth is estimated with two more subjects of average size, one all
    right and one all wrong, as one cannot see from flawless subjects alone how errors would clump.

    Parameters
    ----------
    part, whole : (n,) arrays
        Successes and trials of each subject.

    Returns
    -------
    low, high : float
        NaN without a trial.
    """
    part, whole = np.asarray(part, float)[np.asarray(whole) > 0], np.asarray(whole, float)[np.asarray(whole) > 0]
    if len(whole) == 0:
        return nan, nan
    size = whole.mean()
    parts, wholes = np.append(part, [size, 0.0]), np.append(whole, [size, size])
    share = parts.sum() / wholes.sum()
    variance = np.square(parts - share * wholes).sum() / wholes.sum() ** 2
    n_effective = float(np.clip(share * (1 - share) / variance - 2, 1, whole.sum()))
    return wilson_interval(part.sum() / whole.sum() * n_effective, n_effective)


def pooled_mean_interval(total: np.ndarray, count: np.ndarray) -> tuple[float, float]:
    """Interval of a positive mean that is pooled over subjects, such as the distance of all discs.

    It is Student's t over subjects on the logarithm of the mean, whose error is the relative error of the mean (delta
    method): both limits are above 0, and the mean divides them by the same factor. A bootstrap over subjects also stays
    in range, but is far too narrow for a handful of subjects.

    Parameters
    ----------
    total, count : (n,) arrays
        Sum and number of the values of each subject; no value is negative.

    Returns
    -------
    low, high : float
        NaN with fewer than two subjects, which say nothing about how subjects differ, and where all values are 0.
    """
    total, count = np.asarray(total, float)[np.asarray(count) > 0], np.asarray(count, float)[np.asarray(count) > 0]
    n = len(count)
    if n < 2:
        return nan, nan
    mean = total.sum() / count.sum()
    if mean == 0:
        return nan, nan
    error = sqrt(np.square(total - mean * count).sum() * n / (n - 1)) / count.sum()
    factor = exp(float(special.stdtrit(n - 1, (1 + LEVEL) / 2)) * error / mean)
    return float(mean / factor), float(mean * factor)


def confidence_interval(
    cases: Sequence[CaseScore], name: str, subjects: Sequence[str] | None = None
) -> tuple[float, float]:
    """Interval of one entry of `metrics.summarise`.

    Parameters
    ----------
    cases : sequence of CaseScore
        One per image.
    name : str
        Key of the summary, one of `SHARES` or `MEANS`.
    subjects : sequence of str, optional
        Whose image each one is; by default each is of a subject of its own.

    Returns
    -------
    low, high : float
        NaN where the entry does not exist.
    """
    if not cases:
        return nan, nan
    pooled, parts = (pooled_share_interval, SHARES) if name in SHARES else (pooled_mean_interval, MEANS)
    first, second = np.array([parts[name](case) for case in cases], dtype=float).T
    if subjects is not None:
        _, of_subject = np.unique(subjects, return_inverse=True)
        first, second = (np.bincount(of_subject, weights=numbers) for numbers in (first, second))
    return pooled(first, second)


def _quantile(level: float) -> float:
    return float(special.ndtri((1 + level) / 2))


def _sum_and_count(values_mm: dict[int, float]) -> tuple[float, int]:
    finite = [mm for mm in values_mm.values() if isfinite(mm)]
    return sum(finite), len(finite)


Parts = Callable[[CaseScore], tuple[float, float]]

SHARES: dict[str, Parts] = {
    "identification_rate": lambda c: (len(c.found), len(c.distance_mm)),
    "naming_rate": lambda c: (len(c.named), len(c.distance_mm)),
    "detection_rate": lambda c: (len(c.detected), len(c.distance_mm)),
    "fnr": lambda c: (len(c.missed), len(c.distance_mm)),
    "fpr": lambda c: (len(c.false), len(c.found) + len(c.false)),
    "fnr_any_name": lambda c: (len(c.unseen), len(c.distance_mm)),
    "images_all_named": lambda c: (c.all_named, 1),
    "images_all_right": lambda c: (c.all_right, 1),
    "images_off_by_one": lambda c: (abs(c.shift) == 1, 1),
    "images_shifted": lambda c: (c.shift != 0, 1),
}
"""Entries that are a number of successes by a number of trials: both numbers of an image."""

MEANS: dict[str, Parts] = {
    "fpr_any_name": lambda c: (len(c.ghost), len(c.distance_mm)),  # may exceed one: no share
    "distance_mean_mm": lambda c: _sum_and_count(c.distance_mm),
    "distance_si_mean_mm": lambda c: _sum_and_count(c.distance_si_mm),
}
"""Entries that are a sum by a number of values."""
