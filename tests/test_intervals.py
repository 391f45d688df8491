"""Confidence intervals: against SciPy's, at the ends, and by how often they hold the truth."""

import math

import numpy as np
import pytest
from scipy import stats

from deepspine_sct.evaluation.intervals import (
    MEANS,
    SHARES,
    confidence_interval,
    pooled_mean_interval,
    pooled_share_interval,
    wilson_interval,
)
from deepspine_sct.evaluation.metrics import score_case, summarise
from deepspine_sct.evaluation.study import INTERVALS

TRUTH = {v: np.array([0.0, 0.0, -20.0 * v]) for v in range(3, 9)}


@pytest.mark.parametrize("n", [1, 3, 28, 400])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_wilson_equals_scipy(n, level):
    """For every number of successes."""
    for right in range(n + 1):
        expected = stats.binomtest(right, n).proportion_ci(level, "wilson")
        assert wilson_interval(right, n, level) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_images_of_one_disc_are_plain_trials():
    """With one disc per image nothing clumps: Wilson's interval, within two images."""
    for right in (0, 5, 20, 40):
        part = np.arange(40) < right
        low, high = pooled_share_interval(part, np.ones(40))
        expected = wilson_interval(right, 40)
        assert (low, high) == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize("n_images", [1, 4, 28])
@pytest.mark.parametrize("right", [0, 1])
def test_images_all_alike_count_as_one_trial_each(n_images, right):
    """Ten discs per image that are all right, or all wrong, say no more than the images do."""
    whole = np.full(n_images, 10)
    interval = pooled_share_interval(right * whole, whole)
    assert interval == pytest.approx(wilson_interval(right * n_images, n_images), abs=1e-9)


@pytest.mark.parametrize("n_images", [8, 28, 60])
@pytest.mark.parametrize("right", [0.5, 0.9, 0.98])
@pytest.mark.parametrize("clumped", [0.05, 0.9])
def test_the_interval_holds_the_truth_as_often_as_it_says(n_images, right, clumped):
    """Whether the discs of an image err together or one by one: in at least 92 of 100 cohorts of 95 %."""
    rng = np.random.default_rng(int(1000 * right) + n_images)
    strength = (1 - clumped) / clumped  # of a beta distribution whose correlation within an image is ``clumped``
    held = 0
    for _ in range(400):
        whole = rng.integers(5, 11, n_images)
        part = rng.binomial(whole, rng.beta(right * strength, (1 - right) * strength, n_images))
        low, high = pooled_share_interval(part, whole)
        held += low <= right <= high
    assert held >= 0.92 * 400


def test_scattered_errors_tell_more_than_clumped_ones():
    """Thirty wrong discs of 300, one per image, leave less doubt than three images that are all wrong."""
    whole = np.full(30, 10)
    scattered = pooled_share_interval(whole - 1, whole)
    clumped = pooled_share_interval(np.where(np.arange(30) < 3, 0, 10), whole)
    assert np.diff(scattered) < 0.6 * np.diff(clumped)


def test_a_mean_of_equal_images_has_students_interval_on_the_logarithm():
    """With one value per image its relative error is the textbook's; with one image, or only zeros, there is none."""
    values = np.array([1.0, 2.5, 0.5, 1.5, 3.0])
    expected = stats.t.interval(0.95, 4, np.log(values.mean()), stats.sem(values) / values.mean())
    assert pooled_mean_interval(values, np.ones(5)) == pytest.approx(np.exp(expected))
    for none in (values[:1], np.zeros(5)):
        assert all(math.isnan(limit) for limit in pooled_mean_interval(none, np.ones(len(none))))


@pytest.mark.parametrize("n_images", [2, 3, 5, 10, 30])
def test_the_interval_of_a_mean_distance_holds_what_it_says(n_images):
    """Of studies of simulated distances 90 to 98 of 100 have the true mean in it, and no limit is below 0."""
    rng = np.random.default_rng(n_images)
    held, n_studies = 0, 1000
    for _ in range(n_studies):
        count = rng.integers(5, 15, n_images)
        low, high = pooled_mean_interval(count * rng.gamma(4, 0.4, n_images), count)  # 1.6 mm, and an SD of 0.8
        assert 0 < low < high
        held += low <= 1.6 <= high
    assert 0.9 * n_studies <= held <= 0.98 * n_studies


def test_every_entry_with_an_interval_equals_the_summary():
    """The parts of each entry give the value that `summarise` gives."""
    low = {v + 1: point for v, point in TRUTH.items()}
    cases = [score_case(p, TRUTH) for p in (TRUTH, low, {3: TRUTH[3] + [0, 2, 1]}, {}, TRUTH)]
    summary = summarise(cases)
    assert set(INTERVALS) <= set(SHARES | MEANS)
    for name, parts in (SHARES | MEANS).items():
        part, whole = np.sum([parts(case) for case in cases], axis=0)
        assert part / whole == pytest.approx(summary[name])
        lower, upper = confidence_interval(cases, name)
        assert lower <= summary[name] <= upper or (name in MEANS and summary[name] == 0)


def test_without_a_trial_there_is_no_interval():
    """No image, or images without a disc."""
    for cases in ([], [score_case({}, {})]):
        assert all(math.isnan(limit) for limit in confidence_interval(cases, "identification_rate"))


@pytest.mark.parametrize("name", SHARES | MEANS)
def test_images_of_one_subject_count_as_one(name):
    """Two images alike of each subject give the interval of one each, which is that of images by themselves."""
    near, far, none = ({v: point + [0, mm, 0] for v, point in TRUTH.items()} for mm in (1.0, 2.0, 30.0))
    cases = [score_case(p, TRUTH) for p in (TRUTH, near, far, none)]
    subjects = ["sub-1", "sub-2", "sub-3", "sub-4"]
    once = pytest.approx(confidence_interval(cases, name), nan_ok=True)
    assert confidence_interval(cases, name, subjects) == once
    assert confidence_interval([*cases, *cases], name, [*subjects, *subjects]) == once
