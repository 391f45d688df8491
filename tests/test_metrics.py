"""Metrics: every mistake costs, by hand-computed cases and by an independent implementation."""

import math
import statistics

import numpy as np
import pytest

from deepspine_sct.evaluation.metrics import (
    score_case,
    summarise,
)


def _column(values, step_mm=20.0):
    """True discs, `step_mm` apart on a vertical line."""
    return {v: np.array([0.0, 0.0, -step_mm * v]) for v in values}


TRUTH = _column([3, 4, 5, 6])


def test_a_perfect_answer_is_all_right():
    """Nothing missed, nothing false, distance 0."""
    score = score_case(TRUTH, TRUTH)
    assert score.found == (3, 4, 5, 6) and score.missed == score.false == ()
    assert score.all_right and score.shift == 0
    assert set(score.distance_mm.values()) == {0.0}


def test_swapped_labels_cost_both_discs():
    """Two exchanged names are two missed and two off-level discs, though each lies on a disc."""
    swapped = TRUTH | {4: TRUTH[5], 5: TRUTH[4]}
    score = score_case(swapped, TRUTH)
    assert score.missed == score.off_level == score.false == (4, 5)
    assert score.found == (3, 6) and score.ghost == () and score.shift == 0
    assert score.distance_mm[4] == 20 and not score.all_right


def test_a_whole_image_named_a_level_too_low_is_a_shift():
    """Every name one too high: all off-level, shift +1; the other way round -1."""
    low = {v + 1: point for v, point in TRUTH.items()}
    score = score_case(low, TRUTH)
    assert score.found == () and score.missed == (3, 4, 5, 6)
    assert score.off_level == (4, 5, 6, 7) and score.ghost == () and score.shift == 1
    assert math.isnan(score.distance_mm[3]) and score.distance_mm[4] == 20
    high = {v - 1: point for v, point in TRUTH.items()}
    assert score_case(high, TRUTH).shift == -1


def test_a_dropped_disc_is_one_missed():
    """The others are untouched."""
    score = score_case(_column([3, 5, 6]), TRUTH)
    assert score.missed == (4,) and score.found == (3, 5, 6) and score.false == ()
    assert not score.all_right


def test_an_added_disc_is_a_ghost():
    """A prediction far from every disc is false, and a ghost."""
    score = score_case(TRUTH | {7: np.array([0.0, 60, 0])}, TRUTH)
    assert score.ghost == score.false == (7,) and score.missed == () and not score.all_right


def test_a_disc_beyond_the_tolerance_is_both_missed_and_false():
    """5.0 mm is found, 5.1 mm is not; the distance is kept either way, also along z alone."""
    near, far = TRUTH[4] + [0, 3, 4.0], TRUTH[4] + [0, 0, 5.1]
    assert score_case(TRUTH | {4: near}, TRUTH).all_right
    score = score_case(TRUTH | {4: far}, TRUTH)
    assert score.missed == (4,) and score.ghost == (4,)
    assert score_case(TRUTH | {4: near}, TRUTH).distance_mm[4] == pytest.approx(5)
    assert score_case(TRUTH | {4: near}, TRUTH).distance_si_mm[4] == pytest.approx(4)


def test_outside_the_annotated_span_is_ignored_on_request():
    """Discs that experts did not mark do not count, but a renamed marked disc always does."""
    longer = _column(range(1, 10))
    assert score_case(longer, TRUTH).ghost == (1, 2, 7, 8, 9)
    assert score_case(longer, TRUTH, span_only=True).all_right
    renamed = {7: TRUTH[6], **_column([3, 4, 5])}
    assert score_case(renamed, TRUTH, span_only=True).off_level == (7,)


def test_a_disc_out_of_place_still_has_its_name():
    """6 mm off is beyond the tolerance, and yet named right and detected; 11 mm off is neither."""
    off = score_case(TRUTH | {4: TRUTH[4] + [0, 0, 6.0]}, TRUTH)
    assert off.named == off.detected == (3, 4, 5, 6) and off.all_named and not off.all_right
    gone = score_case(TRUTH | {4: TRUTH[4] + [0, 11.0, 0]}, TRUTH)
    assert gone.named == gone.detected == (3, 5, 6) and gone.stray == (4,) and not gone.all_named


def test_a_wrong_name_is_detected_and_not_named():
    """A whole image named a level too low is detected throughout, and named nowhere."""
    score = score_case({v + 1: point for v, point in TRUTH.items()}, TRUTH)
    assert score.detected == (3, 4, 5, 6) and score.named == () and score.misnamed == (4, 5, 6, 7)


def test_an_unmarked_neighbour_close_by_does_not_count():
    """The disc above the first marked one may lie within 10 mm of it, as in a small child."""
    score = score_case(TRUTH | {2: TRUTH[3] + [0, 0, 8.0]}, TRUTH, span_only=True)
    assert score.all_named and score.misnamed == ()
    doubled = score_case(TRUTH | {2: TRUTH[3] + [0, 0, 4.0]}, TRUTH, span_only=True)
    assert doubled.misnamed == (2,) and not doubled.all_named


@pytest.mark.parametrize(
    ("extra", "fault"),
    [({8: [0, 0, 20.0]}, "stray"), ({1: [0, 0, -100.0]}, "stray"), ({12: [0, 8.0, 0]}, "misnamed")],
)
def test_a_disc_beyond_the_marked_ones_lies_there_too(extra, fault):
    """A name from below the marked discs above all of them, or the other way round, or beside one, is a fault."""
    added = {v: TRUTH[3] + offset for v, offset in extra.items()}
    score = score_case(TRUTH | added, TRUTH, span_only=True)
    assert getattr(score, fault) == tuple(added) and not score.all_named


def test_empty_answers_and_empty_truths_are_scored():
    """No prediction misses everything; without truth everything is a ghost."""
    nothing = score_case({}, TRUTH)
    assert nothing.missed == (3, 4, 5, 6) and nothing.false == () and nothing.shift == 0
    assert score_case(TRUTH, {}).ghost == (3, 4, 5, 6)
    assert score_case({}, {}).all_right


def _may_be_unmarked(v, point, truth):
    """Whether all true discs have a higher name and lie lower, or a lower name and lie higher; so says no truth."""
    above = all(v < u for u in truth) and (not truth or point[2] > truth[min(truth)][2])
    below = all(v > u for u in truth) and (not truth or point[2] < truth[max(truth)][2])
    return above or below


def _by_hand(predicted, truth, tolerance_mm, span_only):
    """The definitions again, as nested loops over value pairs."""
    missed, off_level, ghost, offsets = [], [], [], set()
    for v in range(1, 26):
        own = v in predicted and v in truth and math.dist(predicted[v], truth[v]) <= tolerance_mm
        if v in truth and not own:
            missed.append(v)
        if own:
            offsets.add(0)
        elif v in predicted:
            others = sorted(
                (math.dist(predicted[v], truth[u]), u)
                for u in truth
                if math.dist(predicted[v], truth[u]) <= tolerance_mm
            )
            if others:
                off_level.append(v)
                offsets.add(v - others[0][1])
            elif not span_only or not _may_be_unmarked(v, predicted[v], truth):
                ghost.append(v)
    shift = list(offsets)[0] if len(offsets) == 1 else 0
    return tuple(missed), tuple(off_level), tuple(ghost), shift


def _random_case(rng):
    """An answer with jitter, shifts, swaps, drops and ghosts, and the truth."""
    low, count = int(rng.integers(1, 15)), int(rng.integers(0, 11))
    truth = _column(range(low, low + count), step_mm=rng.uniform(6, 20))
    shift = int(rng.choice([-1, 0, 0, 0, 1]))
    predicted = {
        v + shift: point + rng.normal(0, 2.5, 3)
        for v, point in truth.items()
        if rng.random() < 0.9 and 1 <= v + shift <= 25
    }
    if len(predicted) > 1 and rng.random() < 0.3:
        a, b = rng.choice(list(predicted), 2, replace=False)
        predicted[a], predicted[b] = predicted[b], predicted[a]
    if rng.random() < 0.3:
        predicted[int(rng.integers(1, 26))] = rng.normal(0, 80, 3)
    return predicted, truth


def test_scores_equal_an_independent_implementation_on_random_cases():
    """A thousand random answers with jitter, shifts, swaps, drops and ghosts are scored alike."""
    rng = np.random.default_rng(0)
    kinds = set()
    for _ in range(1000):
        predicted, truth = _random_case(rng)
        tolerance_mm, span_only = rng.choice([3.0, 5.0, 10.0]), bool(rng.random() < 0.5)
        score = score_case(predicted, truth, tolerance_mm, span_only)
        hand = _by_hand(predicted, truth, tolerance_mm, span_only)
        assert (score.missed, score.off_level, score.ghost, score.shift) == hand
        assert score.found == tuple(v for v in sorted(truth) if v not in score.missed)
        naming = _naming_by_hand(predicted, truth, tolerance_mm, span_only)
        assert (score.named, score.misnamed, score.stray, score.detected) == naming
        kinds.add((score.shift, bool(score.missed), bool(score.off_level), bool(score.ghost)))
    assert len(kinds) > 10


def _spread_by_hand(name, values):
    """Mean, sample standard deviation, median, and 95th percentile between the two around it."""
    ordered = sorted(values) or [math.nan]
    rank = 0.95 * (len(ordered) - 1)
    low, high = math.floor(rank), math.ceil(rank)
    return {
        f"{name}_mean_mm": statistics.fmean(ordered),
        f"{name}_sd_mm": statistics.stdev(ordered) if len(ordered) > 1 else math.nan,
        f"{name}_median_mm": statistics.median(ordered),
        f"{name}_p95_mm": ordered[low] + (rank - low) * (ordered[high] - ordered[low]),
    }


def _naming_by_hand(predicted, truth, tolerance_mm, span_only):
    """Names and detection again: who is nearest to whom, pair by pair."""
    named, misnamed, stray, detected = set(), set(), set(), set()
    nearest = {}
    for v in predicted:
        away = sorted((math.dist(predicted[v], truth[u]), u) for u in truth)
        nearest[v] = away[0][1] if away and away[0][0] <= 10.0 else None
        if nearest[v] == v:
            named.add(v)
    for v, at in nearest.items():
        unmarked = _may_be_unmarked(v, predicted[v], truth)
        if at is None:
            if not span_only or not unmarked:
                stray.add(v)
        elif at == v:
            detected.add(at)
        elif (
            at not in named
            or not unmarked
            or any(math.dist(predicted[v], point) <= tolerance_mm for point in truth.values())
        ):
            misnamed.add(v)
            detected.add(at)
    return tuple(map(tuple, map(sorted, (named, misnamed, stray, detected))))


def _summary_by_hand(cases, tolerance_mm):
    """Every metric again, disc by disc, from the definitions."""
    n_true = n_predicted = right = wrong = nowhere = next_door = unseen = 0
    whole = shifted = by_one = n_named = n_detected = all_named = 0
    distances, heights = [], []
    for predicted, truth in cases:
        missed, off_level, ghost, shift = _by_hand(predicted, truth, tolerance_mm, False)
        n_true, n_predicted = n_true + len(truth), n_predicted + len(predicted)
        right += len(truth) - len(missed)
        wrong, nowhere = wrong + len(off_level), nowhere + len(ghost)
        for v in off_level:
            nearest = min(truth, key=lambda u: math.dist(predicted[v], truth[u]))
            next_door += nearest in (v - 1, v + 1)
        for point in truth.values():
            unseen += all(math.dist(point, p) > tolerance_mm for p in predicted.values())
        for v in predicted.keys() & truth.keys():
            distances.append(math.dist(predicted[v], truth[v]))
            heights.append(abs(predicted[v][2] - truth[v][2]))
        whole += not (missed or off_level or ghost)
        named, misnamed, stray, detected = _naming_by_hand(predicted, truth, tolerance_mm, False)
        n_named, n_detected = n_named + len(named), n_detected + len(detected)
        all_named += len(named) == len(truth) and not misnamed and not stray
        shifted, by_one = shifted + (shift != 0), by_one + (shift in (-1, 1))

    def share(part, total):
        return part / total if total else math.nan

    return {
        "n_images": len(cases),
        "n_discs": n_true,
        "n_predicted": n_predicted,
        "found": right,
        "named": n_named,
        "detected": n_detected,
        "missed": n_true - right,
        "false": wrong + nowhere,
        "off_level": wrong,
        "off_by_one": next_door,
        "ghost": nowhere,
        "unseen": unseen,
        "identification_rate": share(right, n_true),
        "naming_rate": share(n_named, n_true),
        "detection_rate": share(n_detected, n_true),
        "images_all_named": share(all_named, len(cases)),
        "fnr": share(n_true - right, n_true),
        "fpr": share(wrong + nowhere, n_predicted),
        "fnr_any_name": share(unseen, n_true),
        "fpr_any_name": share(nowhere, n_true),
        **_spread_by_hand("distance", distances),
        **_spread_by_hand("distance_si", heights),
        "images_all_right": share(whole, len(cases)),
        "images_off_by_one": share(by_one, len(cases)),
        "images_shifted": share(shifted, len(cases)),
    }


def test_summaries_equal_an_independent_implementation_on_random_cases():
    """All metrics of a thousand random answers, one by one and pooled by ten, agree."""
    rng = np.random.default_rng(1)
    cases = [_random_case(rng) for _ in range(1000)]
    groups = [[case] for case in cases] + [cases[n : n + 10] for n in range(0, 1000, 10)]
    for group in groups:
        summary = summarise([score_case(*case, 5.0) for case in group])
        assert summary == pytest.approx(_summary_by_hand(group, 5.0), abs=1e-9, nan_ok=True)


def test_the_summary_pools_the_discs_of_all_images():
    """Rates and distances of three images, computed by hand."""
    low = {v + 1: point for v, point in TRUTH.items()}
    jittered = {v: point + [0, 3, 0] for v, point in TRUTH.items() if v != 6}
    summary = summarise([score_case(p, TRUTH) for p in (TRUTH, jittered, low)])
    assert summary["n_images"] == 3 and summary["n_discs"] == 12 and summary["n_predicted"] == 11
    assert summary["identification_rate"] == pytest.approx(7 / 12)
    assert summary["fnr"] == pytest.approx(5 / 12) and summary["fpr"] == pytest.approx(4 / 11)
    assert summary["false"] == summary["off_level"] == 4 and summary["ghost"] == 0
    assert summary["images_all_right"] == pytest.approx(1 / 3)
    assert summary["images_off_by_one"] == summary["images_shifted"] == pytest.approx(1 / 3)
    distances_mm = [0, 0, 0, 0, 3, 3, 3, 20, 20, 20]
    assert summary["distance_mean_mm"] == pytest.approx(np.mean(distances_mm))
    assert summary["distance_sd_mm"] == pytest.approx(np.std(distances_mm, ddof=1))
    assert summary["distance_median_mm"] == 3
    assert summary["distance_p95_mm"] == pytest.approx(20)
    assert summary["distance_si_mean_mm"] == pytest.approx(6)


def test_nothing_to_share_is_not_a_number():
    """An empty cohort has no rates, and does not fail."""
    summary = summarise([])
    assert summary["n_images"] == 0
    assert math.isnan(summary["identification_rate"]) and math.isnan(summary["distance_mean_mm"])
