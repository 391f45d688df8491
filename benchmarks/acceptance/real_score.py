"""What one real case is worth: names apart from places, and what was said of both.

Names are judged as `deepspine_sct.evaluation.metrics` does. In addition there are discs at the edge of the image, which
may be found and may be missed, and the confidence with which each disc was said.
"""

from dataclasses import dataclass

import numpy as np

from benchmarks.sources import DOUBTED, PLACING_MM
from deepspine_sct.evaluation.metrics import score_case
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
    distance_mm: dict[int, float]
    seen: set[int]
    said: list[tuple[int, float, bool]]
    off_level: list[int]
    ghost: list[int]

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
    places = edge | truth
    case = score_case(labeling.points, places, PLACING_MM, span_only=True)
    wrong = {*case.misnamed, *case.stray}
    return RealScore(
        truth=sorted(truth),
        level_confidence=labeling.level_confidence,
        distance_mm={value: case.distance_mm[value] for value in case.named if value in truth},
        seen=set(case.detected) & set(truth),
        said=[
            (disc.value, disc.confidence, disc.value in case.named)
            for disc in labeling.discs
            if disc.value in case.named or disc.value in wrong
        ],
        off_level=list(case.misnamed),
        ghost=list(case.stray),
    )
