"""Figures: they are drawn for every study, also for the poorest."""

import pytest
from test_study import MISTAKES, study

from deepspine_sct.evaluation.study_figures import render_boxes, render_confusion, render_prior
from deepspine_sct.labeling.prior import SkeletonPrior

PNG = b"\x89PNG\r\n"


@pytest.mark.parametrize("names", [tuple(MISTAKES), ("none",), ("drop", "shift")])
def test_a_study_of_two_tools_is_drawn(names):
    """Boxes of two tools side by side, and the confusion of one."""
    scores = study(*names).scores("tool")
    assert render_boxes({"one": scores, "two": scores[:1]}, 5.0).startswith(PNG)
    assert render_confusion(scores, "one").startswith(PNG)


def test_tools_that_found_nothing_are_drawn():
    """No distance at all is an empty box, not a failure."""
    empty = study("none")
    empty.predictions["tool"] = [{}]
    scores = empty.scores("tool")
    assert render_boxes({"none": scores}, 5.0).startswith(PNG)
    assert render_confusion(scores, "none").startswith(PNG)


def test_a_prior_is_drawn():
    """With and without the numbers of spines behind it."""
    prior = SkeletonPrior.default()
    assert render_prior(prior).startswith(PNG)
    assert render_prior(prior, [2] * 24).startswith(PNG)
