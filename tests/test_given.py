"""Discs that the user gave and that cannot be where they were given, against spines whose discs are known."""

import numpy as np
import pytest

from deepspine_sct.anatomy import LEVEL_MM, SPACING_MM
from deepspine_sct.image.grid import Grid
from deepspine_sct.labeling.discs import Disc, Labeling
from deepspine_sct.labeling.given import beside_spine_mm, between_discs, doubt_given, doubt_slice, out_of_count
from deepspine_sct.labeling.heatmap import Candidates
from deepspine_sct.labeling.pins import Height, locate
from deepspine_sct.labeling.prior import SkeletonPrior
from deepspine_sct.labeling.skeleton import order

SIZE = 0.9


def bent_spine(first: int, last: int) -> dict[int, np.ndarray]:
    """Discs of a small adult, in an arc."""
    down_mm = SIZE * np.append(0, np.cumsum(SPACING_MM))
    return {v: np.array([3.0, 12 * np.sin(down_mm[v - 1] / 60), -down_mm[v - 1]]) for v in range(first, last + 1)}


def shown(spine: dict[int, np.ndarray]) -> Labeling:
    """What an image shows of a spine."""
    return Labeling([Disc(value, xyz_mm, 0.9, 0.95) for value, xyz_mm in spine.items()], level_confidence=0.95)


def test_known_discs_beside_the_spine_are_found_and_measured():
    """Against a line that was sampled every 0.1 mm: 9 mm beside it is on it, 12 mm is not."""
    spine = {value: np.array([0.0, 20 * np.sin(value), -25.0 * value]) for value in range(4, 10)}
    seen = Labeling([Disc(value, xyz_mm, 0.9) for value, xyz_mm in spine.items()])
    line = np.concatenate([np.linspace(spine[v], spine[v + 1], 400) for v in range(4, 9)])
    for pins in (
        {5: spine[5] + (9.0, 0, 0)},
        {5: spine[5] + (0, 6.0, 12.0), 7: spine[7] + (12.0, 0, 0)},
        {3: spine[4] + (24.0, 0, 5.0)},
        {3: spine[4] + (30.0, 0, 5.0), 8: spine[8] + (8.0, 8.0, 0)},
    ):
        away_mm = {v: float(np.linalg.norm(line - xyz_mm, axis=1).min()) for v, xyz_mm in pins.items()}
        limit_mm = {v: 25.0 if v == 3 else 10.0 for v in pins}
        found = beside_spine_mm(pins, seen, 10.0)
        assert set(found) == {v for v in pins if away_mm[v] > limit_mm[v]}
        for value in set(found) - {3}:
            assert found[value] == pytest.approx(away_mm[value], abs=0.1)
    assert beside_spine_mm({5: spine[5] + 99.0}, Labeling(seen.discs[:3]), 10.0) == {}


@pytest.mark.parametrize(("n_beside", "confidence"), [(0, 1.0), (1, 1.0), (3, 0.5)])
def test_an_answer_from_discs_of_another_image_is_doubted(n_beside, confidence):
    """Where most of the discs that were given lie 15 mm beside those that are seen, their places are no certainty."""
    prior = SkeletonPrior.default()
    xyz_mm = {v: np.array([0.0, 0, mm]) for v, mm in enumerate(LEVEL_MM[2:10], start=3)}
    evidence = np.zeros((8, 25))
    evidence[np.arange(8), np.arange(2, 10)] = 0.95
    candidates = Candidates(np.array(list(xyz_mm.values())), np.full(8, 0.97), evidence, LEVEL_MM[2:10])
    pins = {v: xyz_mm[v] + (0, 15.0 * (v - 4 < n_beside), 0) for v in (4, 5, 6, 7)}
    answer = order(candidates, prior, pins=pins)
    assert answer.level_confidence == pytest.approx(confidence, abs=0.02)
    of_pins = {disc.value: disc.confidence for disc in answer.discs if disc.value in pins}
    assert all(of_pins[v] <= 0.5 for v in pins if v - 4 < n_beside) and (n_beside == 3 or of_pins[7] > 0.9)
    assert [w.code for w in answer.warnings].count("given_beside_spine") == (n_beside > 0)


@pytest.mark.parametrize(("first", "last"), [(3, 9), (10, 18), (19, 25)])
def test_a_body_lies_between_discs_and_a_carelessly_marked_disc_does_not(first, last):
    """Of every step the middle is between discs, and a fifth of the way from either end is not."""
    spine = bent_spine(first, last)
    seen = shown(spine)
    for value in range(first, last):
        for share in (0.0, 0.2, 0.5, 0.8, 1.0):
            xyz_mm = spine[value] + share * (spine[value + 1] - spine[value])
            assert between_discs({value: xyz_mm}, seen, np.inf) == [value] * (share == 0.5)


def test_a_disc_that_the_image_has_missed_is_not_between_discs():
    """Where a disc is missing among those that were found, its name left out or not, what is given there is right."""
    spine = bent_spine(8, 16)
    given = {12: spine.pop(12)}
    assert between_discs(given, shown(spine), 10.0) == []
    renamed = {value - (value > 12): xyz_mm for value, xyz_mm in spine.items()}
    assert between_discs(given, shown(renamed), 10.0) == []


def test_values_that_do_not_fit_the_discs_between_them_are_found():
    """Any pair of discs, with all values right, shifted by one, or the lower value one too high or too low."""
    spine = bent_spine(4, 12)
    seen = shown(spine)
    for upper in range(4, 12):
        for lower in range(upper + 1, 13):
            pair = spine[upper], spine[lower]
            for shift in (0, 1):
                assert out_of_count(dict(zip((upper + shift, lower + shift), pair, strict=True)), seen, 10.0) is None
            for wrong in {lower + 1, lower - 1} - {upper}:
                found = out_of_count(dict(zip((upper, wrong), pair, strict=True)), seen, 10.0)
                assert found == (upper, wrong, lower - upper)


def test_a_disc_that_was_passed_over_makes_no_given_value_wrong():
    """The image names the discs on both sides of a missing one as neighbours; the person who counts it is right."""
    spine = bent_spine(8, 16)
    del spine[12]
    renamed = shown({value - (value > 12): xyz_mm for value, xyz_mm in spine.items()})
    assert out_of_count({11: spine[11], 13: spine[13]}, renamed, 10.0) is None


def test_what_contradicts_the_image_makes_no_name_sure():
    """Labels of bodies, and a value that jumps, halve every confidence; one of four between discs halves its own."""
    spine = bent_spine(3, 10)
    seen = shown(spine)
    middle = {value: (spine[value] + spine[value + 1]) / 2 for value in range(4, 9)}
    cases = {
        "given_between_discs": (middle, True),
        "given_out_of_count": ({4: spine[4], 6: spine[5], 7: spine[6]}, True),
        "": ({4: spine[4], 6: spine[6]}, False),
    }
    for code, (pins, doubted) in cases.items():
        answer = doubt_given(seen, pins, seen, 10.0)
        assert [warning.code for warning in answer.warnings] == [code] * doubted
        assert answer.level_confidence == pytest.approx(0.475 if doubted else 0.95)
    one = doubt_given(seen, {**spine, 4: middle[4]}, seen, 10.0)
    assert one.level_confidence == 0.95 and [disc.value for disc in one.discs if disc.confidence < 0.5] == [4]


def test_a_slice_between_two_discs_far_apart_is_doubted_once():
    """Lumbar discs: none is near the slice, so the point itself lies between discs; one warning, with the slices."""
    values = np.arange(17, 26)
    xyz_mm = np.stack([np.zeros(9), np.zeros(9), 1.1 * LEVEL_MM[values - 1]], axis=1)
    evidence = np.zeros((9, 25))
    evidence[np.arange(9), values - 1] = 0.95
    candidates, prior = Candidates(xyz_mm, np.full(9, 0.97), evidence, LEVEL_MM[values - 1]), SkeletonPrior.default()
    seen = order(candidates, prior)
    affine = np.eye(4)
    affine[2, 3] = xyz_mm[-1, 2] - 50
    slices = xyz_mm[5:7, 2] - affine[2, 3]
    height = Height(22, round(slices.mean()), Grid((10, 10, 600), affine))
    asked = order(candidates, prior, pins={22: locate(height, seen, candidates)})
    answer = doubt_slice(asked, height, seen)
    (text,) = (warning for warning in answer.warnings if warning.code == "given_between_discs")
    assert f"in slices {round(slices[1])} and {round(slices[0])}" in text
    sure = order(candidates, prior, pins={22: xyz_mm[5]})
    once, twice = sure.level_confidence / 2, sure.level_confidence / 4
    assert twice < answer.level_confidence <= once
