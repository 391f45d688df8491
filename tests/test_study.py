"""A study: each mistake costs exactly what it should, in every metric and every group."""

import math
from dataclasses import replace

import numpy as np
import pytest

from deepspine_sct.data.labelled_image import LabelledImage
from deepspine_sct.evaluation.metrics import score_case, summarise
from deepspine_sct.evaluation.study import Study, disc_rows, summary_rows
from deepspine_sct.evaluation.study_figures import confusion
from deepspine_sct.evaluation.study_report import notes_on_scores

STEP_MM = 20.0


def column(values, at=None) -> dict[int, np.ndarray]:
    """Discs on a vertical line; `at` puts a value at another value's place."""
    at = at or {}
    return {v: np.array([0.0, 0.0, -STEP_MM * at.get(v, v)]) for v in values}


TRUTH = column(range(3, 9))  # six discs

# A perfect answer to one image of six discs, in every metric.
RIGHT = dict(
    n_images=1, n_discs=6, n_predicted=6, found=6, named=6, detected=6, missed=0, false=0, off_level=0, off_by_one=0,
    ghost=0, unseen=0, identification_rate=1, naming_rate=1, detection_rate=1,
    fnr=0, fpr=0, fnr_any_name=0, fpr_any_name=0,
    distance_mean_mm=0, distance_sd_mm=0, distance_median_mm=0, distance_p95_mm=0,
    distance_si_mean_mm=0, distance_si_sd_mm=0, distance_si_median_mm=0, distance_si_p95_mm=0,
    images_all_named=1, images_all_right=1, images_off_by_one=0, images_shifted=0,
)  # fmt: skip

# What one mistake changes of that, computed by hand. Distances of 0, 0, 0, 0, 20 and 20 mm have the
# mean 40 / 6 and the squared deviations 4 (40 / 6)^2 + 2 (80 / 6)^2 = 1600 / 3.
MISTAKES = {
    "none": (column(range(3, 9)), {}),
    # Two discs are called by each other's name: both are missed, both are false, no place is empty.
    "swap": (column(range(3, 9), {4: 5, 5: 4}), dict(found=4, named=4, naming_rate=4 / 6, images_all_named=0,
             missed=2, false=2, off_level=2,
             off_by_one=2, identification_rate=4 / 6, fnr=2 / 6, fpr=2 / 6,
             distance_mean_mm=40 / 6, distance_sd_mm=math.sqrt(1600 / 15), distance_p95_mm=20,
             distance_si_mean_mm=40 / 6, distance_si_sd_mm=math.sqrt(1600 / 15),
             distance_si_p95_mm=20, images_all_right=0)),
    # All names a level too low: nothing is right, though every disc is in place. Nothing is named
    # 3, so five distances remain, of 20 mm each.
    "shift": (column(range(4, 10), {v: v - 1 for v in range(4, 10)}), dict(found=0, named=0, naming_rate=0,
              images_all_named=0, missed=6,
              false=6, off_level=6, off_by_one=6, identification_rate=0, fnr=1, fpr=1,
              distance_mean_mm=20, distance_median_mm=20, distance_p95_mm=20,
              distance_si_mean_mm=20, distance_si_median_mm=20, distance_si_p95_mm=20,
              images_all_right=0, images_off_by_one=1, images_shifted=1)),
    "drop": (column((3, 4, 6, 7, 8)), dict(n_predicted=5, found=5, named=5, detected=5, naming_rate=5 / 6,
             detection_rate=5 / 6, images_all_named=0, missed=1, unseen=1,
             identification_rate=5 / 6, fnr=1 / 6, fnr_any_name=1 / 6, images_all_right=0)),
    # A disc where none is: one of seven predictions is false, one ghost comes on six true discs.
    "add": (column(range(3, 9)) | {12: np.array([0.0, 30.0, -240.0])}, dict(n_predicted=7, images_all_named=0, false=1,
            ghost=1, fpr=1 / 7, fpr_any_name=1 / 6, images_all_right=0)),
    # 3 mm to the front and 4 mm up are 5 mm: still found. Of 0, 0, 0, 0, 0 and 5 mm the 95th
    # percentile lies at three quarters of the last step.
    "move": (column(range(3, 9)) | {5: np.array([0.0, 3.0, -96.0])}, dict(
             distance_mean_mm=5 / 6, distance_sd_mm=5 / math.sqrt(6), distance_p95_mm=3.75,
             distance_si_mean_mm=4 / 6, distance_si_sd_mm=4 / math.sqrt(6),
             distance_si_p95_mm=3)),
}  # fmt: skip


def unread() -> None:
    """Fail: an evaluation of disc files reads no image."""
    pytest.fail("an image was read")


def study(*names: str, span_only: bool = False) -> Study:
    """One image a mistake, T1w and T2w in turns, each of its own site."""
    contrasts = ("T1w", "T2w")
    cases = [
        LabelledImage(name, TRUTH, unread, f"sub-{n}", site=f"site-{n}", contrast=contrasts[n % 2])
        for n, name in enumerate(names)
    ]
    return Study(cases, {"tool": [MISTAKES[name][0] for name in names]}, span_only=span_only)


def row(rows, by="all", group="all") -> dict:
    """The row of a group."""
    (found,) = (row for row in rows if (row["by"], row["group"]) == (by, group))
    return found


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_costs_what_it_should_in_every_metric(name):
    """Swapping, shifting, dropping, adding, moving: all metrics, by numbers computed by hand."""
    summary = summarise(study(name).scores("tool"))
    expected = RIGHT | MISTAKES[name][1]
    assert summary.keys() == expected.keys()
    for metric, value in expected.items():
        assert summary[metric] == pytest.approx(value, abs=1e-12), metric


@pytest.mark.parametrize("name", MISTAKES)
def test_only_what_lies_beyond_the_marked_discs_is_forgiven(name):
    """Within the span of the true discs every mistake costs the same; the added disc 12 is free."""
    within = summarise(study(name, span_only=True).scores("tool"))
    expected = summarise(study("none" if name == "add" else name).scores("tool"))
    assert within == pytest.approx(expected)


def test_groups_hold_their_own_images():
    """By contrast and by site, and all together."""
    rows = summary_rows(study("none", "shift", "drop"))
    assert row(rows)["n_images"] == 3 and row(rows)["found"] == 11
    assert row(rows, "contrast", "T1w")["found"] == 11
    assert row(rows, "contrast", "T2w")["identification_rate"] == 0
    assert row(rows, "site", "site-2")["missed"] == 1


def test_levels_hold_their_own_disc():
    """Dropping disc 5 costs level 5 alone; swapping 4 and 5 costs both of them."""
    rows = summary_rows(study("drop", "swap"))
    assert row(rows, "level", "3")["identification_rate"] == 1
    assert row(rows, "level", "4")["identification_rate"] == 0.5
    assert row(rows, "level", "5")["identification_rate"] == 0
    assert row(rows, "level", "5")["n_discs"] == 2
    assert row(rows, "level", "4")["distance_mean_mm"] == 10


def test_intervals_surround_their_value():
    """They exist for every rate and mean, and stay wide where few images are alike."""
    mixed = row(summary_rows(study("none", "shift", "drop", "none", "add", "none")))
    for name in ("identification_rate", "fnr", "fpr", "distance_mean_mm", "images_all_right"):
        assert mixed[f"{name}_low"] <= mixed[name] <= mixed[f"{name}_high"]
        assert mixed[f"{name}_low"] < mixed[f"{name}_high"]
    alike = row(summary_rows(study("drop", "drop")))
    assert alike["fnr_low"] < 0.05 and alike["fnr_high"] > 0.5
    flawless = row(summary_rows(study(*["none"] * 8)))
    assert flawless["identification_rate_high"] == 1.0
    assert flawless["identification_rate_low"] == pytest.approx(0.676, abs=0.001), "8 of 8 by Wilson"


def test_the_images_of_a_subject_do_not_make_an_interval_narrower():
    """Eight flawless images of two subjects show what two images show; every row says how many subjects it is of."""
    alone = study(*["none"] * 8)
    cases = [replace(case, subject=f"sub-{n // 2 % 2}") for n, case in enumerate(alone.cases)]
    rows = summary_rows(replace(alone, cases=cases))
    assert (row(rows)["n_subjects"], row(rows)["n_images"]) == (2, 8)
    assert row(rows, "contrast", "T2w")["n_subjects"] == 2 and row(rows, "site", "site-3")["n_subjects"] == 1
    assert row(rows)["naming_rate_low"] == pytest.approx(0.342, abs=0.001), "2 of 2 by Wilson"
    nameless = replace(alone, cases=[replace(case, subject="", name=f"{n}") for n, case in enumerate(alone.cases)])
    assert row(summary_rows(nameless))["n_subjects"] == 8
    head, *_ = notes_on_scores(replace(alone, cases=cases), "data", "all")
    assert head.startswith("Truth: 8 images of 2 subjects and 8 sites, data")


def test_the_worst_images_come_first():
    """By the number of errors; of equal ones those with the larger distance."""
    mixed = study("none", "drop", "shift", "add", "swap")
    assert mixed.worst("tool", 3)[:2] == [2, 4]
    assert set(mixed.worst("tool", 5)[2:4]) == {1, 3}


def test_every_disc_has_a_row():
    """True discs with what became of them, false ones with what they lie on."""
    rows = disc_rows(study("shift", "add"))
    true = [r for r in rows if r["kind"] == "true"]
    false = [r for r in rows if r["kind"] == "false"]
    assert len(true) == 12 and len(false) == 7
    assert [r["lies_on"] for r in false] == [3, 4, 5, 6, 7, 8, None]
    assert true[0]["disc"] == 3 and math.isnan(true[0]["distance_mm"]) and true[0]["found"] == 0
    assert true[1]["distance_mm"] == 20 and true[6]["found"] == true[6]["named"] == 1


def test_confusion_counts_every_disc_and_every_prediction_once():
    """Rows sum to the true discs plus ghosts, columns to the predictions plus unseen discs."""
    names = list(MISTAKES)
    scores = study(*names).scores("tool")
    counts = confusion(scores)
    assert counts[25].sum() == 1 and counts[25, 11] == 1  # the added disc 12
    assert counts[4, 25] == 1  # the dropped disc 5
    assert counts[2, 3] == 1 and counts[3, 4] == 2  # shifted; and swapped
    n_predicted = sum(len(MISTAKES[name][0]) for name in names)
    assert counts[:, :25].sum() == n_predicted
    assert counts[:25].sum() == 6 * len(names)


def test_rates_by_any_name_equal_a_brute_force_count_on_random_cases():
    """A thousand random answers: unseen, ghosts and neighbours counted by nothing but loops."""
    rng = np.random.default_rng(5)
    for _ in range(1000):
        truth = column(range(3, 3 + int(rng.integers(1, 8))))
        predicted = {
            int(v): np.array([0, 0, -STEP_MM * rng.uniform(2, 11)])
            for v in rng.choice(np.arange(1, 14), rng.integers(0, 8), replace=False)
        }
        score = score_case(predicted, truth, 5.0)
        unseen, ghost, off_by_one = [], [], []
        for value, point in truth.items():
            if all(math.dist(point, other) > 5 for other in predicted.values()):
                unseen.append(value)
        for value, point in sorted(predicted.items()):
            near = [v for v, other in truth.items() if math.dist(point, other) <= 5]
            if not near:
                ghost.append(value)
            elif near[0] in (value - 1, value + 1):  # discs are 20 mm apart: there is one at most
                off_by_one.append(value)
        assert (score.unseen, score.ghost) == (tuple(unseen), tuple(ghost))
        assert score.off_by_one == tuple(off_by_one)
