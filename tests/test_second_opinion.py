"""Other looks doubt names that they would not give, and confirm none."""

from pathlib import Path

import numpy as np
import pytest

from deepspine_sct.anatomy import DISC_VALUES, LEVEL_MM
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.labeling import predictor as predictor_module
from deepspine_sct.labeling.cautions import told_anew
from deepspine_sct.labeling.companions import conclude_together, name_together
from deepspine_sct.labeling.confidence import least_sure, name_share
from deepspine_sct.labeling.discs import Disc, Labeling
from deepspine_sct.labeling.heatmap import Candidates, find_candidates
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.labeling.prior import SkeletonPrior
from deepspine_sct.labeling.second_opinion import other_opinions, second_opinion
from deepspine_sct.labeling.skeleton import order, order_alone
from deepspine_sct.stopwatch import Stopwatch

DATA = Path(__file__).resolve().parent.parent / "data_test"
PRIOR = SkeletonPrior.default()


def seen(values, shift: int = 0, share: float = 0.95, size: float = 1.0) -> Candidates:
    """What a look sees of a straight spine: the discs in their places, with names so many levels too low."""
    values = np.array(values)
    told, n = np.clip(values + shift, 1, 25), len(values)
    evidence = np.full((n, 25), (1 - share) / 24)
    evidence[np.arange(n), told - 1] = share
    xyz_mm = np.stack([np.full(n, 4.0), np.zeros(n), size * LEVEL_MM[values - 1]], axis=1)
    return Candidates(xyz_mm, np.full(n, 0.97), evidence, LEVEL_MM[told - 1])


def named(labeling: Labeling) -> np.ndarray:
    """(n, 3) what is known of each disc but its place."""
    return np.array([(disc.value, disc.confidence, disc.name_confidence) for disc in labeling.discs])


def test_a_second_look_that_says_the_same_changes_nothing():
    """Nor does one that sees nothing, or only what lies 20 mm beside the discs; nothing becomes surer."""
    first = order(seen(range(3, 14), share=0.5), PRIOR)
    beside = seen(range(3, 14), shift=2)
    beside.xyz_mm[:, 1] += 20.0
    for second in (seen(range(3, 14), share=0.5), seen(range(3, 14), share=0.99), beside, Candidates.joined([])):
        assert np.array_equal(named(second_opinion(first, second, PRIOR)), named(first))


def test_names_that_the_second_look_would_not_give_are_doubted():
    """A level lower throughout, each name keeps the geometric mean of both shares, its disc the same share of it."""
    values = range(9, 18)
    first = order(seen(values, share=0.5), PRIOR)
    again = seen(values, shift=1, share=0.6)
    doubted = second_opinion(first, again, PRIOR)
    alone = order_alone(again, PRIOR)
    assert [disc.value for disc in alone.labeling.discs] == [v + 1 for v in values]
    share = name_share(alone.reading.posterior)
    for i, (before, after) in enumerate(zip(first.discs, doubted.discs, strict=True)):
        both = np.sqrt(before.name_confidence * share[i, before.value - 1])
        assert after.name_confidence == pytest.approx(both, rel=1e-3)
        assert after.confidence / after.name_confidence == pytest.approx(before.confidence / before.name_confidence)
        assert after.xyz_mm is before.xyz_mm and after.value == before.value
    told = told_anew(doubted, len(doubted.discs), DISC_VALUES)
    assert told.level_confidence == min(disc.name_confidence for disc in doubted.discs) < 0.5
    assert [warning.code for warning in told.warnings] == ["levels_uncertain"]


@pytest.mark.parametrize("seed", range(12))
def test_a_few_names_and_steps_say_the_same_as_all(seed):
    """Against the ordering by itself, with every name and every step, on discs with noise, ghosts and gaps."""
    rng = np.random.default_rng(seed)
    first_value = int(rng.integers(1, 15))
    values = [v for v in range(first_value, first_value + 10) if rng.random() > 0.1]
    look = seen(values, share=rng.uniform(0.2, 0.9), size=rng.uniform(0.8, 1.2))
    first = order(look, PRIOR)
    ghosts = seen(rng.choice(values, 2, replace=False), share=0.3, size=1.0)
    ghosts.xyz_mm[:, 1:] += rng.normal(0, 25, (2, 2))
    again = Candidates.joined([seen(values, int(rng.integers(-1, 2)), rng.uniform(0.2, 0.9)), ghosts])
    again.xyz_mm[:] += look.xyz_mm[0] - again.xyz_mm[0] + rng.normal(0, 1.0, again.xyz_mm.shape)
    alone = order_alone(again, PRIOR)
    share = name_share(alone.reading.posterior)
    for before, after in zip(first.discs, second_opinion(first, again, PRIOR).discs, strict=True):
        away_mm = np.linalg.norm((alone.candidates.xyz_mm - before.xyz_mm)[:, 1:], axis=1)
        theirs = share[away_mm.argmin(), before.value - 1] if away_mm.min() < 8 else 1.0
        left = np.sqrt(min(theirs / before.name_confidence, 1))
        assert after.confidence / before.confidence == pytest.approx(left, abs=0.02)


def test_only_the_part_beyond_one_disc_too_many_is_doubted():
    """The second look sees no disc where the first one put one: above it all stays sure, and the user checks below."""
    upper, lower = range(3, 10), range(10, 17)
    first = Labeling([Disc(v, seen([v]).xyz_mm[0], 0.95, 0.97) for v in upper])
    first = Labeling([*first.discs, *(Disc(v + 1, seen([v]).xyz_mm[0], 0.8, 0.82) for v in lower)], 0.82)
    told = told_anew(second_opinion(first, seen([*upper, *lower]), PRIOR), len(first.discs), DISC_VALUES)
    assert [disc.name_confidence > 0.9 for disc in told.discs] == [True] * 7 + [False] * 7
    assert told.level_confidence < 0.5
    (text,) = (warning for warning in told.warnings if warning.code == "levels_uncertain")
    assert "check one disc from T3/T4 to T9/T10 and give it" in text


@pytest.mark.parametrize(
    ("confidence", "shift", "taken"),
    [(0.7, 0, True), (0.95, 0, False), (0.7, 1, False)],
    ids=["unsure", "sure", "doubted already"],
)
def test_a_third_look_is_taken_only_where_it_decides(confidence, shift, taken):
    """Names that two looks leave between doubted and sure are asked for a third time, and no others."""
    values = range(9, 18)
    first = Labeling([Disc(v, seen([v]).xyz_mm[0], confidence, confidence) for v in values], confidence)
    second, third = seen(values, shift), seen(values, shift=-1)
    asked = []
    after = other_opinions(first, second, lambda: asked.append(1) or third, PRIOR)
    two = second_opinion(first, second, PRIOR)
    assert (0.5 <= least_sure(two.discs) < 0.9) == taken == bool(asked)
    three = second_opinion(two, third, PRIOR) if taken else two
    assert np.array_equal(named(after), named(three))
    assert not taken or least_sure(after.discs) < 0.5


def test_the_third_look_sees_the_slabs_of_the_discs_on_coarser_pixels():
    """Its pixels are 1.15 times as large, its slabs those that hold discs, and it sees the discs where they are."""
    predictor, image = Predictor.load(), read_volume(DATA / "t2_sim.nii.gz")
    look, discs = predictor.look(image, Stopwatch()), predictor.predict(image).labeling.discs
    shown, discs_xyz_mm = look.seen.prediction.grid, np.array([disc.xyz_mm for disc in discs])
    prediction = predictor.observer.look_from_afar(look.body, look.seen, discs_xyz_mm)
    assert np.allclose(prediction.grid.zooms_mm, shown.zooms_mm * (1, 1.15, 1.15))
    across = prediction.grid.to_index(discs_xyz_mm)[:, 0]
    assert across.min() >= -0.5 and across.max() <= prediction.grid.shape[0] - 0.5
    assert prediction.grid.shape[0] <= np.ptp(across) + 2
    third = find_candidates(prediction, predictor.settings.threshold)
    for disc in discs:
        away_mm = np.linalg.norm((third.xyz_mm - disc.xyz_mm)[:, 1:], axis=1)
        assert away_mm.min() < 5
        assert third.evidence[away_mm.argmin()].argmax() + 1 == disc.value


def test_names_that_rest_on_more_than_the_image_are_not_doubted(monkeypatch):
    """Where the user named a disc, or other scans of the session named them too, no second opinion is asked."""
    predictor, image = Predictor.load(), read_volume(DATA / "t2_sim.nii.gz")
    asked = []
    monkeypatch.setattr(predictor_module, "other_opinions", lambda labeling, *others: asked.append(others) or labeling)
    known = predictor.predict(image).labeling.points
    assert len(asked) == 1 and len(asked[0][0]) >= len(known) and asked[0][-1] == DISC_VALUES
    predictor.predict(image, pins={4: known[4]})
    assert len(asked) == 1
    predictor.predict(image, values=(3, 4, 5))
    assert len(asked) == 2 and asked[1][-1] == (3, 4, 5)
    look = predictor.look(image, Stopwatch())
    together = name_together(predictor, [look, look])
    assert together.named[0].joined == (1,)
    conclude_together(predictor, look, together, 0, Stopwatch())
    assert len(asked) == 2
