"""What an image says of the discs that the user gave: whether they lie on its spine, on a disc, and in their number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ..anatomy import SPACING_MM
from .cautions import about_given_beside, about_given_between, about_given_count, about_slice_between, doubted
from .discs import Labeling
from .pins import LINE_MM, Height, on_line

_LEAST_SPINE = 4  # discs

BETWEEN = (1 / 3, 2 / 3)
"""A given disc in this part of the way from one disc to the next one is on neither: a tip is marked within 3 mm, and
necks have 14 mm from one to the next."""

_ONE_STEP = 1.4
"""Times the usual distance, in the size of the person: two discs farther apart may have another one between them."""


def doubt_given(answer: Labeling, pins: Mapping[int, np.ndarray], seen: Labeling, within_mm: float) -> Labeling:
    """Lower the confidence in names that follow from discs that cannot be where they were given, and say why.

    Parameters
    ----------
    answer : Labeling
        Named with what the user gave.
    pins : mapping of int to (3,) array
        World RAS+ mm of each known value.
    seen : Labeling
        What the image shows by itself.
    within_mm : float
        How far from the line through the discs a known one may lie.

    Returns
    -------
    Labeling
        Half as sure of such discs, and of everything where most of them are so, or where their count is wrong.
    """
    beside_mm = beside_spine_mm(pins, seen, within_mm)
    between = [value for value in between_discs(pins, seen, within_mm) if value not in beside_mm]
    wrong = [*beside_mm, *between]
    counted = out_of_count({value: xyz_mm for value, xyz_mm in pins.items() if value not in wrong}, seen, within_mm)
    cautions = [about_given_beside(beside_mm)] if beside_mm else []
    cautions += [about_given_between(between)] if between else []
    for share, caution in zip((0.5, 1.0), cautions, strict=False):  # the first halves for both, the second only tells
        answer = doubted(answer, share, caution, None if 2 * len(wrong) >= len(pins) else wrong)
    if counted:
        answer = doubted(answer, 0.5, about_given_count(*counted))
    return answer


def doubt_slice(answer: Labeling, height: Height, seen: Labeling) -> Labeling:
    """Halve every confidence once, and say so, where the slice of a known disc lies between two discs."""
    if len(seen.discs) < _LEAST_SPINE:
        return answer
    discs_xyz = np.array([disc.xyz_mm for disc in seen.discs])
    slices = height.grid.to_index(discs_xyz)[:, 2]
    upwards = slices.argsort()
    discs_xyz, slices = discs_xyz[upwards], slices[upwards]
    point_xyz = on_line(height, discs_xyz)
    if point_xyz is None or not between_discs({height.value: point_xyz}, seen, np.inf):
        return answer
    above = int(np.searchsorted(slices, height.slice_index).clip(1, len(slices) - 1))
    caution = about_slice_between(height.value, height.slice_index, slices[above - 1], slices[above])
    # `doubt_given` has doubted the point already if no disc was near the slice, but it knows nothing of slices.
    others = [warning for warning in answer.warnings if warning.code != caution.code]
    share = 0.5 if len(others) == len(answer.warnings) else 1.0
    return doubted(replace(answer, warnings=others), share, caution)


def beside_spine_mm(pins: Mapping[int, np.ndarray], seen: Labeling, within_mm: float) -> dict[int, float]:
    """Find known discs that lie beside the spine of an image, as those of another image do.

    Parameters
    ----------
    pins : mapping of int to (3,) array
        World RAS+ mm of each known value.
    seen : Labeling
        What the image shows by itself. Fewer than four discs are no spine to compare with.
    within_mm : float
        How far from the line through these discs a known one may lie. Above and below them it is `LINE_MM`,
        as the spine bends.

    Returns
    -------
    dict of int to float
        Distance from the line of each value that lies farther [mm].
    """
    if len(seen.discs) < _LEAST_SPINE:
        return {}
    line_xyz = np.array([disc.xyz_mm for disc in seen.discs])
    low, high = np.zeros(len(line_xyz) - 1), np.ones(len(line_xyz) - 1)
    low[0], high[-1] = -np.inf, np.inf  # the line goes on beyond its ends
    found = {}
    for value, xyz_mm in sorted(pins.items()):
        share, steps_away_mm = _along(line_xyz, xyz_mm, low, high)
        above, below = share[0] < 0, share[-1] > 1
        away_mm = float(steps_away_mm.min())
        if away_mm > (LINE_MM if above or below else within_mm):
            found[value] = away_mm
    return found


def _along(
    line_xyz: np.ndarray, xyz_mm: np.ndarray, low: np.ndarray | float, high: np.ndarray | float
) -> tuple[np.ndarray, np.ndarray]:
    """Where a point lies along each step of a line (n, 3), from 0 to 1, and how far from it [mm].

    Each step counts from the share ``low`` to the share ``high`` of its length.
    """
    start_xyz, steps_xyz = line_xyz[:-1], np.diff(line_xyz, axis=0)
    share = ((xyz_mm - start_xyz) * steps_xyz).sum(axis=1) / (steps_xyz**2).sum(axis=1)
    nearest_xyz = start_xyz + np.clip(share, low, high)[:, None] * steps_xyz
    return share, np.linalg.norm(nearest_xyz - xyz_mm, axis=1)


def between_discs(pins: Mapping[int, np.ndarray], seen: Labeling, within_mm: float) -> list[int]:
    """List the known discs that lie between two neighbouring discs of an image, as vertebral bodies do.

    Parameters
    ----------
    pins : mapping of int to (3,) array
        World RAS+ mm of each known value.
    seen : Labeling
        What the image shows by itself. Fewer than four discs are no spine to compare with.
    within_mm : float
        Farther than this from both discs, any place between them is on neither.
    """
    if len(seen.discs) < _LEAST_SPINE:
        return []
    line_xyz = np.array([disc.xyz_mm for disc in seen.discs])
    values = np.array([disc.value for disc in seen.discs])
    lengths_mm = np.linalg.norm(np.diff(line_xyz, axis=0), axis=1)
    single = (np.diff(values) == 1) & (lengths_mm <= _ONE_STEP * _size(seen) * SPACING_MM[values[:-1] - 1])
    found = []
    for value, xyz_mm in sorted(pins.items()):
        share, steps_away_mm = _along(line_xyz, xyz_mm, 0, 1)
        step = int(steps_away_mm.argmin())
        alone = np.linalg.norm(line_xyz - xyz_mm, axis=1).min() > within_mm
        if single[step] and (BETWEEN[0] < share[step] < BETWEEN[1] or (alone and 0 < share[step] < 1)):
            found.append(value)
    return found


def out_of_count(pins: Mapping[int, np.ndarray], seen: Labeling, within_mm: float) -> tuple[int, int, int] | None:
    """Find two successive known discs whose values are not as many apart as the discs of an image are.

    Nothing is said where their distance fits the given values better, as the image may have missed a disc between them.

    Returns
    -------
    tuple of (int, int, int) or None
        The two values, and how many discs apart they lie in the image.
    """
    if len(seen.discs) < _LEAST_SPINE:
        return None
    discs_xyz = np.array([disc.xyz_mm for disc in seen.discs])
    own = {}
    for value, xyz_mm in sorted(pins.items()):
        away_mm = np.linalg.norm(discs_xyz - xyz_mm, axis=1)
        if away_mm.min() <= within_mm:
            own[value] = int(away_mm.argmin())
    along_mm = np.append(0, np.cumsum(SPACING_MM)) * _size(seen)
    for (upper, i), (lower, j) in zip(list(own.items()), list(own.items())[1:], strict=False):
        first, last = seen.discs[i].value, seen.discs[j].value
        if last - first == lower - upper or i == j:
            continue
        mm = float(np.linalg.norm(discs_xyz[j] - discs_xyz[i]))
        if abs(mm - (along_mm[last - 1] - along_mm[first - 1])) < abs(mm - (along_mm[lower - 1] - along_mm[upper - 1])):
            return upper, lower, last - first
    return None


def _size(seen: Labeling) -> float:
    """Size of a person by the steps between discs, as a multiple of the usual one."""
    values = np.array([disc.value for disc in seen.discs])
    along_mm = np.append(0, np.cumsum(SPACING_MM))[values - 1]
    lengths_mm = np.linalg.norm(np.diff([disc.xyz_mm for disc in seen.discs], axis=0), axis=1)
    return float(np.median(lengths_mm / np.diff(along_mm)))
