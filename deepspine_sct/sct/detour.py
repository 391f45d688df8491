"""The detour through a straight image: find the discs there, and bring them back into the scan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from ..anatomy import disc_name
from ..errors import DeepspineError
from ..image.straight import Straight
from ..image.volume import Volume
from ..labeling.inference import Result

Points = Mapping[int, np.ndarray]
"""World RAS+ mm (3,) of each disc value."""


def find_straightened(predict: Callable[[Volume, Points], Result], straight: Straight, pins: Points) -> Result:
    """Find the discs of a scan in a straight image of it.

    Parameters
    ----------
    predict : callable
        Finds the discs of an image, given known ones, if any.
    straight : Straight
        The straight image.
    pins : mapping of int to (3,) array
        Known discs, in the scan; may be empty.

    Returns
    -------
    Result
        Its discs are those of the scan; its slabs and prediction are those of the straight image.
        Discs without a way back are left out and named in a warning.

    Raises
    ------
    DeepspineError
        When a known disc has no place in the straight image.
    """
    known = carry(straight.from_scan, pins)
    try:
        result = predict(straight.image, known)
    except DeepspineError as error:
        raise type(error)(f"{error} (in the straightened image: try -straighten 0)") from error
    labeling = result.labeling
    points = carry(straight.to_scan, labeling.points, strict=False)
    discs = [replace(disc, xyz_mm=points[disc.value]) for disc in labeling.discs if disc.value in points]
    lost = [value for value in labeling.points if value not in points]
    warnings = [
        f"found in the straight image, but without a way back into the scan: {value} ({disc_name(value)})"
        for value in lost
    ]
    labeling = replace(labeling, discs=discs, warnings=[*labeling.warnings, *warnings])
    return replace(result, labeling=labeling)


def carry(way: Callable[[np.ndarray], np.ndarray], points: Points, strict: bool = True) -> dict[int, np.ndarray]:
    """Carry named points to another image.

    Parameters
    ----------
    way : callable
        `Straight.to_scan` or `Straight.from_scan`.
    points : mapping of int to (3,) array
        World RAS+ mm of each disc value.
    strict : bool
        Refuse a point without a place in the other image; else it is left out.

    Returns
    -------
    dict of int to (3,) array

    Raises
    ------
    DeepspineError
        See `strict`.
    """
    moved_xyz = way(np.array(list(points.values()), dtype=np.float64).reshape(-1, 3))
    moved = dict(zip(points, moved_xyz, strict=True))
    lost = [value for value, xyz_mm in moved.items() if not np.isfinite(xyz_mm).all()]
    if lost and strict:
        raise DeepspineError(
            f"disc {lost[0]} of the start lies outside of what was straightened; start with a disc "
            "beside the segmented cord, or use -straighten 0"
        )
    return {value: xyz_mm for value, xyz_mm in moved.items() if value not in lost}
