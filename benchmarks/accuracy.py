"""`make accuracy`: score weights on every labelled scan, compare ways to name, check the confidence, draw overlays."""

import argparse
import csv
import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from accuracy_cases import Scan, real_scans, simulated_scans
from baselines import argmax_per_channel, count_from_top, exhaustive_skeleton
from reliability import Pairs, draw_reliability, print_reliability, print_sure, reliability
from tqdm import tqdm

from deepspine_sct.errors import DeepspineError
from deepspine_sct.evaluation.metrics import CaseScore, confidence_interval, score_case, summarise
from deepspine_sct.labeling.discs import Labeling
from deepspine_sct.labeling.heatmap import find_candidates
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.labeling.settings import DEFAULTS
from deepspine_sct.pictures.overlay import draw_overlay
from deepspine_sct.simulation.atlas import build_atlas

FAILED = 3  # missed discs from which on a simulated scan is pictured
METHODS = ("ours", "argmax per channel", "count from the top", "exhaustive skeleton")


def score_scan(predictor: Predictor, scan: Scan, slow: bool) -> tuple[dict[str, CaseScore], dict]:
    """Label one scan in every way; return the scores and the confidences of our way."""
    try:
        result = predictor.predict(scan.volume)
    except DeepspineError as error:  # a scan that is refused has lost all of its discs
        refused = {"labeling": Labeling(warnings=[str(error)]), "discs": [], "levels": None}
        return dict.fromkeys(METHODS, score_case({}, scan.truth)), refused
    candidates = find_candidates(result.prediction, DEFAULTS.threshold)
    points = {
        "ours": result.labeling.points,
        "argmax per channel": argmax_per_channel(candidates),
        "count from the top": count_from_top(candidates),
    }
    if slow:
        points["exhaustive skeleton"] = exhaustive_skeleton(candidates, limit_s=2.0)
    scores = {
        name: score_case(_judged(found, scan), scan.truth, span_only=not scan.complete)
        for name, found in points.items()
    }
    wrong = set(scores["ours"].false)
    seen = [v for v in result.labeling.points if v in scores["ours"].found or v in wrong]
    confidence = {d.value: d.confidence for d in result.labeling.discs}
    return scores, {
        "labeling": result.labeling,
        "discs": [(confidence[v], v not in wrong) for v in seen],
        "levels": (result.labeling.level_confidence, not _mostly_misnamed(scores["ours"])),
    }


def _judged(found: dict[int, np.ndarray], scan: Scan) -> dict[int, np.ndarray]:
    """Drop the discs that lie rightly where noise hides them."""
    return {v: xyz for v, xyz in found.items() if v not in scan.hidden or np.linalg.norm(xyz - scan.hidden[v]) > 5.0}


def _mostly_misnamed(score: CaseScore) -> bool:
    return len(score.off_level) > len(score.found)


def print_table(scores: dict[str, dict[str, list[CaseScore]]]) -> None:
    """Print one line a group: ours, with a bootstrap interval."""
    print(f"\n{'group':52} {'n':>4} {'discs':>5} {'id. rate':>8} {'95 % interval':>14} {'mean':>6} {'p95':>6} "
          f"{'missed':>6} {'false':>5} {'shifted':>7} {'all right':>9}")  # fmt: skip
    for group, methods in scores.items():
        cases = methods["ours"]
        s = summarise(cases)
        right = [mm for case in cases for v, mm in case.distance_mm.items() if v in case.found] or [np.nan]
        low, high = confidence_interval(cases, n_resamples=300)
        print(f"{group:52} {s['n_images']:4d} {s['n_discs']:5d} {s['identification_rate']:8.1%} "
              f"{low:6.1%} {high:6.1%}  {np.mean(right):6.2f} {np.percentile(right, 95):6.2f} {s['missed']:6d} "
              f"{s['false']:5d} {s['images_shifted']:7.1%} {s['images_all_right']:9.1%}")  # fmt: skip
    print("mean, p95: distance [mm] of the discs that carry their own label within 5 mm")


def print_methods(scores: dict[str, dict[str, list[CaseScore]]]) -> None:
    """Print the identification rate of every way to name the same detections."""
    print(f"\n{'identification rate on the same detections':52} " + "".join(f"{m:>22}" for m in METHODS))
    for group, methods in scores.items():
        rates = [summarise(methods[m])["identification_rate"] if methods.get(m) else np.nan for m in METHODS]
        print(f"{group:52} " + "".join(f"{rate:22.1%}" for rate in rates))


def check_confidence(said: dict[str, dict[str, Pairs]], folder: Path) -> dict:
    """Print and draw what confidence is worth, on the evaluation sites and at every coverage."""
    found = {kind: {what: reliability(pairs) for what, pairs in of.items() if pairs} for kind, of in said.items()}
    for kind in ("simulated, all", *(k for k in found if "evaluation" in k)):
        for what, result in found.get(kind, {}).items():
            print_reliability(f"Confidence of {what}, {kind}", result)
    judged = {k: found[k] for k in sorted(found) if "simulated" in k or "evaluation" in k}
    print_sure({f"{what}, {kind}": f[what] for what in ("discs", "levels") for kind, f in judged.items() if what in f})
    draw_reliability(
        folder / "reliability.png",
        {k.replace(" of the spine", ""): f["discs"] for k, f in judged.items()},
    )
    return found


def main() -> int:
    """Run everything and write ``-o``: scores.csv, summary.json, and an overlay of every real scan and of failures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-data", type=Path, default=Path("../shared/real"), help="real scans and templates")
    parser.add_argument("-model", type=Path, help="checkpoint; default: the shipped one")
    parser.add_argument("-o", type=Path, default=Path("accuracy_out"), help="output folder")
    parser.add_argument("-n", type=int, default=60, help="simulated spines")
    parser.add_argument("-first", type=int, default=0, help="number of the first one; others are other spines")
    parser.add_argument("-overlays", type=int, default=1, choices=(0, 1), help="draw the overlays")
    args = parser.parse_args()
    if not args.data.is_dir():
        print(
            f"accuracy: {args.data}: no such folder; give the real scans with -data",
            file=sys.stderr,
        )
        return 1
    predictor = Predictor.load(args.model)
    (args.o / "overlays").mkdir(parents=True, exist_ok=True)
    scans = list(real_scans(args.data))
    if args.n:
        atlas = build_atlas(args.data / "pam50", args.data / "head" / "icbm152_t1.nii.gz")
        scans += simulated_scans(atlas, args.n, args.first)
    scores: dict = defaultdict(lambda: defaultdict(list))
    said: dict = defaultdict(lambda: {"discs": [], "levels": []})
    rows = []
    for scan in tqdm(scans, disable=None):
        cases, said_here = score_scan(predictor, scan, slow=not scan.complete)
        for method, case in cases.items():
            scores[scan.group][method].append(case)
        for kind in (scan.group.partition(", with")[0].partition(", no end")[0], *["simulated, all"] * scan.complete):
            said[kind]["discs"] += said_here["discs"]
            said[kind]["levels"] += [said_here["levels"]] if said_here["levels"] else []
        labeling = said_here["labeling"]
        rows.append({"scan": scan.name, "group": scan.group, "found": len(cases["ours"].found),
                     "missed": len(cases["ours"].missed), "false": len(cases["ours"].false),
                     "shift": cases["ours"].shift,
                     "level_confidence": f"{labeling.level_confidence:.3f}",
                     "warnings": " ".join(labeling.warnings)})  # fmt: skip
        if args.overlays and (not scan.complete or len(cases["ours"].missed) >= FAILED):
            draw_overlay(args.o / "overlays" / f"{scan.name}.png", scan.volume, labeling.discs, scan.truth, scan.name)
    print_table(scores)
    print_methods({g: m for g, m in scores.items() if g.startswith("real")})
    summary = {g: summarise(m["ours"]) for g, m in scores.items()}
    summary["confidence"] = check_confidence(said, args.o)
    (args.o / "summary.json").write_text(json.dumps(summary, indent=1))
    with (args.o / "scores.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
