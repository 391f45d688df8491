"""What one real case is worth: names apart from places, and what was said of both.

A disc that was found belongs to the true disc that it is nearest to, within `NAMING_MM`: that is how a reader would
take it. Its name is right where that disc has the same value. How well it is placed is another question.
"""

from dataclasses import dataclass, field

import numpy as np

from benchmarks.sources import DOUBTED, PLACING_MM
from deepspine_sct.evaluation.metrics import NAMING_MM
from deepspine_sct.labeling.confidence import SURE
from deepspine_sct.labeling.discs import Labeling


@dataclass
class RealScore:
    """One case.

    Attributes
    ----------
    distance_mm : true value -> distance of the disc that has its name and lies on it
    seen : true values on which some disc lies, whatever its name
    said : (value, confidence, whether it is right) of every disc that can be judged
    off_level : values that lie on a disc of another value
    ghost : values that lie on no disc
    truth : true values
    level_confidence : of the labeling
    """

    truth: list[int]
    level_confidence: float
    distance_mm: dict[int, float] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    said: list[tuple[int, float, bool]] = field(default_factory=list)
    off_level: list[int] = field(default_factory=list)
    ghost: list[int] = field(default_factory=list)

    @property
    def all_named(self) -> bool:
        """Whether every true disc has its name, and nothing else is said."""
        return len(self.distance_mm) == len(self.truth) and not self.off_level and not self.ghost

    @property
    def all_placed(self) -> bool:
        """The same, with every disc within `PLACING_MM`."""
        return self.all_named and all(mm <= PLACING_MM for mm in self.distance_mm.values())

    @property
    def right_or_doubted(self) -> bool:
        """Whether all names are right, or the program says that it does not know."""
        return self.all_named or self.level_confidence < DOUBTED

    @property
    def sure(self) -> bool:
        """Whether the level is said above `SURE`."""
        return self.level_confidence > SURE


def score(labeling: Labeling, truth: dict[int, np.ndarray], edge: dict[int, np.ndarray]) -> RealScore:
    """Score a labeling.

    Parameters
    ----------
    labeling : what was found
    truth : disc value -> (3,) world position [mm] of the discs that must be found
    edge : the same of those that may be found and may be missed
    """
    result = RealScore(sorted(truth), labeling.level_confidence)
    places, points = edge | truth, labeling.points
    for disc in labeling.discs:
        away_mm = {value: float(np.linalg.norm(disc.xyz_mm - xyz_mm)) for value, xyz_mm in places.items()}
        at = min(away_mm, key=away_mm.get)
        # In a small spine even the neighbour of a marked disc, which has its own, lies within `NAMING_MM` of it.
        is_apart = away_mm[at] > NAMING_MM or (
            away_mm[at] > PLACING_MM and _is_nearer(points.get(at), places[at], away_mm[at])
        )
        if is_apart and _beyond(disc.value, disc.xyz_mm, places):
            continue
        if away_mm[at] > NAMING_MM:
            result.ghost.append(disc.value)
        elif at != disc.value:
            result.off_level.append(disc.value)
        elif at in truth:
            result.distance_mm[at] = away_mm[at]
        result.seen |= {at} & set(truth) if away_mm[at] <= NAMING_MM else set()
        result.said.append((disc.value, disc.confidence, away_mm[at] <= NAMING_MM and at == disc.value))
    return result


def _beyond(value: int, xyz_mm: np.ndarray, places: dict[int, np.ndarray]) -> bool:
    """Whether a disc may be a true one that nobody marked: above or below all others, in name and in place."""
    top, bottom = min(places), max(places)
    return bool((value < top and xyz_mm[2] > places[top][2]) or (value > bottom and xyz_mm[2] < places[bottom][2]))


def _is_nearer(point: np.ndarray | None, place: np.ndarray, than_mm: float) -> bool:
    return point is not None and float(np.linalg.norm(point - place)) < than_mm
