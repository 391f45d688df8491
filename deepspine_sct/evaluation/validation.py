"""Label held-out images with a network and score it: after every epoch, and in the end."""

from collections.abc import Sequence
from dataclasses import replace

from deepspine_sct.data.labelled_image import LabelledImage
from deepspine_sct.errors import DeepspineError
from deepspine_sct.evaluation.metrics import score_case, summarise
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


def validate(predictor: Predictor, cases: Sequence[LabelledImage]) -> tuple[dict[str, float], list[Result]]:
    """Label every image and score the names, label-aware and in mm.

    Discs found above and below all true ones do not count: experts do not mark every visible disc.

    Parameters
    ----------
    predictor : the network
    cases : images whose `load` gives slabs of the network's pixel size

    Returns
    -------
    scores : dict of ``LOGGED``
    results : what the network answered, one per image
    """
    results = [_answer(predictor, case.load()) for case in cases]
    scores = [
        score_case(result.labeling.points, case.points, span_only=True)
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
