"""What is said about names: gaps, few discs, doubt, and an image that contradicts its user."""

import numpy as np

from deepspine_sct.labeling.cautions import SURE, about_names, about_what_was_given
from deepspine_sct.labeling.discs import Disc, Labeling


def labeling(values, level_confidence: float) -> Labeling:
    """Discs of some values, always at the same places."""
    discs = [Disc(v, np.array([0.0, 0, -20 * i]), 0.9) for i, v in enumerate(values)]
    return Labeling(discs, level_confidence)


def test_only_discs_that_were_asked_for_are_missed():
    """A gap between found discs is named, unless the missing one was not asked for."""
    assert about_names([3, 4, 7, 8], range(1, 26), 0.99) == [
        "C4/C5 (disc 5) was not found between its neighbours",
        "C5/C6 (disc 6) was not found between its neighbours",
    ]
    assert len(about_names([3, 4, 7, 8], (3, 4, 5), 0.99)) == 1
    assert about_names([3, 4, 5], range(1, 26), SURE) == []


def test_few_discs_and_unsure_names_are_questioned():
    """Two discs are no chain, and below the limit the whole naming is in doubt."""
    doubt, few = about_names([3, 4], range(1, 26), 0.54)
    assert "confidence 0.54" in doubt and "-initlabel" in doubt
    assert few == "only 2 disc(s) found (C2/C3 to C3/C4): check their names"


def test_a_user_is_told_when_the_image_says_otherwise():
    """Always with a range; with a pin, which is there to overrule, only where the image is sure."""
    for is_range, confidence, told in ((1, 0.3, 1), (1, 0.99, 1), (0, 0.3, 0), (0, 0.99, 1)):
        seen = labeling((10, 11, 12), confidence)
        said = about_what_was_given(seen, labeling((11, 12, 13), 1.0), bool(is_range))
        assert len(said) == told
        assert not told or f"T2/T3 (confidence {confidence:.2f}) where T3/T4 is now" in said[0]
        assert about_what_was_given(seen, labeling((10, 11), 1.0), bool(is_range)) == []
