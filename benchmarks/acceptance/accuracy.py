"""`make accuracy`: score weights on every labelled scan, compare ways to name, check the confidence, draw overlays."""

import argparse
import csv
import json
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from benchmarks.acceptance.accuracy_cases import Scan, lumbar_scans, real_scans, simulated_scans, unseen_lower_spines
from benchmarks.acceptance.baselines import argmax_per_channel, count_from_top, exhaustive_skeleton
from benchmarks.acceptance.reliability import Pairs, draw_reliability, print_reliability, print_sure, reliability
from benchmarks.sources import DOUBTED, REAL
from deepspine_sct.errors import DeepspineError
from deepspine_sct.evaluation.intervals import confidence_interval, wilson_interval
from deepspine_sct.evaluation.metrics import CaseScore, score_case, summarise
from deepspine_sct.labeling.confidence import SURE
from deepspine_sct.labeling.discs import Labeling
from deepspine_sct.labeling.heatmap import find_candidates
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.labeling.settings import DEFAULTS
from deepspine_sct.pictures.overlay import draw_overlay
from deepspine_sct.simulation.atlas import build_atlas

FAILED = 3  # missed discs from which on a simulated scan is pictured
REGIONS = {8: "neck", 19: "thoracic", 25: "lumbar"}  # by their last disc
HEAD_IN_VIEW = 3  # a scan that shows C2/C3 can be counted from the head
METHODS = ("ours", "argmax per channel", "count from the top", "exhaustive skeleton")


def score_scan(predictor: Predictor, scan: Scan, slow: bool) -> tuple[dict[str, CaseScore], dict]:
    """Label one scan in every way; return the scores and the confidences of our way."""
    try:
        result = predictor.predict(scan.volume)
    except DeepspineError as error:  # a scan that is refused has lost all of its discs
        refused = {"labeling": Labeling(warnings=[str(error)]), "discs": {}, "levels": None}
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
    ours = scores["ours"]
    wrong = {*ours.misnamed, *ours.stray}  # a name is right or wrong; how well it is placed, the millimetres tell
    seen = [v for v in result.labeling.points if v in ours.named or v in wrong]
    confidence = {d.value: d.confidence for d in result.labeling.discs}
    return scores, {
        "labeling": result.labeling,
        "discs": {v: (confidence[v], v not in wrong) for v in seen},
        "levels": (result.labeling.level_confidence, not ours.misnamed),
    }


def _judged(found: dict[int, np.ndarray], scan: Scan) -> dict[int, np.ndarray]:
    """Drop the discs that lie rightly where noise hides them."""
    return {v: xyz for v, xyz in found.items() if v not in scan.hidden or np.linalg.norm(xyz - scan.hidden[v]) > 5.0}


def region_of(value: int) -> str:
    """Name the region of the spine that a disc belongs to."""
    return next(name for last, name in REGIONS.items() if value <= last)


def ends_in_view(truth: dict[int, np.ndarray]) -> str:
    """Say from which end of the spine its discs can be counted."""
    head, sacrum = min(truth, default=26) <= HEAD_IN_VIEW, 25 in truth
    return {(True, True): "both ends in view", (True, False): "the head's end in view",
            (False, True): "the sacrum in view"}.get((head, sacrum), "neither end in view")  # fmt: skip


def print_table(scores: dict[str, dict[str, list[CaseScore]]]) -> None:
    """Print one line per group, ours, in Markdown: names, detection and places apart, with 95 % intervals."""
    columns = ("scans", "images", "every name right", "discs", "named right", "detected", "named within 5 mm",
               "mean [mm]", "95th percentile [mm]", "missed", "false", "images shifted")  # fmt: skip
    print(f"\n| {' | '.join(columns)} |\n|---|{'---:|' * (len(columns) - 1)}")
    for group, methods in scores.items():
        cases, s = methods["ours"], summarise(methods["ours"])
        right_mm = [mm for case in cases for v, mm in case.distance_mm.items() if v in case.named] or [np.nan]
        cells = (group, s["n_images"], _with_interval(cases, "images_all_named"), s["n_discs"],
                 *(_with_interval(cases, name) for name in ("naming_rate", "detection_rate", "identification_rate")),
                 f"{np.mean(right_mm):.2f}", f"{np.percentile(right_mm, 95):.2f}", s["missed"], s["false"],
                 f"{s['images_shifted']:.1%}")  # fmt: skip
        print(f"| {' | '.join(map(str, cells))} |")
    print("\nnamed right: the disc of its name is nearest to it, within 10 mm; detected: any disc is; distances are of"
          "\nthose named right; missed and false: not within 5 mm; in brackets 95 % intervals")  # fmt: skip


def _with_interval(cases: list[CaseScore], name: str) -> str:
    low, high = confidence_interval(cases, name)
    return f"{summarise(cases)[name]:.1%} ({100 * low:.0f} to {100 * high:.0f})"


def print_doubt(levels: dict[str, list[tuple[float, bool]]]) -> None:
    """Print one line per group: how many images are right, or say that their names are not known, and how many err."""
    columns = ("scans", "images", "right", "doubted", "right or doubted", "level above 0.90", "of these not right")
    print(f"\n| {' | '.join(columns)} |\n|---|{'---:|' * (len(columns) - 1)}")
    for group, said in levels.items():
        right, doubted = (sum(kind) for kind in zip(*((r, c < DOUBTED) for c, r in said), strict=True))
        either = sum(r or c < DOUBTED for c, r in said)
        low, high = wilson_interval(either, len(said))
        sure = [r for c, r in said if c > SURE]
        cells = (group, len(said), right, doubted, f"{either / len(said):.1%} ({100 * low:.0f} to {100 * high:.0f})",
                 len(sure), sure.count(False))  # fmt: skip
        print(f"| {' | '.join(map(str, cells))} |")
    print(
        f"\nright: every name, and nothing else; doubted: level confidence below {DOUBTED}, also where nothing is named"
    )


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
    drawn = {k: f for k, f in judged.items() if "spine" in k or "evaluation" in k or k.endswith(("all", "dark"))}
    draw_reliability(
        folder / "reliability.png",
        {k.replace(" of the spine", ""): f["discs"] for k, f in drawn.items()},
    )
    return found


@dataclass
class Tally:
    """What has been seen so far: scores by group and way, confidences by kind, and a row for each scan."""

    scores: dict[str, dict[str, list[CaseScore]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    said: dict[str, dict[str, Pairs]] = field(default_factory=lambda: defaultdict(lambda: {"discs": [], "levels": []}))
    levels: dict[str, list[tuple[float, bool]]] = field(default_factory=lambda: defaultdict(list))
    rows: list[dict[str, object]] = field(default_factory=list)

    def add(self, scan: Scan, cases: dict[str, CaseScore], said: dict) -> None:
        """Count one scan."""
        ours, labeling = cases["ours"], said["labeling"]
        for method, case in cases.items():
            self.scores[scan.group][method].append(case)
        self.levels[scan.group].append((labeling.level_confidence, ours.all_named))
        level = [said["levels"]] if said["levels"] else []
        for kind in (scan.group.partition(", with")[0].partition(", no end")[0], *["simulated, all"] * scan.complete):
            self.said[kind]["discs"] += said["discs"].values()
            self.said[kind]["levels"] += level
        if scan.complete:
            self.said[f"simulated, {ends_in_view(scan.truth)}"]["levels"] += level
            for value, pair in said["discs"].items():
                self.said[f"simulated, {region_of(value)}"]["discs"].append(pair)
        self.rows.append({"scan": scan.name, "group": scan.group, "all_named": int(ours.all_named),
                          "named": len(ours.named), "detected": len(ours.detected), "found": len(ours.found),
                          "missed": len(ours.missed), "false": len(ours.false), "shift": ours.shift,
                          "level_confidence": f"{labeling.level_confidence:.3f}",
                          "warnings": " ".join(labeling.warnings)})  # fmt: skip

    def report(self, folder: Path) -> None:
        """Print the tables and write ``scores.csv`` and ``summary.json``."""
        print_table(self.scores)
        print_doubt(self.levels)
        print_methods({group: methods for group, methods in self.scores.items() if group.startswith("real")})
        summary = {group: summarise(methods["ours"]) for group, methods in self.scores.items()}
        summary["confidence"] = check_confidence(self.said, folder)
        (folder / "summary.json").write_text(json.dumps(summary, indent=1))
        with (folder / "scores.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, self.rows[0])
            writer.writeheader()
            writer.writerows(self.rows)


def read_arguments() -> argparse.Namespace:
    """Read what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-data", type=Path, default=REAL, help="real scans and templates")
    parser.add_argument("-model", type=Path, help="checkpoint; default: the shipped one")
    parser.add_argument("-o", type=Path, default=Path("accuracy_out"), help="output folder")
    parser.add_argument("-n", type=int, default=60, help="simulated spines")
    parser.add_argument("-first", type=int, default=0, help="number of the first one; others are other spines")
    parser.add_argument("-real", type=int, default=1, choices=(0, 1), help="also score the real scans")
    parser.add_argument("-real_sacra", type=int, default=1, choices=(0, 1),
                        help="simulate with unseen real lower spines; 0: with the drawn one")  # fmt: skip
    parser.add_argument("-overlays", type=int, default=1, choices=(0, 1), help="draw the overlays")
    args = parser.parse_args()
    if not (args.n or args.real):
        parser.error("with -real 0 and -n 0 there is nothing to score")
    return args


def scans_of(args: argparse.Namespace) -> list[Scan]:
    """List the scans to score."""
    scans = [*real_scans(args.data), *lumbar_scans(args.data)] if args.real else []
    if args.n:
        lower = unseen_lower_spines(args.data) if args.real_sacra else ()
        scans += simulated_scans(build_atlas(args.data), args.n, args.first, lower)
    return scans


def main() -> int:
    """Run everything and write ``-o``: scores.csv, summary.json, and an overlay of every real scan and of failures."""
    args = read_arguments()
    if not args.data.is_dir():
        print(
            f"accuracy: {args.data}: no such folder; give the real scans with -data",
            file=sys.stderr,
        )
        return 1
    predictor = Predictor.load(args.model)
    (args.o / "overlays").mkdir(parents=True, exist_ok=True)
    tally = Tally()
    for scan in tqdm(scans_of(args), disable=None, unit="scan"):
        cases, said = score_scan(predictor, scan, slow=not scan.complete)
        tally.add(scan, cases, said)
        if args.overlays and (not scan.complete or len(cases["ours"].missed) >= FAILED):
            discs = said["labeling"].discs
            draw_overlay(args.o / "overlays" / f"{scan.name}.png", scan.volume, discs, scan.truth, scan.name)
    tally.report(args.o)
    return 0


if __name__ == "__main__":
    sys.exit(main())
