"""Are the names right on real scans? Every development scan as it is and under stress, through the whole pipeline.

``python -m benchmarks.acceptance.real_scans -cases 'lumbar*' -subjects spider005 -json out.json -sheet folder``

Subjects that trained count for nothing. ``-unseen 0`` leaves the lumbar subjects that the installed network never saw;
``-cross RUN`` lets every network of a training with -folds label those that it never saw, and pools the table.
"""

import argparse
import json
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.acceptance.real_cases import GROUPS, CaseKey, deal_out, make, select
from benchmarks.acceptance.real_score import RealScore, score
from benchmarks.acceptance.real_sources import RealScan
from benchmarks.sources import PLACING_MM, REAL
from deepspine_sct.errors import DeepspineError
from deepspine_sct.evaluation.intervals import wilson_interval
from deepspine_sct.labeling.confidence import SURE
from deepspine_sct.labeling.discs import Labeling
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.model.checkpoint import load_checkpoint

HEADER = f"""
{"":20}|{"images: every name right":^38}|{"right or":^8}|{"level > 0.90":^17}|{"discs":^36}|{"disc > 0.90":^12}|
{"group":20}|{"n":>4} {"right":>5} {"share":>6} {"95 % interval":>14} {"<5mm":>5}|{"doubted":>8}|\
{"n":>4} {"misn.":>5} {"wrong":>6}|{"n":>5} {"named":>6} {"<5mm":>6} {"seen":>6} {"mean":>5} {"false":>5}|\
{"n":>5} {"wrong":>6}|"""
LEGEND = """\
right: every disc named and nothing else said; doubted: level below 0.5; misn.: some disc has another one's name;
wrong: not right throughout; named: nearest to its own place, within 10 mm; seen: whatever its name;
mean: distance of the named ones [mm]"""

AT_ONCE = 8  # cases that a process is given at a time, mostly of one scan


@dataclass(frozen=True)
class Outcome:
    """A case, what was found in it, and what that is worth."""

    key: CaseKey
    labeling: Labeling
    score: RealScore
    truth: dict[int, np.ndarray]
    refused: str = ""


class Job:
    """Runs cases, in this or in another process; the network is loaded by the first one."""

    def __init__(self, data: Path, model: Path | None):
        self.data, self.model = data, model
        self._predictor: Predictor | None = None

    def __call__(self, key: CaseKey) -> Outcome:
        """Make a case, label it and score it."""
        self._predictor = self._predictor or Predictor.load(self.model, device="cpu")
        scan: RealScan = make(self.data, key)
        labeling, refused = Labeling(), ""
        try:
            labeling = self._predictor.predict(scan.volume).labeling
        except DeepspineError as error:
            refused = str(error)
        return Outcome(key, labeling, score(labeling, scan.truth, scan.edge), scan.truth, refused)

    def many(self, keys: Sequence[CaseKey]) -> list[Outcome]:
        """Run several cases."""
        return [self(key) for key in keys]


def run_all(job: Job, keys: Sequence[CaseKey], n_jobs: int) -> list[Outcome]:
    """Run all cases; with several jobs in as many processes, each with one thread."""
    parts = [keys[i : i + AT_ONCE] for i in range(0, len(keys), AT_ONCE)]
    with tqdm(total=len(keys), unit="case", disable=None) as bar:
        outcomes: list[Outcome] = []
        if n_jobs == 1:
            for key in keys:
                outcomes.append(job(key))
                bar.update()
            return outcomes
        os.environ["OMP_NUM_THREADS"] = "1"  # read by the children
        with ProcessPoolExecutor(n_jobs, get_context("spawn"), _keep, (job,)) as pool:
            for part in pool.map(_run_kept, parts):
                outcomes += part
                bar.update(len(part))
    return outcomes


def _keep(job: Job) -> None:
    """Keep the job of this process, with its network, between the parts."""
    _run_kept.job = job


def _run_kept(keys: Sequence[CaseKey]) -> list[Outcome]:
    return _run_kept.job.many(keys)


def network_of_fold(run: Path, fold: int) -> Path:
    """Return the network of a training with ``-folds`` that never saw a fold: the best one, or else the last."""
    folder = run / f"fold_{fold}"
    folder = folder if folder.exists() else run  # where the first fold of ``-folds`` is
    best = folder / "best.safetensors"
    return best if best.exists() else folder / "network.safetensors"


def seen_in_training(network: Path, keys: Sequence[CaseKey]) -> list[str]:
    """List the lumbar subjects among some cases that a network of ``-folds`` did learn from."""
    unseen = load_checkpoint(network)[1]["training"]["never_seen"]
    names = {key.name for key in keys if GROUPS[key.group][0] == "lumbar"}
    return sorted(names.difference(unseen))


def print_table(outcomes: Sequence[Outcome]) -> None:
    """Print one line per group, then the scans that are not right throughout."""
    of_group: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        of_group[outcome.key.group].append(outcome)
    print(HEADER)
    for group in (g for g in GROUPS if g in of_group):
        print(_line(group, [o.score for o in of_group[group]]))
    print(LEGEND)
    print("\nnot right:")
    for group in (g for g in GROUPS if g in of_group):
        wrong = [f"{o.key.name.removeprefix('spider')} {o.labeling.level_confidence:.2f}" for o in of_group[group]
                 if not o.score.all_named]  # fmt: skip
        if wrong:
            print(f"{group:20} {', '.join(wrong)}")


def _line(group: str, scores: Sequence[RealScore]) -> str:
    n, n_right = len(scores), sum(s.all_named for s in scores)
    low, high = wilson_interval(n_right, n)
    sure = [s for s in scores if s.sure]
    n_discs = max(sum(len(s.truth) for s in scores), 1)
    distances = [mm for s in scores for mm in s.distance_mm.values()]
    near = sum(mm <= PLACING_MM for mm in distances)
    said = [right for s in scores for _, confidence, right in s.said if confidence > SURE]
    return (
        f"{group:20}|{n:4d} {n_right:5d} {n_right / n:6.1%} {low:6.1%} {high:6.1%}  "
        f"{sum(s.all_placed for s in scores):5d}|{sum(s.right_or_doubted for s in scores) / n:8.1%}|"
        f"{len(sure):4d} {sum(bool(s.off_level) for s in sure):5d} {sum(not s.all_named for s in sure):6d}|"
        f"{n_discs:5d} {len(distances) / n_discs:6.1%} {near / n_discs:6.1%} "
        f"{sum(len(s.seen) for s in scores) / n_discs:6.1%} {np.mean(distances) if distances else np.nan:5.2f} "
        f"{sum(len(s.off_level) + len(s.ghost) for s in scores):5d}|{len(said):5d} {said.count(False):6d}|"
    )


def as_record(outcome: Outcome) -> dict:
    """Describe a case for a JSON file; infinite margins become null."""
    labeling, worth = outcome.labeling, outcome.score
    return {
        "case": outcome.key.group,
        "subject": outcome.key.name,
        "truth": {value: np.round(xyz_mm, 2).tolist() for value, xyz_mm in outcome.truth.items()},
        "discs": [
            {"value": disc.value, "xyz_mm": np.round(disc.xyz_mm, 2).tolist(), "confidence": disc.confidence}
            for disc in labeling.discs
        ],
        "level_confidence": labeling.level_confidence,
        "level_margin": labeling.level_margin if np.isfinite(labeling.level_margin) else None,
        "fit": labeling.fit,
        "score": labeling.score,
        "warnings": [str(warning) for warning in labeling.warnings],
        "refused": outcome.refused,
        "all_named": worth.all_named,
        "off_level": worth.off_level,
        "ghost": worth.ghost,
        "missed": [value for value in worth.truth if value not in worth.distance_mm],
        "right": {value: right for value, _, right in worth.said},
    }


def main() -> int:
    """Run the cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-data", type=Path, default=REAL, help="real scans")
    parser.add_argument(
        "-model", type=Path, nargs="*", default=[None], help="checkpoints or exports; default: the shipped"
    )
    parser.add_argument("-cases", default="", help=f"patterns, separated by commas, of: {', '.join(GROUPS)}")
    parser.add_argument("-subjects", nargs="*", default=[], help="patterns of the scans' names, such as spider0*")
    either = parser.add_mutually_exclusive_group()
    either.add_argument("-unseen", type=int, metavar="fold", help="of the lumbar subjects only those of this fold")
    either.add_argument(
        "-cross", type=Path, metavar="folder", help="output of a training with -folds, in place of -model"
    )
    parser.add_argument("-jobs", type=int, default=2, help="processes")
    parser.add_argument("-json", type=Path, help="write every case, for each model in turn")
    parser.add_argument("-sheet", type=Path, help="folder for contact sheets of all cases")
    args = parser.parse_args()
    keys = select(args.data, [p for p in args.cases.split(",") if p], args.subjects)
    if not keys:
        print(f"real_scans: no case matches; see -cases, -subjects, and -data {args.data}", file=sys.stderr)
        return 1
    dealt = deal_out(args.data, keys)
    if args.unseen is not None:
        seen = {key for fold, of in dealt.items() if fold != args.unseen for key in of}
        keys = [key for key in keys if key not in seen or GROUPS[key.group][0] != "lumbar"]
    records = []
    for model in [args.cross] if args.cross else args.model or [None]:
        parts = {network_of_fold(model, fold): of for fold, of in dealt.items()} if args.cross else {model: keys}
        for network, of in parts.items() if args.cross else ():
            if seen := seen_in_training(network, of):
                print(f"real_scans: {network}: learnt from {', '.join(seen)}; train with -folds", file=sys.stderr)
                return 1
        outcomes = [o for network, of in parts.items() for o in run_all(Job(args.data, network), of, args.jobs)]
        print(f"\n{model or 'the shipped weights'}")
        print_table(outcomes)
        records += [{"model": str(model or "shipped"), **as_record(outcome)} for outcome in outcomes]
        if args.json:
            args.json.write_text(json.dumps(records, indent=1))
        if args.sheet:
            from benchmarks.acceptance.real_sheet import write_sheets

            name = "_".join(model.with_suffix("").parts[-2:]) if model else "shipped"
            write_sheets(args.sheet / name, args.data, outcomes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
