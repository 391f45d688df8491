"""The skeleton: exact against listing every naming, and robust to what networks get wrong."""

import json
import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepspine_sct import anatomy
from deepspine_sct.errors import DeepspineError
from deepspine_sct.labeling.heatmap import Candidates
from deepspine_sct.labeling.skeleton import SkeletonPrior, build_lattice, order, order_alone, rate

K = len(anatomy.DISC_VALUES)
# The spines are random, so a property holds of nearly all: the same ones are drawn in every run.
cases = settings(max_examples=40, deadline=None, derandomize=True)
seeds = st.integers(0, 10_000)
ranges = st.tuples(st.integers(1, 19), st.integers(6, 20)).map(lambda r: range(r[0], min(r[0] + r[1], K + 1)))


def make_spine(values, rng, scale=0.95, mix=0.0, blur=0.5):
    """Candidates of a lordotic and kyphotic spine: true values in order, strong and well named.

    ``mix`` (scalar or one a disc) moves that share of the evidence to the next value; ``blur`` is
    the standard deviation of the evidence over the values.
    """
    values = np.asarray(values)
    above = np.arange(1, K)
    angle = np.radians(15 * np.sin(above / 3.5) + rng.normal(0, 8))
    step_mm = anatomy.SPACING_MM * scale * rng.normal(1, 0.04, K - 1)
    step = step_mm[:, None] * np.stack([0 * angle, np.sin(angle), -np.cos(angle)], axis=1)
    tips_mm = np.vstack([[3.0, -20.0, 80.0], step]).cumsum(axis=0)
    distance = np.arange(1, K + 1) - values[:, None]
    own = np.exp(-0.5 * (distance / blur) ** 2)
    next_one = np.exp(-0.5 * ((distance - 1) / blur) ** 2)
    mix = np.broadcast_to(mix, values.shape)[:, None]
    evidence = (1 - mix) * own + mix * next_one
    level_mm = anatomy.LEVEL_MM[values - 1] - 15 * mix[:, 0] + rng.normal(0, 4, len(values))
    return Candidates(
        tips_mm[values - 1] + rng.normal(0, 0.8, (len(values), 3)),
        rng.uniform(0.6, 0.98, len(values)),
        evidence / evidence.sum(axis=1, keepdims=True) * 0.9,
        level_mm,
    )


def join(*parts):
    """Put sets of candidates together."""
    return Candidates(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("xyz_mm", "strength", "evidence", "level_mm")
        )
    )


def ghost(xyz_mm, strength=0.5, value=None, level_mm=np.nan):
    """One candidate that is no disc; its evidence is spread, or claims a value."""
    evidence = np.full((1, K), 1 / K) if value is None else np.eye(K)[[value - 1]]
    return Candidates(np.array([xyz_mm], dtype=float), np.array([strength]), evidence, np.array([level_mm]))


def names_of(labeling, candidates):
    """Value given to each candidate, 0 where it was dropped."""
    values = np.zeros(len(candidates), dtype=int)
    for disc in labeling.discs:
        values[(candidates.xyz_mm == disc.xyz_mm).all(axis=1)] = disc.value
    return values.tolist()


# ---- exactness ------------------------------------------------------------------------------


def _toll(z, knee):
    return knee**2 * (math.sqrt(1 + (z / knee) ** 2) - 1)


def _score_by_hand(c, prior, path, scale):
    """Score of one naming [(i, value), ...] at one scale, straight from the definition."""
    n_values = len(prior.level_mm)
    span = max(prior.level_mm) - min(prior.level_mm)
    shares = [[e / sum(evidence) for e in evidence] for evidence in c.evidence.tolist()]
    dependence = 1 + prior.correlation * max(sum(c.strength) - 1, 0)
    score = -0.5 * (math.log(scale / prior.scale_mean) / prior.scale_sd) ** 2
    for i, v in path:
        odds = min(max(c.strength[i], 0.01), 0.99)
        share = (1 - prior.evidence_floor) * shares[i][v - 1] + prior.evidence_floor / n_values
        score += prior.strength_weight * math.log(odds / (1 - odds))
        score += prior.evidence_weight / dependence * math.log(n_values * share)
        if not math.isnan(c.level_mm[i]):
            gain = math.log(span / (prior.level_sd_mm * math.sqrt(2 * math.pi)))
            gain -= _toll((c.level_mm[i] - prior.level_mm[v - 1]) / prior.level_sd_mm, prior.knee)
            score += prior.level_weight / dependence * gain
    steps = []
    for (i, u), (j, v) in zip(path, path[1:], strict=False):
        step = c.xyz_mm[j] - c.xyz_mm[i]
        length = math.sqrt(sum(step**2))
        angle = math.degrees(math.acos(-step[2] / length))
        if angle > prior.max_angle_deg:
            return -math.inf
        between = range(u - 1, v - 1)
        mean = scale * sum(prior.spacing_mm[b] for b in between)
        variance = sum((scale * prior.spacing_mm[b] * prior.spread[b]) ** 2 for b in between)
        sd = math.sqrt(variance + 2 * prior.tip_sd_mm**2)
        score += math.log(prior.reach_mm / (sd * math.sqrt(2 * math.pi)))
        score -= _toll((length - mean) / sd, prior.knee)
        lag = sum(shares[i][k] * shares[j][k + v - u] for k in range(n_values - v + u))
        lag = (1 - prior.evidence_floor) * lag + prior.evidence_floor / n_values
        score += prior.apart_weight * math.log(n_values * lag)
        seen = c.level_mm[j] - c.level_mm[i]
        if not math.isnan(seen):
            gain = math.log(span / (prior.apart_sd_mm * math.sqrt(2 * math.pi)))
            expected = prior.level_mm[v - 1] - prior.level_mm[u - 1]
            gain -= _toll((seen - expected) / prior.apart_sd_mm, prior.knee)
            score += prior.apart_weight * gain
        if v - u > 1:
            score -= prior.missing_cost + prior.missing_more_cost * (v - u - 2)
        score -= _toll(angle / prior.angle_sd_deg, prior.knee)
        steps.append((step / length, length))
    for (d, a), (e, b) in zip(steps, steps[1:], strict=False):
        change = math.sqrt(sum((d - e) ** 2))
        noise = prior.tip_sd_mm**2 * (1 / a**2 + 1 / b**2 + (1 / a + 1 / b) ** 2)
        bend = math.radians(prior.bend_deg_per_mm) * (a + b) / 2
        score -= _toll(change / math.sqrt(noise + bend**2), prior.knee)
    return score


def _random_problem(rng):
    """At most five scattered candidates and five values."""
    n, k = int(rng.integers(1, 6)), 5
    c = Candidates(
        rng.normal(0, 1, (n, 3)) * [3, 12, 30],
        rng.uniform(0.1, 1, n),
        rng.dirichlet(np.full(k, 0.4), n),
        np.where(rng.random(n) < 0.2, np.nan, rng.uniform(400, 500, n)),
    )
    prior = SkeletonPrior(
        spacing_mm=(24.0, 15.0, 18.0, 20.0),
        spread=(0.1, 0.15, 0.1, 0.2),
        level_mm=(490.0, 466.0, 451.0, 433.0, 413.0),
        n_scales=3,
    )
    return c.take(c.descending()), prior


def _all_namings(c, prior, must=None):
    """{path: (S,) scores} of every naming that keeps the pins `must` (index -> value)."""
    scores = {}
    for m in range(1, len(c) + 1):
        for nodes in combinations(range(len(c)), m):
            for values in combinations(range(1, len(prior.level_mm) + 1), m):
                path = tuple(zip(nodes, values, strict=True))
                if all(pin in path for pin in (must or {}).items()):
                    scales = np.geomspace(*prior.scale_range, prior.n_scales)
                    scores[path] = np.array([_score_by_hand(c, prior, path, s) for s in scales])
    return scores


@pytest.mark.parametrize("seed", range(40))
def test_names_confidence_and_margin_equal_those_of_listing_every_naming(seed):
    """Best names, posteriors and level confidence are exact; the margin never overstates."""
    c, prior = _random_problem(np.random.default_rng(seed))
    scores = _all_namings(c, prior)
    best = max(scores, key=lambda path: scores[path].max())
    labeling = order(c, prior)
    rating = rate(c, prior)
    assert (rating.n_discs, rating.score) == (len(labeling.discs), labeling.score)
    if scores[best].max() <= 0:
        assert labeling.discs == []
        return
    assert labeling.score == pytest.approx(scores[best].max(), rel=1e-4)
    assert names_of(labeling, c) == [dict(best).get(i, 0) for i in range(len(c))]

    weight = {path: np.exp(score / prior.temperature).sum() for path, score in scores.items()}
    everything = 1 + sum(weight.values())  # 1: no disc at all
    posterior = {
        (i, v): sum(w for path, w in weight.items() if (i, v) in path) / everything
        for i in range(len(c))
        for v in range(1, 6)
    }
    confidence = [disc.confidence for disc in labeling.discs]
    assert confidence == pytest.approx([posterior[pair] for pair in best], rel=1e-4)
    named = [posterior[i, v] / sum(posterior[i, u] for u in range(1, 6)) for i, v in best]
    assert [disc.name_confidence for disc in labeling.discs] == pytest.approx(named, rel=1e-4)
    assert labeling.level_confidence == pytest.approx(min(named), rel=1e-4)

    def renamed(path):
        return sum(i in dict(path) and dict(path)[i] != v for i, v in best)

    rivals = [s.max() for path, s in scores.items() if renamed(path) > len(best) / 2]
    margin = scores[best].max() - max(rivals)
    assert labeling.level_margin <= margin + 1e-3
    if len(best) == 1:
        assert labeling.level_margin == pytest.approx(margin, abs=1e-3)


@pytest.mark.parametrize("seed", range(20))
def test_a_pin_gives_the_best_naming_among_those_that_keep_it(seed):
    """Pinning a candidate to any value equals brute force over the namings with that pair."""
    rng = np.random.default_rng(seed)
    c, prior = _random_problem(rng)
    i, value = int(rng.integers(len(c))), int(rng.integers(1, 6))
    scores = _all_namings(c, prior, {i: value})
    best = max(scores, key=lambda path: scores[path].max())
    labeling = order(c, prior, pins={value: c.xyz_mm[i]})
    assert names_of(labeling, c) == [dict(best).get(j, 0) for j in range(len(c))]
    assert labeling.discs[[d.value for d in labeling.discs].index(value)].confidence > 0.999


@pytest.mark.parametrize("seed", range(40))
def test_a_range_gives_the_best_naming_when_each_disc_outside_of_it_costs(seed):
    """Names and confidences equal those of listing every naming, less its discs not asked for."""
    rng = np.random.default_rng(seed)
    c, prior = _random_problem(rng)
    values = tuple(np.flatnonzero(rng.random(5) < 0.6) + 1) or (3,)
    scores = {
        path: score - prior.elsewhere_cost * sum(v not in values for _, v in path)
        for path, score in _all_namings(c, prior).items()
    }
    best = max(scores, key=lambda path: scores[path].max())
    if scores[best].max() <= 0:
        best = ()
    labeling = order(c, prior, values).only(values)
    named = [(i, v) for i, v in best if v in values]
    assert names_of(labeling, c) == [dict(named).get(i, 0) for i in range(len(c))]
    weight = {path: np.exp(score / prior.temperature).sum() for path, score in scores.items()}
    posterior = [sum(w for path, w in weight.items() if pair in path) for pair in named]
    everything = 1 + sum(weight.values())
    confidence = [disc.confidence for disc in labeling.discs]
    assert confidence == pytest.approx([p / everything for p in posterior], rel=1e-4)
    free = order(c, prior)
    if free.discs:
        assert (labeling.score, labeling.fit) == (free.score, free.fit)


def test_the_margin_is_exact_when_one_shift_is_the_only_rival():
    """On a mid-thoracic crop the margin is the score lost by shifting every disc by one."""
    rng = np.random.default_rng(3)
    c = make_spine(range(12, 17), rng, mix=0.3)
    prior = SkeletonPrior.default()
    scales = np.geomspace(*prior.scale_range, prior.n_scales)

    def score(shift):
        path = [(i, v + shift) for i, v in enumerate(range(12, 17))]
        return max(_score_by_hand(c, prior, path, s) for s in scales)

    labeling = order(c, prior)
    assert labeling.level_margin == pytest.approx(score(0) - max(score(1), score(-1)), abs=1e-3)


# ---- properties -----------------------------------------------------------------------------


@cases
@given(seeds, ranges)
def test_every_disc_of_a_plain_spine_gets_its_name(seed, values):
    """Any run of six discs or more is named right, with high confidence."""
    c = make_spine(values, np.random.default_rng(seed))
    labeling = order(c)
    assert names_of(labeling, c) == list(values)
    assert labeling.level_confidence > 0.9


@cases
@given(seeds, ranges)
def test_the_order_of_the_candidates_does_not_matter(seed, values):
    """A permutation gives the same discs and the same confidences."""
    rng = np.random.default_rng(seed)
    c = join(make_spine(values, rng, mix=0.4), ghost((0, 30, 20)), ghost((10, 5, -40)))
    one, other = order(c), order(c.take(rng.permutation(len(c))))
    assert [d.value for d in one.discs] == [d.value for d in other.discs]
    for a, b in zip(one.discs, other.discs, strict=True):
        assert (a.xyz_mm == b.xyz_mm).all() and a.confidence == b.confidence


@cases
@given(seeds, ranges, st.sampled_from(["mouth", "abdomen", "brain", "muscle"]))
def test_a_far_ghost_does_not_change_the_names(seed, values, place):
    """A confident ghost off the spine that claims a disc of the spine is dropped, moves no name."""
    rng = np.random.default_rng(seed)
    c = make_spine(values, rng)
    top, middle = c.xyz_mm[0], c.xyz_mm[len(c) // 2]
    where = {
        "mouth": top + [0, 70, -10],
        "abdomen": middle + [0, 60, 4],
        "brain": top + [0, 40, 60],
        "muscle": middle + [5, -50, -6],
    }[place]
    haunted = join(c, ghost(where, 0.8, value=int(rng.choice(values))))
    assert names_of(order(haunted), haunted) == [*values, 0]


@cases
@given(seeds, ranges, st.data())
def test_a_missing_disc_leaves_the_names_of_the_others(seed, values, data):
    """Dropping one or two neighbours anywhere changes no other name, and inside it warns."""
    c = make_spine(values, np.random.default_rng(seed))
    first = data.draw(st.integers(0, len(c) - 2))
    left = np.delete(np.arange(len(c)), [first, first + data.draw(st.integers(0, 1))])
    labeling = order(c.take(left))
    assert names_of(labeling, c.take(left)) == [values[i] for i in left]
    inside = first > 0 and left[-1] > first + 1
    assert any("was not found" in text for text in labeling.warnings) or not inside


@cases
@given(seeds, ranges, st.floats(0.7, 1.2))
def test_a_child_and_a_giant_get_the_names_of_an_adult(seed, values, scale):
    """Uniform scaling of the body keeps the names."""
    c = make_spine(values, np.random.default_rng(seed), scale=scale)
    assert names_of(order(c), c) == list(values)


@cases
@given(seeds, st.integers(1, 12), st.floats(0, 0.35))
def test_evidence_mixed_with_the_next_value_all_along_still_names_the_spine(seed, top, mix):
    """A third of every disc's evidence on its lower neighbour does not shift the spine."""
    values = range(top, top + 12)
    c = make_spine(values, np.random.default_rng(seed), mix=mix, blur=0.7)
    assert names_of(order(c), c) == list(values)


@cases
@given(seeds, st.integers(1, 12))
def test_a_spine_whose_lower_third_is_shifted_is_named_as_one(seed, top):
    """A network that slips by one level half-way makes no false gap: spacing has the last word."""
    values = range(top, top + 12)
    mix = np.where(np.arange(12) >= 8, 0.85, 0.1)
    c = make_spine(values, np.random.default_rng(seed), mix=mix)
    assert names_of(order(c), c) == list(values)


@cases
@given(seeds, st.integers(1, 15), st.sampled_from([-35.0, 35.0]))
def test_a_level_that_is_two_cervical_levels_off_does_not_outvote_clear_names(seed, top, bias_mm):
    """The level map errs along the whole image (as on a real T1w crop); clear names stand."""
    values = range(top, top + 6)
    c = make_spine(values, np.random.default_rng(seed))
    biased = Candidates(c.xyz_mm, c.strength, c.evidence, c.level_mm + bias_mm)
    assert names_of(order(biased), c) == list(values)


def test_names_spread_over_three_channels_are_sharpened_by_the_chain():
    """Blurred evidence (1.2 levels) names a cervical spine right in at least 95 % of cases."""
    right = 0
    for seed in range(60):
        c = make_spine(range(2, 14), np.random.default_rng(seed), blur=1.2)
        right += names_of(order(c), c) == list(range(2, 14))
    assert right >= 57


def test_evenly_split_evidence_is_reported_as_uncertain():
    """Half the evidence on each of two offsets gives a low level confidence and a warning."""
    c = make_spine(range(11, 18), np.random.default_rng(0), mix=0.5)
    labeling = order(c)
    assert labeling.level_confidence < 0.9
    assert any("-initlabel" in text for text in labeling.warnings)


# ---- interface ------------------------------------------------------------------------------


def test_one_candidate_is_named_by_what_the_network_says_and_none_by_nothing():
    """One disc is named with a warning; no candidate gives an empty labeling with a warning."""
    c = make_spine([5], np.random.default_rng(0))
    labeling = order(c)
    assert [d.value for d in labeling.discs] == [5] and labeling.warnings
    empty = order(c.take(np.zeros(1, dtype=bool)))
    assert empty.discs == [] and empty.points == {} and empty.warnings


def test_weak_scattered_candidates_are_refused():
    """An image without a spine gives no disc rather than a guess."""
    rng = np.random.default_rng(2)
    spots = [ghost(rng.uniform(-60, 60, 3), strength=0.15) for _ in range(6)]
    assert order(join(*spots)).discs == []


def test_a_pin_shifts_the_whole_spine():
    """Naming one disc by hand moves all names with it, and makes them certain."""
    c = make_spine(range(10, 18), np.random.default_rng(1))
    labeling = order(c, pins={14: c.xyz_mm[3] + [0, -6, 2]})
    assert names_of(labeling, c) == list(range(11, 19))
    assert labeling.level_confidence > 0.9


def test_a_pin_without_a_candidate_becomes_one():
    """A disc that the network missed is written where the user says it is."""
    c = make_spine(range(4, 12), np.random.default_rng(1))
    missed_mm = c.xyz_mm[4].copy()
    labeling = order(c.take(np.delete(np.arange(8), 4)), pins={8: missed_mm})
    assert [d.value for d in labeling.discs] == list(range(4, 12))
    assert (labeling.points[8] == missed_mm).all()


def test_pins_alone_are_an_answer():
    """Pins in an image without candidates are returned as they are."""
    none = make_spine([1], np.random.default_rng(0)).take(np.zeros(0, dtype=int))
    pins = {3: np.array([0.0, 0.0, 50.0]), 4: np.array([0.0, 2.0, 33.0])}
    assert list(order(none, pins=pins).points) == [3, 4]


def test_pins_at_an_impossible_distance_are_obeyed():
    """C2/C3 and C3/C4 half a metre apart are no spine, but the user has the last word."""
    c = make_spine(range(3, 20), np.random.default_rng(0))
    labeling = order(c, pins={3: c.xyz_mm[0], 4: c.xyz_mm[0] - [0, 0, 500]})
    assert [d.value for d in labeling.discs][:2] == [3, 4]
    assert all(0 <= d.confidence <= 1 for d in labeling.discs)


def test_pins_against_the_order_are_refused():
    """Disc 5 above disc 4 is no spine; nor is disc 26."""
    c = make_spine(range(3, 8), np.random.default_rng(0))
    with pytest.raises(DeepspineError, match="head to foot"):
        order(c, pins={5: c.xyz_mm[1], 4: c.xyz_mm[2]})
    with pytest.raises(DeepspineError, match="26"):
        order(c, pins={26: c.xyz_mm[1]})


@settings(cases, max_examples=15)
@given(seeds, ranges, ranges)
def test_a_range_moves_no_name_of_a_spine_that_is_named_surely(seed, values, asked):
    """What a range leaves out is left out: none of the others gets its name, and no gap is seen."""
    c = make_spine(values, np.random.default_rng(seed))
    labeling = order(c, values=tuple(asked)).only(asked)
    assert names_of(labeling, c) == [v if v in asked else 0 for v in values]
    assert not any("not found" in text or "by itself" in text for text in labeling.warnings)


@settings(cases, max_examples=15)
@given(seeds, st.integers(2, 14), st.integers(5, 9), st.integers(0, 1))
def test_a_range_decides_where_the_names_are_open(seed, top, n, shift):
    """Evidence split evenly between two levels takes the one that fits the range, and says so."""
    values = range(top, top + n)
    c = make_spine(values, np.random.default_rng(seed), mix=0.5)
    c = Candidates(c.xyz_mm, c.strength, c.evidence, np.full(n, np.nan))
    labeling = order(c, values=tuple(v + shift for v in values))
    names = [disc.value for disc in labeling.discs]
    assert names == [v + shift for v in values]
    moved = order(c).points.keys() != labeling.points.keys()
    assert moved == any("the image by itself has" in text for text in labeling.warnings)


def test_a_scan_of_other_discs_than_those_asked_for_has_none_of_them():
    """The thorax is not called a neck because the neck was asked for."""
    c = make_spine(range(12, 20), np.random.default_rng(4))
    assert order(c, values=tuple(range(3, 9))).only(range(3, 9)).discs == []


def test_a_pin_against_a_sure_image_is_obeyed_and_questioned():
    """The user has the last word, and is told what the image says by itself."""
    c = make_spine(range(10, 18), np.random.default_rng(1))
    labeling = order(c, pins={14: c.xyz_mm[3]})
    assert names_of(labeling, c) == list(range(11, 19))
    assert any("the image by itself has T2/T3" in text for text in labeling.warnings)
    assert order(c, pins={13: c.xyz_mm[3]}).warnings == []


def test_a_network_with_fewer_channels_is_accepted():
    """Evidence over the first 21 values names a cervical spine as well."""
    c = make_spine(range(2, 12), np.random.default_rng(4))
    short = Candidates(c.xyz_mm, c.strength, c.evidence[:, :21], c.level_mm)
    assert names_of(order(short), c) == list(range(2, 12))


def test_unknown_levels_are_neutral():
    """Candidates without a level are named by the rest."""
    c = make_spine(range(2, 12), np.random.default_rng(4))
    blind = Candidates(c.xyz_mm, c.strength, c.evidence, np.full(len(c), np.nan))
    assert names_of(order(blind), c) == list(range(2, 12))


def test_the_prior_survives_json():
    """A prior stored in a checkpoint comes back equal; a field it does not know is refused."""
    prior = SkeletonPrior(scale_mean=0.9, spread=(0.1,) * (K - 1))
    assert SkeletonPrior.from_dict(json.loads(json.dumps(prior.to_dict()))) == prior
    assert SkeletonPrior.from_dict({}) == SkeletonPrior.default()
    with pytest.raises(ValueError, match="sapcing"):
        SkeletonPrior.from_dict({"sapcing_mm": []})


@pytest.mark.parametrize("name", ["spacing_mm", "spread", "level_mm", "scale_range"])
def test_a_prior_of_another_length_is_refused_when_it_is_read(name):
    """A field with one number too few is named there, not by a fault in the middle of the first scan."""
    stored = SkeletonPrior.default().to_dict()
    with pytest.raises(ValueError, match=f"{name} of a skeleton prior holds"):
        SkeletonPrior.from_dict(stored | {name: stored[name][1:]})


def test_only_the_strongest_candidates_are_considered():
    """A flood of weak noise neither drowns the spine nor makes the search any larger than the prior allows."""
    rng = np.random.default_rng(7)
    c = make_spine(range(1, 24), rng)
    noise = [ghost(rng.uniform([-30, -90, -350], [30, 90, 90]), 0.12) for _ in range(60)]
    flood = join(c, *noise)
    assert names_of(order(flood), flood)[: len(c)] == list(range(1, 24))
    assert len(order_alone(flood, SkeletonPrior()).lattice.unary) == SkeletonPrior().max_candidates < len(flood)
    assert len(build_lattice(c.take(c.descending()), SkeletonPrior()).unary) == 23
