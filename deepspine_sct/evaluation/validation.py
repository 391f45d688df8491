"""Label held-out images with a network and score it: after every epoch, and in the end."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from deepspine_sct.errors import DeepspineError
from deepspine_sct.evaluation.metrics import Points, score_case, summarise
from deepspine_sct.image.volume import Volume
from deepspine_sct.labeling.discs import Labeling
from deepspine_sct.labeling.predictor import Predictor, Result

LOGGED = (
    "identification_rate",
    "naming_rate",
    "detection_rate",
    "fnr",
    "fpr",
    "distance_mean_mm",
    "distance_median_mm",
    "distance_si_mean_mm",
    "images_all_named",
    "images_all_right",
    "images_off_by_one",
)
"""What of `summarise` goes into the log of a training."""


class HeldOut(NamedTuple):
    """An image with its truth.

    Attributes
    ----------
    name : what to call it
    slabs : (N, H, W) sagittal slabs in (L, I, P), of the network's pixel size
    points : true world position (3,) [mm] of each disc value
    """

    name: str
    slabs: Volume
    points: Points


def validate(
    predictor: Predictor, cases: Sequence[HeldOut], tolerance_mm: float = 5.0
) -> tuple[dict[str, float], list[Result]]:
    """Label every image and score the names, label-aware and in mm.

    Discs found above and below all true ones do not count: experts do not mark every visible disc.

    Returns
    -------
    scores : dict of ``LOGGED``
    results : what the network answered, one an image
    """
    results = [_answer(predictor, case.slabs) for case in cases]
    scores = [
        score_case(result.labeling.points, case.points, tolerance_mm, span_only=True)
        for result, case in zip(results, cases, strict=True)
    ]
    summary = summarise(scores)
    return {name: float(summary[name]) for name in LOGGED}, results


def _answer(predictor: Predictor, slabs: Volume) -> Result:
    """Label slabs as the command labels a scan; one that it would refuse has no disc."""
    try:
        return predictor.predict_slabs(slabs)
    except DeepspineError:
        return replace(predictor.look_at_slabs(slabs), labeling=Labeling())


def middle_slab(case: HeldOut) -> int:
    """Index of the slab nearest to the true discs."""
    offsets = [case.slabs.grid.to_index(xyz_mm)[0] for xyz_mm in case.points.values()]
    return int(np.clip(np.rint(np.median(offsets)), 0, len(case.slabs.data) - 1))
