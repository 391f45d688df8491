"""The scans of a session: they name each other's discs where they are one spine, and only there."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.acceptance.session_made_up import make_body, make_view, names_of, wrong_names
from deepspine_sct.labeling.joint import View
from deepspine_sct.labeling.session import order_session
from deepspine_sct.labeling.skeleton import order

cases = settings(max_examples=15, deadline=None, derandomize=True)
seeds = st.integers(0, 10_000)
SURE = 0.9


def named_right(named, view, values):
    """Whether a scan's discs all carry their values, and its strays none."""
    return names_of(named.labeling, view) == [*values, *[0] * (len(view.candidates) - len(values))]


def same(a, b):
    """Whether two labelings are equal to the last bit."""
    return (
        [(d.value, tuple(d.xyz_mm), d.confidence) for d in a.discs]
        == [(d.value, tuple(d.xyz_mm), d.confidence) for d in b.discs]
        and (a.level_confidence, a.level_margin, a.score, a.fit) == (b.level_confidence, b.level_margin, b.score, b.fit)
        and a.warnings == b.warnings
    )


@cases
@given(seeds, st.integers(1, 15), st.floats(0, 0.6))
def test_one_scan_is_named_as_by_itself(seed, top, mix):
    """A session of one scan gives the discs, confidences and warnings of the single ordering."""
    rng = np.random.default_rng(seed)
    view = make_view(make_body(rng), range(top, top + 8), rng, mix=mix, ghosts=3)
    (named,) = order_session([view])
    assert same(named.labeling, order(view.candidates)) and same(named.labeling, named.alone)
    assert (named.joined, named.support, named.refused) == ((), {}, {})


@pytest.mark.parametrize("seed", range(2))
def test_the_order_of_the_scans_changes_nothing(seed):
    """Three stations in any order get the same names, confidences, movements and reasons, to the last bit."""
    rng = np.random.default_rng(seed)
    body = make_body(rng)
    views = [
        make_view(body, range(2, 11), rng, ghosts=2),
        make_view(body, range(8, 17), rng, rng.normal(0, 3, 3), mix=0.5, ghosts=2),
        make_view(make_body(rng, 0.8), range(3, 10), rng, (0, 30, -60), ghosts=2),
    ]
    first = order_session(views)
    for places in permutations(range(3)):
        again = order_session([views[place] for place in places])
        for named, place in zip(again, places, strict=True):
            assert same(named.labeling, first[place].labeling)
            assert (named.shift_mm == first[place].shift_mm).all()
            assert sorted(places[k] for k in named.joined) == list(first[place].joined)
            assert {places[k]: v for k, v in named.support.items()} == first[place].support
            assert {places[k]: v for k, v in named.refused.items()} == first[place].refused


@pytest.mark.parametrize("seed", range(6))
def test_what_is_not_considered_would_change_nothing(seed, monkeypatch):
    """With all values, steps and sizes of every scan considered, names, movements and confidences are the same."""
    rng = np.random.default_rng(seed)
    body = make_body(rng)
    views = [
        make_view(body, range(2, 9), rng, ghosts=2),
        make_view(body, range(7 + seed % 3, 14), rng, rng.normal(0, 3, 3), mix=0.5, ghosts=2),
        make_view(make_body(rng) if seed % 2 else body, range(12, 18), rng, rng.normal(0, 3, 3), ghosts=1),
    ]
    few = order_session(views)
    for module in ("promising", "meeting"):
        monkeypatch.setattr(f"deepspine_sct.labeling.{module}.WITHIN_NATS", 1e6)
    for narrow, wide, view in zip(few, order_session(views), views, strict=True):
        assert names_of(narrow.labeling, view) == names_of(wide.labeling, view)
        assert narrow.labeling.level_confidence == pytest.approx(wide.labeling.level_confidence, abs=1e-4)
        assert narrow.joined == wide.joined and (narrow.shift_mm == wide.shift_mm).all()


def test_the_header_alone_makes_no_scan_sure_whose_names_are_open():
    """Of two stations that share no disc, the one that is torn between two levels is named, but not called sure."""
    open_before = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        body = make_body(rng)
        views = [make_view(body, range(2, 12), rng), make_view(body, range(12, 20), rng, mix=0.5, blur=0.7)]
        neck, chest = order_session(views)
        assert chest.joined == (0,) and named_right(chest, views[1], range(12, 20))
        assert chest.labeling.level_confidence > chest.alone.level_confidence
        if chest.alone.level_confidence < 0.6:
            open_before += 1
            assert chest.labeling.level_confidence <= SURE < neck.labeling.level_confidence
    assert open_before >= 5


def test_another_person_at_another_place_never_makes_a_wrong_name_sure():
    """Of 60 thoraces whose names are open, none is called sure by the neck of somebody else and wrong."""
    for seed in range(60):
        rng = np.random.default_rng(seed)
        top = int(rng.integers(8, 14))
        spans = range(2, 12), range(top, top + 8)
        views = [
            make_view(make_body(rng), spans[0], rng, ghosts=2),
            make_view(make_body(rng, rng.uniform(0.8, 1.1)), spans[1], rng, rng.normal(0, 12, 3), 0.5, 0.7, ghosts=2),
        ]
        for named, view, values in zip(order_session(views), views, spans, strict=True):
            assert wrong_names(named.labeling, view, values) == 0 or named.labeling.level_confidence <= SURE


@pytest.mark.parametrize("shared", [0, 1, 3])
def test_a_station_that_cannot_be_named_is_named_by_its_neighbour(shared):
    """Thoracic discs whose names are split between two levels follow from a neck that moved by 5 mm."""
    alone = joined = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        body, moved_mm = make_body(rng), rng.normal(0, 1, 3)
        top = 12 - shared
        views = [
            make_view(body, range(2, 12), rng, ghosts=2),
            make_view(body, range(top, top + 8), rng, 5 * moved_mm / np.linalg.norm(moved_mm), 0.5, 0.7, ghosts=2),
        ]
        neck, chest = order_session(views)
        assert wrong_names(neck.labeling, views[0], range(2, 12)) == 0
        alone += wrong_names(chest.alone, views[1], range(top, top + 8)) == 0
        joined += named_right(chest, views[1], range(top, top + 8))
        assert chest.joined == (0,) and chest.support[0] > chest.support[1]
    assert joined == 10 > alone


def test_two_contrasts_of_one_station_are_surer_than_one():
    """What T1w and T2w both see is named right, and with more confidence than by the surer one alone."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        body = make_body(rng)
        views = [make_view(body, range(8, 16), rng, mix=mix, blur=0.8) for mix in (0.3, 0.35)]
        views_named = order_session(views)
        assert all(named_right(named, view, range(8, 16)) for named, view in zip(views_named, views, strict=True))
        surest = max(named.alone.level_confidence for named in views_named)
        assert min(named.labeling.level_confidence for named in views_named) > surest


@pytest.mark.parametrize("moved_mm", [(0, 0, 0), (2, -4, 6), (0, 3, -9)])
def test_the_movement_is_reported(moved_mm):
    """What is added to a scan's positions brings its discs back to those of the other one, within 2 mm."""
    rng = np.random.default_rng(5)
    body = make_body(rng)
    views = [make_view(body, range(3, 13), rng), make_view(body, range(6, 16), rng, moved_mm)]
    one, other = order_session(views)
    assert other.joined == (0,)
    assert np.abs(other.shift_mm - one.shift_mm + moved_mm)[1:].max() < 2


def test_every_disc_stays_where_its_own_scan_shows_it():
    """Joining changes names, never positions: each disc is a candidate of its own scan."""
    rng = np.random.default_rng(2)
    body = make_body(rng)
    views = [make_view(body, range(2, 12), rng), make_view(body, range(9, 18), rng, (1, 4, -5), mix=0.5)]
    for named, view in zip(order_session(views), views, strict=True):
        assert all((view.candidates.xyz_mm == disc.xyz_mm).all(axis=1).any() for disc in named.labeling.discs)


@pytest.mark.parametrize("away_mm", [(0, 60, 0), (0, 0, -9), (0, -45, 30)])
def test_another_person_is_refused_with_a_reason_and_changes_nothing(away_mm):
    """A bigger person's neck at the same height stands alone, as the first one does, and is told why."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        views = [
            make_view(make_body(rng, 0.85), range(2, 12), rng),
            make_view(make_body(rng, 1.1), range(2, 12), rng, away_mm),
        ]
        for i, named in enumerate(order_session(views)):
            assert named.joined == () and same(named.labeling, named.alone)
            assert list(named.refused) == [1 - i] and "disc" in named.refused[1 - i]
            assert "\n" not in named.refused[1 - i]


def test_a_scan_without_candidates_changes_nothing():
    """An unreadable scan neither gets names nor takes any."""
    rng = np.random.default_rng(3)
    body = make_body(rng)
    view, other = make_view(body, range(3, 12), rng), make_view(body, range(3, 12), rng)
    empty = View(other.candidates.take(np.zeros(0, dtype=int)), other.span_mm)
    named, nothing = order_session([view, empty])
    assert nothing.labeling.discs == [] and same(named.labeling, named.alone)


def test_joining_never_makes_a_session_worse_at_a_level_that_is_called_sure():
    """Of stations that belong together or not, none that is right by itself is wrong and sure when joined."""
    for seed in range(30):
        rng = np.random.default_rng(seed)
        body = make_body(rng)
        stranger = make_body(rng, rng.uniform(0.8, 1.1))
        top = int(rng.integers(8, 14))
        of_stranger = bool(seed % 2)
        moved_mm = rng.normal(0, 12, 3) if of_stranger else rng.normal(0, 3, 3)
        spans = range(2, 12), range(top, top + 8)
        views = [
            make_view(body, spans[0], rng, ghosts=2),
            make_view(stranger if of_stranger else body, spans[1], rng, moved_mm, rng.uniform(0, 0.6), 0.7, ghosts=2),
        ]
        for named, view, values in zip(order_session(views), views, spans, strict=True):
            wrong, wrong_alone = (wrong_names(of, view, values) for of in (named.labeling, named.alone))
            assert wrong <= wrong_alone or named.labeling.level_confidence <= SURE


def test_confidences_are_probabilities_and_the_values_increase():
    """Whatever is joined, the answer of each scan is a labeling as a single one is."""
    for seed in range(4):
        rng = np.random.default_rng(seed)
        body = make_body(rng)
        tops = rng.integers(1, 16, 3)
        views = [make_view(body, range(t, t + 7), rng, rng.normal(0, 5, 3), rng.random(), ghosts=3) for t in tops]
        for named in order_session(views):
            values = [disc.value for disc in named.labeling.discs]
            assert values == sorted(set(values))
            assert all(0 <= disc.confidence <= 1 for disc in named.labeling.discs)
            assert 0 <= named.labeling.level_confidence <= 1 and named.labeling.level_margin >= -1e-3
