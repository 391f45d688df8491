"""How accurate are the shipped weights after how much training: every link of their chain, on scans new to it.

``python -m benchmarks.decisions.time_to_accuracy`` takes the weights of every link from the history of the repository,
labels the same real and simulated scans with each, through the whole pipeline as it is now, and writes a Markdown table
and a plot. Hours are those of two cores without a GPU, at the rate of the fifth run.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.acceptance.accuracy import score_scan
from benchmarks.acceptance.accuracy_cases import simulated_scans, unseen_lower_spines
from benchmarks.acceptance.real_cases import deal_out, select
from benchmarks.acceptance.real_scans import Job, run_all
from benchmarks.sources import REAL, ROOT
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.model.export import export
from deepspine_sct.simulation.atlas import build_atlas
from deepspine_sct.training.folds import SHIPPED

WEIGHTS = "deepspine_sct/model/weights/deepspine.safetensors"
CASES = {
    "lumbar, not trained on": ("lumbar",),
    "the same, other contrasts": ("lumbar_t1", "lumbar_stir", "lumbar_water", "lumbar_fat"),
    "the same, cut or turned": ("lumbar_cut8", "lumbar_cut5", "lumbar_turn30"),
    "neck": ("neck",),
    "neck, cut or turned": ("neck_from_c3c4", "neck_from_c5c6", "neck_turn30"),
}
SIMULATED = "simulated, whole spine"
SECONDS_PER_IMAGE = 66 * 60 / (3400 * 16)
"""Of the fifth run, on two cores."""


@dataclass(frozen=True)
class Link:
    """Weights that shipped, or were kept on the way.

    Attributes
    ----------
    name : what they end
    commit : whose weights they are
    images : learnt since the beginning, over all links
    """

    name: str
    commit: str
    images: int


CHAIN = (
    Link("first run, step 2,250", "5cee391", 36_000),
    Link("first run, step 4,250", "1ec9705", 68_000),
    Link("first run", "46a9793", 128_000),
    Link("second run", "65ecf62", 208_000),
    Link("third run", "e90046a", 336_512),
    Link("fifth run", "f5ea0fb", 458_112),
    Link("sixth run", "f7771ea", 531_712),
    Link("seventh run, in the mean", "b653685", 611_712),
    Link("eighth run", "ee8bf1f", 1_476_864),
)


def weights_of(link: Link, folder: Path) -> Path:
    """Take weights from the history and export them, so that they run as fast as the installed ones."""
    kept = folder / f"{link.commit}.safetensors"
    kept.write_bytes(subprocess.check_output(["git", "-C", str(ROOT), "show", f"{link.commit}:{WEIGHTS}"]))
    exported = kept.with_suffix(".onnx")
    export(kept, exported)
    return exported


def shares_right(model: Path, data: Path, simulated: Sequence, n_jobs: int) -> dict[str, tuple[int, int]]:
    """Count images with every name right, and all of them, per row of `CASES` and on simulated spines."""
    keys = select(data, [group for groups in CASES.values() for group in groups], [])
    unseen = deal_out(data, keys)[SHIPPED]  # and all necks
    outcomes = run_all(Job(data, model), unseen, n_jobs)
    counted = {}
    for row, groups in CASES.items():
        right = [outcome.score.all_named for outcome in outcomes if outcome.key.group in groups]
        counted[row] = sum(right), len(right)
    predictor = Predictor.load(model)
    right = [score_scan(predictor, scan, slow=False)[0]["ours"].all_named for scan in simulated]
    return counted | {SIMULATED: (sum(right), len(right))}


def draw(path: Path, rows: Sequence[dict]) -> None:
    """Plot the shares against images and hours."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(7, 4.2), layout="constrained")
    thousands = np.array([row["images"] for row in rows]) / 1000
    for group in (*CASES, SIMULATED):
        axis.plot(thousands, [100 * row[group][0] / row[group][1] for row in rows], "o-", label=group, alpha=0.8)
    axis.set(xlabel="images learnt [thousands]", ylabel="images with every name right [%]", ylim=(-3, 103))
    hours = axis.secondary_xaxis("top", functions=(_hours, lambda h: h * 3.6 / SECONDS_PER_IMAGE))
    hours.set_xlabel("hours on two cores")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=8)
    figure.savefig(path, dpi=100)


def _hours(thousands: np.ndarray) -> np.ndarray:
    return thousands * SECONDS_PER_IMAGE / 3.6


def print_table(rows: Sequence[dict]) -> None:
    """Print one line per link, as Markdown."""
    groups = (*CASES, SIMULATED)
    print(f"| weights | commit | images | hours | {' | '.join(groups)} |")
    print("|---|---|" + "---:|" * (len(groups) + 2))
    for row in rows:
        cells = [f"{row[group][0]} of {row[group][1]}" for group in groups]
        hours = f"{_hours(row['images'] / 1000):.1f}"
        print(f"| {row['name']} | `{row['commit']}` | {row['images']:,} | {hours} | {' | '.join(cells)} |")


def main() -> None:
    """Score every link, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-data", type=Path, default=REAL, help="real scans and templates")
    parser.add_argument("-o", type=Path, default=Path("time_to_accuracy_out"), help="output folder")
    parser.add_argument("-n", type=int, default=60, help="simulated spines, one or more")
    parser.add_argument("-jobs", type=int, default=2, help="processes")
    args = parser.parse_args()
    if args.n < 1:
        parser.error("argument -n: at least one simulated spine is needed")
    args.o.mkdir(parents=True, exist_ok=True)
    atlas = build_atlas(args.data)
    spines = simulated_scans(atlas, args.n, lower=unseen_lower_spines(args.data))
    whole = [scan for scan in spines if scan.name.endswith("100%")]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for link in CHAIN:
            counted = shares_right(weights_of(link, Path(folder)), args.data, whole, args.jobs)
            rows.append({"name": link.name, "commit": link.commit, "images": link.images} | counted)
    print_table(rows)
    draw(args.o / "time_to_accuracy.png", rows)


if __name__ == "__main__":
    main()
