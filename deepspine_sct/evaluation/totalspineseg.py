"""What the disc files of `sct_deepseg spine` (TotalSpineSeg) mean by their numbers, where others mean something else.

Value 1 is the top of C2 there, and the top of C1 in SCT's convention and here (SCT's issue 5167); value 2 lies halfway
between it and C2/C3. From there on the values are SCT's, but they run on without a gap from the first disc that was
found: where a disc is missed, all discs below carry the number of the one above.
"""

from pathlib import Path

from deepspine_sct.evaluation.metrics import CaseScore, Points
from deepspine_sct.files.names import sidecar_of
from deepspine_sct.files.provenance import makers_of

OTHER_PLACES = (1, 2)
"""Values that lie at other places than those of the same name elsewhere."""


def is_totalspineseg(path: str | Path) -> bool:
    """Tell whether a disc file comes from TotalSpineSeg.

    The JSON file beside it decides, where it says what made the labels: any program may write under the name that
    SCT's commands look for. Else the name decides.

    Parameters
    ----------
    path : path
        NIfTI file; need not exist.
    """
    path = Path(path)
    makers = _makers(path)
    if makers:
        return any("totalspineseg" in maker or {"sct_deepseg", "spine"} <= set(maker.split()) for maker in makers)
    return "totalspineseg" in path.name.lower()


def _makers(path: Path) -> list[str]:
    """Names of what made a file, first one first, as the JSON file beside it has them; [] where it says nothing."""
    return [maker["Name"].lower() for maker in makers_of(sidecar_of(path))]


def comparable(points: Points) -> Points:
    """Leave out the discs whose values mean other places."""
    return {value: xyz_mm for value, xyz_mm in points.items() if value not in OTHER_PLACES}


def passed_over(score: CaseScore) -> tuple[int, ...]:
    """List the true discs that were missed while the numbers ran on.

    Parameters
    ----------
    score : CaseScore
        Score of an image, with the true disc that each predicted value lies on.

    Returns
    -------
    tuple of int
        True values, each between two true discs that carry consecutive numbers.
    """
    return tuple(
        missed
        for value, place in score.place.items()
        if value + 1 in score.place
        for missed in range(place + 1, score.place[value + 1])
        if missed in score.distance_mm
    )
