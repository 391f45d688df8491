"""What is said about names: gaps, few discs, doubt, and an image that contradicts its user."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from page_cases import make_report

from deepspine_sct.anatomy import DISC_VALUES
from deepspine_sct.caution import Caution
from deepspine_sct.cli.result_table import level_line, session_lines
from deepspine_sct.labeling.cautions import SURE, about_names, about_what_was_given, doubted, told_anew
from deepspine_sct.labeling.confidence import in_two_digits
from deepspine_sct.labeling.discs import Disc, Labeling
from deepspine_sct.quality_control.entry import make_entry
from deepspine_sct.quality_control.identity import identify
from deepspine_sct.quality_control.outcomes import LABELLED
from deepspine_sct.quality_control.triage import judge
from deepspine_sct.scan.session_report import CompanionReport, SessionReport, session_cautions


def labeling(values, level_confidence: float) -> Labeling:
    """Discs of some values, always at the same places."""
    discs = [Disc(v, np.array([0.0, 0, -20 * i]), 0.9, level_confidence) for i, v in enumerate(values)]
    return Labeling(discs, level_confidence)


def said_of(values, asked, level_confidence: float, *shifts) -> list[Caution]:
    """What is said of the names of such discs."""
    return about_names(labeling(values, level_confidence).discs, asked, *shifts)


def test_the_sentence_about_uncertain_levels_has_the_confidence_that_is_left():
    """However often it is lowered afterwards; doubt about a single disc leaves it, and so do other sentences."""
    doubt = Caution("poor_fit", "hardly a spine (confidence 0.80)")
    before = replace(labeling([3, 4, 5], 0.8), warnings=[*said_of([3, 4, 5], range(1, 26), 0.8), doubt])
    after = doubted(doubted(doubted(before, 0.5, doubt), 0.5, doubt, [4]), 0.5, doubt)
    assert after.level_confidence == 0.2
    (told,) = (warning for warning in after.warnings if warning.code == "levels_uncertain")
    assert told.startswith("the levels may be shifted (confidence 0.20): C2/C3 to C4/C5 is assumed")
    assert [warning for warning in after.warnings if warning.code == "poor_fit"] == [doubt] * 4


def test_doubt_changes_nothing_in_the_sentence_about_uncertain_levels_but_its_number():
    """The other names that are possible are as likely as before, and no sentence is added where there was none."""
    values, shifts = [24, 25], {0: 0.55, -1: 0.42}
    before = replace(labeling(values, 0.6), shifts=shifts, warnings=said_of(values, range(1, 26), 0.6, shifts))
    doubt = Caution("poor_fit", "hardly a spine")
    assert doubted(before, 0.5, doubt).warnings == [doubt, *said_of(values, range(1, 26), 0.3, shifts)]
    assert doubted(labeling([3, 4, 5], 0.95), 0.5, doubt).warnings == [doubt]


def test_only_discs_that_were_asked_for_are_missed():
    """A gap between found discs is named, unless the missing one was not asked for."""
    assert said_of([3, 4, 7, 8], range(1, 26), 0.99) == [
        "C4/C5 (disc 5) was not found between its neighbours",
        "C5/C6 (disc 6) was not found between its neighbours",
    ]
    assert len(said_of([3, 4, 7, 8], (3, 4, 5), 0.99)) == 1
    assert said_of([3, 4, 5], range(1, 26), SURE) == []


def test_few_discs_and_unsure_names_are_questioned():
    """Two discs are no chain, and below the limit the whole naming is in doubt."""
    doubt, few = said_of([3, 4], range(1, 26), 0.54)
    assert "confidence 0.54" in doubt and "-initlabel" in doubt
    assert few == "only 2 discs found (C2/C3 to C3/C4): check their names"
    assert said_of([3], range(1, 26), 0.99) == ["only 1 disc found (C2/C3): check its name"]


@pytest.mark.parametrize(
    ("unsure", "said"),
    [((3, 4, 5, 6), "one disc"), ((3, 6), "one disc"), ((5,), "C4/C5"), ((4, 5), "one disc from C3/C4 to C4/C5")],
)
def test_the_disc_to_check_is_one_whose_name_is_not_sure(unsure, said):
    """Any one where the doubt reaches from the first to the last disc, else one of the part that is in doubt."""
    discs = [
        replace(disc, name_confidence=0.6 if disc.value in unsure else 0.98) for disc in labeling([3, 4, 5, 6], 1).discs
    ]
    (doubt,) = about_names(discs, range(1, 26))
    assert f"(confidence 0.60): C2/C3 to C5/C6 is assumed; check {said} and give it with" in doubt


def test_a_user_is_told_when_the_image_says_otherwise():
    """Always with a range; with a pin, which is there to overrule, only where the image is sure."""
    for is_range, confidence, told in ((1, 0.3, 1), (1, 0.99, 1), (0, 0.3, 0), (0, 0.99, 1)):
        seen = labeling((10, 11, 12), confidence)
        said = about_what_was_given(seen, labeling((11, 12, 13), 1.0), bool(is_range))
        assert len(said) == told
        assert not told or f"T2/T3 (confidence {confidence:.2f}) where T3/T4 is now" in said[0]
        assert about_what_was_given(seen, labeling((10, 11), 1.0), bool(is_range)) == []


def test_what_was_said_of_discs_that_are_left_out_is_not_said_any_more():
    """Of discs 3, 5 and 6 the first one lies beyond the image: nothing is missing between 5 and 6, but they are few."""
    before = Labeling(
        labeling([5, 6], 0.8).discs,
        level_confidence=0.8,
        warnings=[*said_of([3, 5, 6], DISC_VALUES, 0.8), Caution("poor_fit", "fits badly")],
    )
    after = told_anew(before, 3, DISC_VALUES)
    assert [warning.code for warning in before.warnings] == ["disc_missing", "levels_uncertain", "poor_fit"]
    assert [warning.code for warning in after.warnings] == ["levels_uncertain", "few_discs", "poor_fit"]
    assert "C4/C5 to C5/C6 is assumed" in after.warnings[0] and "C2/C3" not in after.warnings[0]
    assert told_anew(before, 2, DISC_VALUES) is before


@pytest.mark.parametrize(
    ("confidence", "said"), [(0.8999, "0.89"), (SURE, "0.90"), (0.894, "0.89"), (0.5, "0.50"), (0.4999, "0.49")]
)
def test_a_name_that_is_not_sure_is_nowhere_told_as_one_that_is(confidence, said):
    """Warnings, last lines and summary say one and the same number, on the right side of the limit."""
    doubt = confidence < SURE
    assert in_two_digits(confidence) == said
    warnings = said_of([3, 4, 5], range(1, 26), confidence)
    assert [f"(confidence {said})" in warning for warning in warnings] == [True] * doubt
    assert level_line(SimpleNamespace(level_confidence=confidence)).endswith(said)
    (other_name,) = about_what_was_given(labeling([10], confidence), labeling([11], 1.0), is_range=True)
    alone = SessionReport(None, None, confidence, ({"before": "C2/C3", "after": "C3/C4"},), ())
    (renamed,) = session_cautions(alone, labeling([3], confidence).discs)
    assert f"(confidence {said})" in other_name and f"(confidence {said})" in renamed
    joined = CompanionReport("b.nii.gz", True, "", (0.0, 0.0, 0.0), None, confidence, ())
    assert session_lines(replace(alone, companions=(joined,))).endswith(f"level confidence was {said}")
    report = make_report({3: np.zeros(3), 4: np.array([0, 0, -18.0])}, 0.98, confidence)
    entry = make_entry(identify(Path("/d/a.nii.gz")), Path("/d/a.nii.gz"), LABELLED, report=report)
    assert judge([entry])[0].reasons == (f"the names may be shifted: level confidence {said}",) * doubt
