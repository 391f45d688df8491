"""The detour through a straight image: find the discs there, and bring them back into the scan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..anatomy import disc_name
from ..errors import DeepspineError
from ..image.straight import Points, Straight, carry
from ..image.volume import Volume
from ..labeling.predictor import Result


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
