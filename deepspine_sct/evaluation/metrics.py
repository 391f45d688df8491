"""How far and how right: label-aware, one-to-one scores of disc points, in world millimetres.

A disc is compared with the true disc OF ITS OWN VALUE, never with the nearest one: two swapped
labels are two errors. Beside that stand the rates of Azad et al. (2021), which compare with the
nearest disc whatever its name, in millimetres instead of pixels.

Naming, detection and placing are told apart. A reader takes a predicted disc for the true one that it is nearest to:
within `NAMING_MM` it is detected, and named right where both have the same value. How well it is placed is another
question, which the tolerance answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepspine_sct.anatomy import Points

NAMING_MM = 10.0
"""Farther than this from every true disc, a prediction lies on none. Neighbours are 11 mm apart at least."""

COUNTED = ("found", "named", "detected", "missed", "false", "off_level", "off_by_one", "ghost", "unseen")
"""What `summarise` counts the discs of."""


@dataclass(frozen=True)
class CaseScore:
    """One image's prediction against its truth.

    Attributes
    ----------
    distance_mm : dict of int to float
        For each true value, the distance to the prediction of that value; NaN without one.
    distance_si_mm : dict of int to float
        The superior-inferior (world z) part of it, absolute.
    found : tuple of int
        True values predicted within the tolerance.
    missed : tuple of int
        The other true values.
    off_level : tuple of int
        Predicted values that are not at their own place but at another true disc's.
    ghost : tuple of int
        Predicted values at no true disc's place.
    unseen : tuple of int
        True values with no prediction of any name within the tolerance.
    place : dict of int to int
        True value of the disc that each predicted value lies on; ghosts are left out.
    named : tuple of int
        True values whose prediction is nearer to their own disc than to any other one, within `NAMING_MM`.
    detected : tuple of int
        True values that some prediction is nearest to, whatever its name, within `NAMING_MM`.
    misnamed : tuple of int
        Predicted values that are nearest to a disc of another value, within `NAMING_MM`.
    stray : tuple of int
        Predicted values that lie on no disc, beyond `NAMING_MM`.
    shift : int
        Predicted minus true value, where one and the same offset explains every prediction that
        lies on a true disc: 1 when the whole image is named a level too low; 0 otherwise.
    """

    distance_mm: dict[int, float]
    distance_si_mm: dict[int, float]
    found: tuple[int, ...]
    missed: tuple[int, ...]
    off_level: tuple[int, ...]
    ghost: tuple[int, ...]
    unseen: tuple[int, ...]
    place: dict[int, int]
    named: tuple[int, ...]
    detected: tuple[int, ...]
    misnamed: tuple[int, ...]
    stray: tuple[int, ...]
    shift: int

    @property
    def false(self) -> tuple[int, ...]:
        """Predicted values that are not at their own place, increasing."""
        return tuple(sorted(self.off_level + self.ghost))

    @property
    def off_by_one(self) -> tuple[int, ...]:
        """Predicted values that lie on the disc next to their own."""
        return tuple(value for value in self.off_level if abs(value - self.place[value]) == 1)

    @property
    def all_named(self) -> bool:
        """Whether every true disc has its name and no other name is said, however well the discs are placed."""
        return len(self.named) == len(self.distance_mm) and not self.misnamed and not self.stray

    @property
    def all_right(self) -> bool:
        """Whether every true disc was found, within the tolerance, and nothing else was predicted."""
        return not self.missed and not self.false


def score_case(predicted: Points, truth: Points, tolerance_mm: float = 5.0, span_only: bool = False) -> CaseScore:
    """Score one image.

    Parameters
    ----------
    predicted, truth : dict of int to (3,) array
        World position [mm] of each disc value.
    tolerance_mm : float
        Largest distance of a disc that counts as being at a place.
    span_only : bool
        Ignore predictions above or below all true discs, in name and in place, because experts do not mark every
        visible disc. A prediction that lies ON a true disc is never ignored: it renames that disc.

    Returns
    -------
    CaseScore
        The counts and distances.
    """
    offset_mm = {
        value: np.subtract(predicted.get(value, np.full(3, np.nan)), point) for value, point in sorted(truth.items())
    }
    distance_mm = {value: float(np.linalg.norm(offset)) for value, offset in offset_mm.items()}
    found = tuple(value for value, mm in distance_mm.items() if mm <= tolerance_mm)
    place = {
        value: value if value in found else _disc_at(point, truth, tolerance_mm)
        for value, point in sorted(predicted.items())
    }
    if span_only:
        place = {v: at for v, at in place.items() if at is not None or not _is_beyond(v, predicted[v], truth)}
    shifts = {value - at for value, at in place.items() if at is not None}
    return CaseScore(
        distance_mm=distance_mm,
        distance_si_mm={value: float(abs(offset[2])) for value, offset in offset_mm.items()},
        found=found,
        missed=tuple(value for value in distance_mm if value not in found),
        off_level=tuple(value for value, at in place.items() if at not in (value, None)),
        ghost=tuple(value for value, at in place.items() if at is None),
        unseen=tuple(
            value for value, point in sorted(truth.items()) if _disc_at(point, predicted, tolerance_mm) is None
        ),
        place={value: at for value, at in place.items() if at is not None},
        **_naming(predicted, truth, place),
        shift=shifts.pop() if len(shifts) == 1 else 0,
    )


def _naming(predicted: Points, truth: Points, place: dict[int, int | None]) -> dict[str, tuple[int, ...]]:
    """Fields of `CaseScore` on names and detection; ``place`` holds the predictions that count, by the tolerance."""
    near = {value: _disc_at(point, truth, NAMING_MM) for value, point in sorted(predicted.items())}
    named = tuple(value for value, at in near.items() if at == value)
    # Beside a disc that has its name, another prediction may be its neighbour, which nobody has marked.
    neighbours = {v for v, at in near.items() if at in named and at != v and place.get(v) is None}
    near = {v: at for v, at in near.items() if v not in neighbours or not _is_beyond(v, predicted[v], truth)}
    return {
        "named": named,
        "detected": tuple(sorted({at for at in near.values() if at is not None})),
        "misnamed": tuple(v for v, at in near.items() if at not in (v, None)),
        "stray": tuple(v for v, at in near.items() if at is None and v in place),
    }


def _is_beyond(value: int, xyz_mm: np.ndarray, truth: Points) -> bool:
    """Whether a prediction may be a disc that nobody has marked: above or below all true ones, in name and in place."""
    if not truth:
        return True
    top, bottom = min(truth), max(truth)
    return bool((value < top and xyz_mm[2] > truth[top][2]) or (value > bottom and xyz_mm[2] < truth[bottom][2]))


def _disc_at(point_mm: np.ndarray, discs: Points, tolerance_mm: float) -> int | None:
    """Value of the disc nearest to a point, None beyond the tolerance."""
    away_mm = {value: float(np.linalg.norm(point_mm - disc)) for value, disc in discs.items()}
    nearest = min(away_mm, key=away_mm.__getitem__, default=None)
    return nearest if nearest is not None and away_mm[nearest] <= tolerance_mm else None


def summarise(cases: Sequence[CaseScore]) -> dict[str, float]:
    """Pool the discs of many images.

    Parameters
    ----------
    cases : sequence of CaseScore
        one per image.

    Returns
    -------
    dict of str to float
        Rates are shares in [0, 1], NaN where there is nothing to share. Distances [mm] are over the
        true discs whose value was predicted, also far off. ``identification_rate`` is found / true,
        ``naming_rate`` named / true, ``detection_rate`` detected / true,
        ``fnr`` missed / true and ``fpr`` false / predicted, all by name. ``fnr_any_name`` is
        unseen / true and ``fpr_any_name`` ghost / true: the rates of Azad et al. (2021), whose
        program divides both counts by the true discs, and measures in pixels along z.
    """
    count = {name: sum(len(getattr(case, name)) for case in cases) for name in COUNTED}
    n_true, n_predicted = count["found"] + count["missed"], count["found"] + count["false"]
    n_images = len(cases)
    return {
        "n_images": n_images,
        "n_discs": n_true,
        "n_predicted": n_predicted,
        **count,
        "identification_rate": _share(count["found"], n_true),
        "naming_rate": _share(count["named"], n_true),
        "detection_rate": _share(count["detected"], n_true),
        "fnr": _share(count["missed"], n_true),
        "fpr": _share(count["false"], n_predicted),
        "fnr_any_name": _share(count["unseen"], n_true),
        "fpr_any_name": _share(count["ghost"], n_true),
        **_spread("distance", [mm for case in cases for mm in case.distance_mm.values()]),
        **_spread("distance_si", [mm for case in cases for mm in case.distance_si_mm.values()]),
        "images_all_named": _share(sum(case.all_named for case in cases), n_images),
        "images_all_right": _share(sum(case.all_right for case in cases), n_images),
        "images_off_by_one": _share(sum(abs(case.shift) == 1 for case in cases), n_images),
        "images_shifted": _share(sum(case.shift != 0 for case in cases), n_images),
    }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _spread(name: str, values_mm: list[float]) -> dict[str, float]:
    """Mean, sample standard deviation, median and 95th percentile of the finite values [mm]."""
    finite = np.array(values_mm, dtype=float)
    finite = finite[np.isfinite(finite)]
    nan = float("nan")
    return {
        f"{name}_mean_mm": float(finite.mean()) if len(finite) else nan,
        f"{name}_sd_mm": float(finite.std(ddof=1)) if len(finite) > 1 else nan,
        f"{name}_median_mm": float(np.median(finite)) if len(finite) else nan,
        f"{name}_p95_mm": float(np.percentile(finite, 95)) if len(finite) else nan,
    }
