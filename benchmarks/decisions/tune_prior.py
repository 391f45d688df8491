"""Tune the ordering prior on training sites and simulated spines, and put it into the checkpoint.

Never sees an evaluation-only site or subject: the cases are augmented windows of training-site slices and of the lumbar
subjects that train, and simulated windows of many sizes that end in those subjects' spines, drawn with seeds of their
own. What is minimised is the mean negative log of the confidence that was given
to the truth, per disc and per level assignment, plus the share of wrong discs.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from benchmarks.sources import REAL
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.volume import Volume
from deepspine_sct.labeling.heatmap import Candidates, find_candidates
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.labeling.prior import SkeletonPrior
from deepspine_sct.labeling.skeleton import order
from deepspine_sct.simulation.atlas import build_atlas
from deepspine_sct.simulation.lower_spine import is_usable, straighten
from deepspine_sct.simulation.lumbar import load_subjects
from deepspine_sct.simulation.simulator import Case, simulate
from deepspine_sct.training.folds import SHIPPED, deal
from deepspine_sct.training.prepared_slices import soften, stack_subject
from deepspine_sct.training.real import augment, load_slices

SEED = 10_000
NEAR_MM = 6.0
SHAPES = ((160, 128), (96, 96), (352, 112), (200, 96), (64, 96))
LUMBAR_SHAPES = ((128, 128), (80, 96))  # with the sacrum, mostly; and more often without
RANGES = {
    "evidence_weight": (0.2, 1.5), "level_weight": (0.05, 1.5), "level_sd_mm": (5, 25), "correlation": (0.02, 0.8),
    "apart_weight": (0.0, 1.2), "apart_sd_mm": (5, 25), "missing_cost": (1, 6), "missing_more_cost": (0.3, 3),
    "reach_mm": (40, 500), "strength_weight": (0.4, 2.0), "evidence_floor": (0.003, 0.1), "angle_sd_deg": (15, 40),
    "bend_deg_per_mm": (0.3, 1.2), "tip_sd_mm": (0.8, 3.0), "knee": (1.5, 6.0), "spread": (0.05, 0.16),
    "scale_sd": (0.08, 0.2), "scale_mean": (0.85, 1.0), "temperature": (0.8, 2.5),
}  # fmt: skip


class Example(NamedTuple):
    """Candidates of one image and the disc value that each really is (0 = none; -1 = nobody knows)."""

    candidates: Candidates
    values: np.ndarray
    n_true: int


def examples(predictor: Predictor, data: Path, n_real: int, n_simulated: int) -> list[Example]:
    """Draw the cases, half of the real ones lumbar, and run the network on them."""
    atlas = build_atlas(data)
    slices = load_slices(data / "slices", evaluation=False)
    subjects = load_subjects(data / "lumbar")
    folds = deal(subject.name for subject in subjects)
    subjects = [subject for subject in subjects if folds[subject.name] != SHIPPED]
    stacks = [stack_subject(subject) for subject in subjects]
    lower = [straighten(subject) for subject in subjects if is_usable(subject)]
    found = []
    for i in tqdm(range(n_real + n_simulated), disable=None):
        rng = np.random.default_rng([SEED, i])
        shape = SHAPES[i % len(SHAPES)]
        if i >= n_real:
            case = simulate(rng, atlas, shape, off_middle=False, lower=lower)
        elif i % 2:
            stack = stacks[rng.integers(len(stacks))]
            case = augment(rng, stack.slices[stack.middle], LUMBAR_SHAPES[i // 2 % len(LUMBAR_SHAPES)], 2.0)
            case = soften(case, stack.presence[stack.middle])
        else:
            pool = [s for s in slices if s.contrast == ("T1w", "T2w")[i // 2 % 2]]
            case = augment(rng, pool[rng.integers(len(pool))], SHAPES[i // 2 % 2], 2.0)
        found.append(_example(predictor, case))
    return [example for example in found if example.n_true]


def _example(predictor: Predictor, case: Case) -> Example:
    volume = Volume(case.image[None], Grid.sagittal((1, *case.image.shape), (5, 2, 2)))
    candidates = find_candidates(predictor.look_at_slabs(volume).prediction, predictor.settings.threshold)
    rc = volume.grid.to_index(candidates.xyz_mm)[:, 1:]
    present = case.presence > 0.5
    tips = np.where(present[:, None], case.tips_rc, np.inf)
    away_mm = 2 * np.linalg.norm(rc[:, None] - tips[None], axis=-1)
    values = np.where(away_mm.min(1, initial=np.inf) < NEAR_MM, away_mm.argmin(1) + 1 if len(rc) else 0, 0)
    row, col = np.rint(rc).astype(int).clip(0, np.array(case.known.shape) - 1).T
    return Example(candidates, np.where(case.known[row, col] | (values > 0), values, -1), int(present.sum()))


def cost(prior: SkeletonPrior, cases: list[Example]) -> tuple[float, dict[str, float]]:
    """Score a prior; lower is better."""
    disc_nll, level_nll, wrong, right, true = [], [], 0, 0, 0
    for case in cases:
        labeling = order(case.candidates, prior)
        place = {tuple(xyz): value for xyz, value in zip(case.candidates.xyz_mm, case.values, strict=True)}
        truth = [(disc, place[tuple(disc.xyz_mm)]) for disc in labeling.discs]
        truth = [(disc, value) for disc, value in truth if value >= 0]
        good = [disc.value == value for disc, value in truth]
        disc_nll += [_nll(disc.confidence, ok) for (disc, _), ok in zip(truth, good, strict=True)]
        if good:
            level_nll.append(_nll(labeling.level_confidence, np.mean(good) > 0.5))
        wrong += len(good) - sum(good)
        right += sum(good)
        true += case.n_true
    parts = {"disc_nll": float(np.mean(disc_nll)), "level_nll": float(np.mean(level_nll)),
             "right": right / true, "wrong": wrong / true}  # fmt: skip
    return parts["disc_nll"] + 0.5 * parts["level_nll"] + 2 * parts["wrong"] - 2 * parts["right"], parts


def _nll(confidence: float, right: bool) -> float:
    p = float(np.clip(confidence, 0.002, 0.998))
    return -np.log(p if right else 1 - p)


def search(cases: list[Example], start: SkeletonPrior, n: int, seed: int = 0) -> SkeletonPrior:
    """Random search: change one to three numbers of the best prior so far, keep what helps."""
    rng = np.random.default_rng(seed)
    best, (lowest, parts) = start, cost(start, cases)
    print(f"start: {lowest:.4f} {parts}", flush=True)
    for i in range(n):
        names = rng.choice(list(RANGES), rng.integers(1, 4), replace=False)
        trial = replace(best, **{str(name): _draw(rng, best, str(name)) for name in names})
        value, parts = cost(trial, cases)
        if value < lowest:
            best, lowest = trial, value
            print(f"{i}: {lowest:.4f} {', '.join(names)} {parts}", flush=True)
    return best


def _draw(rng, prior: SkeletonPrior, name: str):
    low, high = RANGES[name]
    old = prior.spread[0] if name == "spread" else getattr(prior, name)
    new = rng.uniform(low, high) if rng.random() < 0.4 else np.clip(old * np.exp(rng.normal(0, 0.25)), low, high)
    new = float(f"{new:.3g}")
    return (new,) * len(prior.spread) if name == "spread" else new


def main() -> int:
    """Tune, and write the checkpoint again with the prior in its description."""
    from deepspine_sct.model.checkpoint import load_checkpoint, save_checkpoint

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-model", type=Path, required=True)
    parser.add_argument("-o", type=Path, required=True)
    parser.add_argument("-data", type=Path, default=REAL)
    parser.add_argument("-n", type=int, default=150, help="trials")
    parser.add_argument("-real", type=int, default=100)
    parser.add_argument("-simulated", type=int, default=150)
    args = parser.parse_args()
    predictor = Predictor.load(args.model)
    best = search(examples(predictor, args.data, args.real, args.simulated), predictor.prior, args.n)
    network, description = load_checkpoint(args.model)
    save_checkpoint(args.o, network, description | {"prior": best.to_dict()})
    print(best)
    return 0


if __name__ == "__main__":
    sys.exit(main())
