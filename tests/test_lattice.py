"""The lattice: maxima and sums over paths equal those of listing every path."""

from itertools import combinations

import numpy as np
import pytest

from deepspine_sct.labeling.lattice import Lattice, best, best_path, sweep, through, total


def _random_lattice(rng, n, k, s):
    """A lattice with a fifth of the steps missing, values forbidden here and there, ends closed."""
    tail, head = np.triu_indices(n, 1)
    kept = rng.random(len(tail)) < 0.8
    tail, head = tail[kept], head[kept]
    link = rng.normal(0, 2, (len(tail), s, k, k))
    link[:, :, ~np.triu(np.ones((k, k), dtype=bool), 1)] = -np.inf
    unary = rng.normal(0, 2, (n, k))
    unary[rng.random((n, k)) < 0.15] = -np.inf
    return Lattice(
        unary=unary,
        scale=rng.normal(0, 1, s),
        tail=tail,
        head=head,
        link=link,
        turn=rng.normal(0, 2, (len(tail), len(tail))),
        starts=rng.random(n) < 0.8,
        ends=rng.random(n) < 0.8,
        first=np.zeros(n, dtype=int),
    )


def _all_paths(lattice):
    """Every path and its score at each scale, one by one: {((i, v), ...): (S,) scores}."""
    n, k = lattice.unary.shape
    steps = {(t, h): e for e, (t, h) in enumerate(zip(lattice.tail, lattice.head, strict=True))}
    scores = {}
    for m in range(1, min(n, k) + 1):
        for nodes in combinations(range(n), m):
            pairs = list(zip(nodes, nodes[1:], strict=False))
            if not (lattice.starts[nodes[0]] and lattice.ends[nodes[-1]]):
                continue
            if any(pair not in steps for pair in pairs):
                continue
            taken = [steps[pair] for pair in pairs]
            for values in combinations(range(k), m):
                score = lattice.scale.copy()
                score += sum(lattice.unary[i, v] for i, v in zip(nodes, values, strict=True))
                for e, u, v in zip(taken, values, values[1:], strict=False):
                    score += lattice.link[e, :, u, v]
                score += sum(lattice.turn[e, f] for e, f in zip(taken, taken[1:], strict=False))
                scores[tuple(zip(nodes, values, strict=True))] = score
    return scores


@pytest.mark.parametrize("seed", range(30))
def test_maxima_and_sums_equal_those_over_all_paths_listed(seed):
    """Max-marginals, marginals, the total and the best path are those of brute force."""
    rng = np.random.default_rng(seed)
    lattice = _random_lattice(rng, n=rng.integers(1, 6), k=rng.integers(3, 6), s=rng.integers(1, 4))
    scores = _all_paths(lattice)
    best_by_hand = np.full((*lattice.unary.shape, len(lattice.scale)), -np.inf)
    sum_by_hand = np.zeros_like(best_by_hand)
    for path, score in scores.items():
        for i, v in path:
            best_by_hand[i, v] = np.maximum(best_by_hand[i, v], score)
            sum_by_hand[i, v] += np.exp(score)

    maxima, sums = through(lattice, best), through(lattice, total)
    forward = maxima.forward
    np.testing.assert_allclose(maxima.places.swapaxes(1, 2), best_by_hand, atol=1e-9)
    np.testing.assert_allclose(np.exp(sums.places).swapaxes(1, 2), sum_by_hand, rtol=1e-9, atol=1e-12)
    everything = np.exp(sums.forward.at[lattice.ends]).sum()
    assert everything == pytest.approx(sum(np.exp(score).sum() for score in scores.values()))

    score, path = best_path(lattice, forward)
    best_score = max((s.max() for s in scores.values()), default=-np.inf)
    assert score == pytest.approx(best_score)
    if np.isfinite(best_score):
        assert scores[tuple(path)].max() == pytest.approx(score)


@pytest.mark.parametrize("seed", range(10))
def test_maxima_over_steps_and_ends_equal_those_over_all_paths_listed(seed):
    """Each step, and each first and last candidate, has the score of the best path that takes it."""
    rng = np.random.default_rng(seed)
    lattice = _random_lattice(rng, n=rng.integers(2, 6), k=rng.integers(3, 6), s=rng.integers(1, 4))
    found = through(lattice, best)
    starts, ends = (np.full((*lattice.unary.shape, len(lattice.scale)), -np.inf) for _ in range(2))
    steps = {step: np.full((lattice.unary.shape[1], len(lattice.scale)), -np.inf) for step in _steps(lattice)}
    for path, score in _all_paths(lattice).items():
        starts[path[0]] = np.maximum(starts[path[0]], score)
        ends[path[-1]] = np.maximum(ends[path[-1]], score)
        for (tail, _), (head, v) in zip(path, path[1:], strict=False):
            steps[tail, head][v] = np.maximum(steps[tail, head][v], score)
    np.testing.assert_allclose(found.starts.swapaxes(1, 2), starts, atol=1e-9)
    np.testing.assert_allclose(found.ends.swapaxes(1, 2), ends, atol=1e-9)
    for e, step in enumerate(_steps(lattice)):
        np.testing.assert_allclose(found.steps[e].T, steps[step], atol=1e-9)


def _steps(lattice):
    return list(zip(lattice.tail.tolist(), lattice.head.tolist(), strict=True))


def test_mirrored_lattice_holds_the_same_paths_backwards():
    """Walking from the end gives the same best score, up to the score of the scale."""
    lattice = _random_lattice(np.random.default_rng(5), n=5, k=4, s=1)
    mirror = lattice.mirrored()
    score, path = best_path(lattice, sweep(lattice, best))
    back_score, back_path = best_path(mirror, sweep(mirror, best))
    assert back_score + lattice.scale[0] == pytest.approx(score)
    assert [(4 - i, v) for i, v in reversed(back_path)] == path
