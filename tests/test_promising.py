"""The promising part of a lattice: nothing that counts is left out, and what is left out counts for nothing."""

import numpy as np
import pytest

from benchmarks.acceptance.session_made_up import make_body, make_view
from deepspine_sct.labeling.lattice import along, best, best_path, through
from deepspine_sct.labeling.prior import SkeletonPrior
from deepspine_sct.labeling.promising import WITHIN_NATS, narrowed, promising
from deepspine_sct.labeling.skeleton import name_posterior, order_alone, posterior_of_part
from deepspine_sct.labeling.steps import build_lattice

PRIOR = SkeletonPrior()
K = len(PRIOR.level_mm)


def lattice_of(seed):
    """The lattice of a made-up scan with names between two levels and some ghosts, its bounds and its part."""
    rng = np.random.default_rng(seed)
    view = make_view(make_body(rng), range(5, 5 + rng.integers(2, 10)), rng, mix=rng.uniform(0, 0.6), ghosts=3)
    lattice = build_lattice(view.candidates.take(view.candidates.descending()), PRIOR)
    bounds = through(lattice, best)
    return lattice, bounds, promising(lattice, bounds, best_path(lattice, bounds.forward)[0], K)


@pytest.mark.parametrize("seed", range(10))
def test_the_probabilities_of_the_part_are_those_of_the_whole(seed):
    """Leaving out what is far from the best path changes no probability by more than one in a million."""
    lattice, _, part = lattice_of(seed)
    whole = name_posterior(lattice.tempered(PRIOR.temperature), may_be_empty=True)
    assert posterior_of_part(lattice, part, PRIOR) == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_the_part_has_the_best_path_with_its_score(seed):
    """The best path of the narrow lattice is that of the whole one, which scores it alike."""
    lattice, bounds, part = lattice_of(seed)
    small, nodes = narrowed(lattice, part)
    score, path = best_path(small, through(small, best).forward)
    whole_score, whole_path = best_path(lattice, bounds.forward)
    assert [(nodes[i], v) for i, v in path] == whole_path
    assert score == pytest.approx(whole_score, abs=1e-4)
    assert along(small, path) == pytest.approx(along(lattice, whole_path)[part.scales], abs=1e-4)


@pytest.mark.parametrize("seed", range(10))
def test_random_paths_that_come_near_lie_in_the_part(seed):
    """Whatever names are shifted or discs left out of the best path: if the score stays near, all of it is kept."""
    lattice, bounds, part = lattice_of(seed)
    top, path = best_path(lattice, bounds.forward)
    rng, near = np.random.default_rng(seed), 0
    for _ in range(300):
        shift, kept = rng.integers(-3, 4), rng.random(len(path)) < 0.8
        other = [(i, v + shift) for (i, v), keep in zip(path, kept, strict=True) if keep and 0 <= v + shift < K]
        if other and along(lattice, other).max() > top - WITHIN_NATS + 1e-3:
            near += 1
            assert all(part.values[i, v] for i, v in other)
            assert all(part.steps[i, j] for (i, _), (j, _) in zip(other, other[1:], strict=False))
            assert part.starts[other[0][0]] and part.ends[other[-1][0]]
            assert part.scales[along(lattice, other).argmax()]
    assert near


def test_a_scan_without_candidates_has_an_empty_part():
    """No candidate, no value, no step, and no disc."""
    rng = np.random.default_rng(0)
    view = make_view(make_body(rng), range(3, 9), rng)
    alone = order_alone(view.candidates.take(np.zeros(0, dtype=int)), PRIOR)
    assert alone.labeling.discs == [] and alone.reading.part.values.shape == (0, K)
