"""The joint lattice: exact against listing every naming of the candidates of two scans."""

import math
from itertools import combinations, pairwise

import numpy as np
import pytest

from deepspine_sct.labeling.heatmap import Candidates
from deepspine_sct.labeling.joint import HALF_DISC_MM, View, alone, combine, joint_lattice
from deepspine_sct.labeling.lattice import along, best, best_path, through
from deepspine_sct.labeling.movement import MOVED_SD_MM, PLACE_SD_MM, Shift
from deepspine_sct.labeling.prior import SkeletonPrior
from deepspine_sct.labeling.skeleton import name_posterior
from deepspine_sct.labeling.steps import build_lattice

K = 5
PRIOR = SkeletonPrior(
    spacing_mm=(24.0, 15.0, 18.0, 20.0),
    spread=(0.1, 0.15, 0.1, 0.2),
    level_mm=(490.0, 466.0, 451.0, 433.0, 413.0),
    n_scales=3,
)


def random_view(rng, n, top_mm):
    """At most a few scattered candidates of five values."""
    c = Candidates(
        np.column_stack([rng.normal(0, 3, n), rng.normal(0, 8, n), top_mm - np.sort(rng.uniform(0, 60, n))]),
        rng.uniform(0.1, 1, n),
        rng.dirichlet(np.full(K, 0.4), n),
        np.where(rng.random(n) < 0.2, np.nan, rng.uniform(400, 500, n)),
    )
    return View(c, (float(c.xyz_mm[-1, 2]) - 10, float(c.xyz_mm[0, 2]) + 10))


def random_joint(rng):
    """Two views, of which none, one or two candidates are the same disc."""
    views = [random_view(rng, 3, 0.0), random_view(rng, 2, rng.choice([0.0, -40.0]))]
    pairs = [(), ((0, 0),), ((0, 0), (2, 1))][rng.integers(3)]
    shift = Shift(tuple(rng.normal(0, 3, 3)), pairs)
    if pairs:  # what is paired lies at one place
        c = views[1].candidates
        for i, j in pairs:
            c.xyz_mm[j] = views[0].candidates.xyz_mm[i] - shift.by_mm + rng.normal(0, 1, 3)
    return views, combine(alone(views, 0, PRIOR), alone(views, 1, PRIOR), shift, views), shift


def toll(z):
    """Cost of a deviation, from its definition."""
    return PRIOR.knee**2 * (math.sqrt(1 + (z / PRIOR.knee) ** 2) - 1)


def peak(sd, span):
    """Log of a Gaussian's peak against a uniform density."""
    return math.log(span / (sd * math.sqrt(2 * math.pi)))


def score_of_place(views, joint, i, v):
    """What the scans say of value v at a place, and of its being one place."""
    span = max(PRIOR.level_mm) - min(PRIOR.level_mm)
    here = [j for j in (0, 1) if joint.member[i, j] >= 0]
    score = 0.0
    for j in here:
        c, own = views[j].candidates, joint.member[i, j]
        other = views[1 - j].candidates.strength.sum()
        divisor = 1 + PRIOR.correlation * max(c.strength.sum() - 1, 0) + PRIOR.kinship * other
        odds = min(max(c.strength[own], 0.01), 0.99)
        share = c.evidence[own, v - 1] / c.evidence[own].sum()
        share = (1 - PRIOR.evidence_floor) * share + PRIOR.evidence_floor / K
        score += PRIOR.strength_weight * math.log(odds / (1 - odds))
        score += PRIOR.evidence_weight / divisor * math.log(K * share)
        if not math.isnan(c.level_mm[own]):
            z = (c.level_mm[own] - PRIOR.level_mm[v - 1]) / PRIOR.level_sd_mm
            score += PRIOR.level_weight / divisor * (peak(PRIOR.level_sd_mm, span) - toll(z))
        if len(here) == 2:
            for seen, mean in zip((c.xyz_mm[own] + joint.shift_mm[j])[1:], joint.xyz_mm[i, 1:], strict=True):
                score -= toll((seen - mean) / PLACE_SD_MM)
    return score + (peak(math.sqrt(2) * PLACE_SD_MM, PRIOR.reach_mm) if len(here) == 2 else 0)


def score_of_step(views, joint, shift, i, u, k, v, scale):
    """What geometry, and the scans that show both ends, say of a step."""
    step = joint.xyz_mm[k] - joint.xyz_mm[i]
    length = math.sqrt(sum(step**2))
    angle = math.degrees(math.acos(-step[2] / length))
    if angle > PRIOR.max_angle_deg:
        return -math.inf
    common = [j for j in (0, 1) if joint.member[i, j] >= 0 and joint.member[k, j] >= 0]
    tip2, seen = PRIOR.tip_sd_mm**2, 1.0
    if not common:
        if not shift.pairs:
            tip2 += MOVED_SD_MM**2 / 2
        heights = [joint.xyz_mm[i, 2] + t / 40 * step[2] for t in range(41)]
        spans = [np.array(view.span_mm) + by[2] for view, by in zip(views, joint.shift_mm, strict=True)]
        shown = [any(low + HALF_DISC_MM < z < high - HALF_DISC_MM for low, high in spans) for z in heights]
        seen = round(sum(shown) / 41, 1)
    between = range(u - 1, v - 1)
    mean = scale * sum(PRIOR.spacing_mm[b] for b in between)
    sd = math.sqrt(sum((scale * PRIOR.spacing_mm[b] * PRIOR.spread[b]) ** 2 for b in between) + 2 * tip2)
    score = peak(sd, PRIOR.reach_mm) - toll((length - mean) / sd) - toll(angle / PRIOR.angle_sd_deg)
    if v - u > 1:
        score -= seen * (PRIOR.missing_cost + PRIOR.missing_more_cost * (v - u - 2))
    for j in common:
        c, a, b = views[j].candidates, joint.member[i, j], joint.member[k, j]
        shares = c.evidence / c.evidence.sum(axis=1, keepdims=True)
        lag = sum(shares[a, m] * shares[b, m + v - u] for m in range(K - v + u))
        said = math.log(K * ((1 - PRIOR.evidence_floor) * lag + PRIOR.evidence_floor / K))
        apart = c.level_mm[b] - c.level_mm[a]
        if not math.isnan(apart):
            z = (apart - PRIOR.level_mm[v - 1] + PRIOR.level_mm[u - 1]) / PRIOR.apart_sd_mm
            said += peak(PRIOR.apart_sd_mm, max(PRIOR.level_mm) - min(PRIOR.level_mm)) - toll(z)
        score += PRIOR.apart_weight * said / len(common)
    return score


def score_of_turn(joint, i, j, k):
    """What two successive steps say of each other."""
    first, second = joint.xyz_mm[j] - joint.xyz_mm[i], joint.xyz_mm[k] - joint.xyz_mm[j]
    a, b = (math.sqrt(sum(step**2)) for step in (first, second))
    change = math.sqrt(sum((first / a - second / b) ** 2))
    noise = PRIOR.tip_sd_mm**2 * (1 / a**2 + 1 / b**2 + (1 / a + 1 / b) ** 2)
    return -toll(change / math.sqrt(noise + (math.radians(PRIOR.bend_deg_per_mm) * (a + b) / 2) ** 2))


def all_namings(views, joint, shift):
    """{path: (S,) scores} of every naming."""
    scores = {}
    scales = np.geomspace(*PRIOR.scale_range, PRIOR.n_scales)
    for m in range(1, len(joint.xyz_mm) + 1):
        for nodes in combinations(range(len(joint.xyz_mm)), m):
            turns = sum(score_of_turn(joint, *three) for three in zip(nodes, nodes[1:], nodes[2:], strict=False))
            for values in combinations(range(1, K + 1), m):
                path = tuple(zip(nodes, values, strict=True))
                places = sum(score_of_place(views, joint, i, v) for i, v in path)
                scores[path] = np.array([
                    places + turns - 0.5 * (math.log(scale / PRIOR.scale_mean) / PRIOR.scale_sd) ** 2
                    + sum(score_of_step(views, joint, shift, *a, *b, scale) for a, b in pairwise(path))
                    for scale in scales
                ])  # fmt: skip
    return scores


@pytest.mark.parametrize("seed", range(12))
def test_the_best_naming_of_two_scans_and_its_posterior_equal_those_of_listing_every_naming(seed):
    """Whatever discs the scans share, one or none, the joint ordering is exact."""
    views, joint, shift = random_joint(np.random.default_rng(seed))
    scores = all_namings(views, joint, shift)
    chosen = max(scores, key=lambda path: scores[path].max())
    lattice = joint_lattice(joint, views, PRIOR)
    score, path = best_path(lattice, through(lattice, best).forward)
    assert score == pytest.approx(scores[chosen].max(), abs=1e-3)
    assert [(i, v + 1) for i, v in path] == list(chosen)
    assert along(lattice, path) == pytest.approx(scores[chosen], abs=1e-3)
    weight = {path: np.exp(score / PRIOR.temperature).sum() for path, score in scores.items()}
    posterior = [sum(w for path, w in weight.items() if pair in path) / (1 + sum(weight.values())) for pair in chosen]
    found = name_posterior(lattice.tempered(PRIOR.temperature), may_be_empty=True)
    assert [found[i, v - 1] for i, v in chosen] == pytest.approx(posterior, rel=1e-3)


def test_the_lattice_of_one_scan_is_the_one_that_it_has_by_itself():
    """Nothing is added to a scan that is alone."""
    views = [random_view(np.random.default_rng(0), 5, 0.0)]
    joint = joint_lattice(alone(views, 0, PRIOR), views, PRIOR)
    single = build_lattice(views[0].candidates, PRIOR)
    for name in ("unary", "scale", "tail", "head", "link", "turn", "starts", "ends"):
        assert np.array_equal(getattr(joint, name), getattr(single, name)), name


def test_candidates_at_one_place_become_one_in_the_middle():
    """Two scans of three and two candidates that share one have four places, the shared one in between."""
    rng = np.random.default_rng(4)
    views = [random_view(rng, 3, 0.0), random_view(rng, 2, -60.0)]
    shift = Shift((1.0, 2.0, 3.0), ((2, 0),))
    joint = combine(alone(views, 0, PRIOR), alone(views, 1, PRIOR), shift, views)
    one, other = views[0].candidates.xyz_mm, views[1].candidates.xyz_mm + shift.by_mm
    (shared,) = np.flatnonzero((joint.member >= 0).all(axis=1))
    assert len(joint.xyz_mm) == 4 and (np.diff(joint.xyz_mm[:, 2]) <= 0).all()
    assert joint.member[shared].tolist() == [2, 0]
    assert joint.xyz_mm[shared] == pytest.approx((one[2] + other[0]) / 2)
    assert joint.block.tolist() == [0, 0]
