"""How large must the network be, and what do the real images and the loss give: short trainings, side by side.

``python -m benchmarks.decisions.network_choices`` trains every choice on the same images in the same order, scores it
on fixed simulated spines and on the evaluation-only sites, times it, and writes a Markdown table and a plot. All are
far from finished after so few images: it shows who learns faster for its milliseconds, not the end. Stopped, it goes
on from the last `SAVE_EVERY` steps.
"""

import argparse
import json
import os
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from time import process_time

import numpy as np
import torch
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from benchmarks.acceptance.accuracy_cases import real_scans, simulated_scans
from benchmarks.acceptance.baselines import argmax_per_channel
from benchmarks.sources import REAL
from deepspine_sct.evaluation.metrics import score_case, summarise
from deepspine_sct.labeling.heatmap import find_candidates
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.labeling.settings import DEFAULTS
from deepspine_sct.model.checkpoint import load_checkpoint, save_checkpoint
from deepspine_sct.model.export import export
from deepspine_sct.model.hourglass import StackedHourglass
from deepspine_sct.model.hourglass_config import HourglassConfig
from deepspine_sct.model.inference_graph import multiply_adds
from deepspine_sct.model.runtime import load_runtime
from deepspine_sct.simulation.atlas import SLAB_MM, build_atlas
from deepspine_sct.training.config import TrainingConfig
from deepspine_sct.training.dataset import SampleStream
from deepspine_sct.training.loss import LOSSES
from deepspine_sct.training.real import load_slices
from deepspine_sct.training.recipe import SPACING_MM, use_threads
from deepspine_sct.training.trainer import Trainer

SAVE_EVERY = 100
IMAGE = (160, 128)  # rows and columns of a slab of a cervical scan, for timing


@dataclass(frozen=True)
class Choice:
    """One network and what it learns from."""

    stacks: int
    features: int
    loss: str = "cross_entropy"
    real_share: float = 0.3
    attention: str = "free"  # "none", "free", or "taught" to look at discs

    @property
    def name(self) -> str:
        """For example ``2 x 64``."""
        loss = ", the original's loss" if self.loss == "mse" else ""
        real = "" if self.real_share else ", no real images"
        attention = {"none": ", no attention", "free": "", "taught": ", attention taught"}[self.attention]
        return f"{self.stacks} x {self.features}{loss}{real}{attention}"


SIZES = [Choice(1, 48), Choice(1, 96), Choice(2, 48), Choice(2, 64), Choice(2, 96)]
OTHERS = [Choice(2, 64, loss="mse"), Choice(2, 64, real_share=0.0)]
ATTENTION = [Choice(2, 64, attention=kind) for kind in ("none", "free", "taught")]
CHOICES = {"all": SIZES + OTHERS + [c for c in ATTENTION if c.attention != "free"], "attention": ATTENTION}


def train(choices: list[Choice], data: Path, folder: Path, config: TrainingConfig) -> dict[Choice, Path]:
    """Train all choices together, every batch being drawn once for all of them; return their checkpoints."""
    atlas = build_atlas(data)
    slices = load_slices(data / "slices", evaluation=False)
    shares = sorted({choice.real_share for choice in choices})
    streams = {s: SampleStream(atlas, slices, config.batch_size, config.steps, config.seed, s) for s in shares}
    trainers = {}
    for choice in choices:
        torch.manual_seed(config.seed)
        size = HourglassConfig(n_stacks=choice.stacks, n_features=choice.features, attention=choice.attention != "none")
        weight = TrainingConfig.attention_weight if choice.attention == "taught" else 0.0
        own = replace(config, loss=choice.loss, real_share=choice.real_share, attention_weight=weight)
        loss = partial(LOSSES[choice.loss], attention_weight=weight)
        stream = streams[choice.real_share]
        trainers[choice] = Trainer(StackedHourglass(size), stream, loss, own, folder / choice.name)
    first = min(trainer.step for trainer in trainers.values())
    ahead = range(first, config.steps)
    batches = [DataLoader(Subset(s, ahead), batch_size=None, num_workers=1) for s in streams.values()]
    for step, *drawn in tqdm(zip(ahead, *batches, strict=True), total=len(ahead), disable=None):
        for choice, trainer in trainers.items():
            if trainer.step == step:
                trainer.learn(drawn[shares.index(choice.real_share)])
    return {choice: _keep(trainer, choice, folder) for choice, trainer in trainers.items()}


def _keep(trainer: Trainer, choice: Choice, folder: Path) -> Path:
    path = folder / f"{choice.name}.safetensors"
    description = {
        "spacing_mm": SPACING_MM, "thickness_mm": SLAB_MM, "disc_values": list(range(1, 26)), "loss": choice.loss,
        "training": trainer.config.to_dict() | {"step": trainer.step},
    }  # fmt: skip
    save_checkpoint(path, trainer.averaged.module, description)
    return path


def score(path: Path, scans: list) -> dict[str, float]:
    """Identification rate of each group of scans, by our ordering, and by argmax on the same detections."""
    predictor = Predictor.load(path)
    cases: dict[str, list] = {}
    for scan in scans:
        result = predictor.predict(scan.volume)
        plain = argmax_per_channel(find_candidates(result.prediction, DEFAULTS.threshold))
        for how, points in (("", result.labeling.points), (", argmax", plain)):
            case = score_case(points, scan.truth, span_only=not scan.complete)
            cases.setdefault(_group(scan) + how, []).append(case)
    return {group: summarise(scored)["identification_rate"] for group, scored in cases.items()}


def _group(scan) -> str:
    return "simulated" if scan.complete else scan.group.split(",")[0]


def milliseconds(paths: dict[Choice, Path], rounds: int) -> dict[Choice, float]:
    """Processor time of one image of `IMAGE` pixels in ONNX Runtime, median of rounds in which all take turns."""
    image = np.random.default_rng(0).normal(size=(1, *IMAGE)).astype(np.float32)
    runtimes = {}
    for choice, path in paths.items():
        export(path, path.with_suffix(".onnx"))
        runtimes[choice] = load_runtime(path.with_suffix(".onnx"), "cpu")
    taken: dict[Choice, list[float]] = {choice: [] for choice in paths}
    for _ in range(rounds + 2):
        for choice, runtime in runtimes.items():
            started_s = process_time()
            runtime.run(image)
            taken[choice].append(1000 * (process_time() - started_s))
    return {choice: median(times[2:]) for choice, times in taken.items()}


def draw(path: Path, rows: list[dict]) -> None:
    """Plot the identification rate of the network sizes against their milliseconds."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(6, 4))
    for group, marker in (("simulated", "o"), ("real T1w", "^"), ("real T2w", "s")):
        axis.plot([r["ms"] for r in rows], [100 * r[group] for r in rows], marker, label=group, alpha=0.8)
    for row in rows:
        at = (row["ms"], 100 * row["simulated"])
        axis.annotate(row["name"], at, fontsize=7, xytext=(4, -9), textcoords="offset points")
    axis.set(xlabel="processor time of an image [ms]", ylabel="discs named right [%]", title="Stacks x features")
    axis.grid(alpha=0.3)
    axis.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=100)


def print_table(rows: list[dict]) -> None:
    """Print one line per choice, as Markdown."""
    groups = [key for key in rows[0] if key not in ("name", "ms", "parameters", "products")]
    print("| stacks x features | parameters [M] | multiply-adds [G] | ms | " + " | ".join(groups) + " |")
    print("|---|" + "---:|" * (len(groups) + 3))
    for row in rows:
        size = f"{row['parameters'] / 1e6:.2f} | {row['products'] / 1e9:.2f} | {row['ms']:.0f}"
        print(f"| {row['name']} | {size} | " + " | ".join(f"{100 * row[g]:.1f} %" for g in groups) + " |")


def main() -> None:
    """Train, score, time, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-data", type=Path, default=REAL, help="real scans and templates")
    parser.add_argument("-o", type=Path, default=Path("network_choices_out"), help="output folder")
    parser.add_argument("-steps", type=int, default=1000, help="steps of 16 images")
    parser.add_argument("-choices", choices=CHOICES, default="all", help="which networks")
    parser.add_argument("-n", type=int, default=20, help="simulated spines to score")
    args = parser.parse_args()
    use_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
    config = TrainingConfig(steps=args.steps, average_decay=0.99, warmup=100, save_every=SAVE_EVERY)
    paths = train(CHOICES[args.choices], args.data, args.o, config)
    atlas = build_atlas(args.data)
    real = [scan for scan in real_scans(args.data) if "evaluation" in scan.group]
    whole = [scan for scan in simulated_scans(atlas, args.n) if "100%" in scan.group]
    times_ms = milliseconds(paths, 30)
    rows = []
    for choice, path in paths.items():
        network = load_checkpoint(path)[0]
        size = {"parameters": sum(p.numel() for p in network.parameters()), "products": multiply_adds(network, IMAGE)}
        rows.append({"name": choice.name, "ms": times_ms[choice]} | size | score(path, real + whole))
    print_table(rows)
    (args.o / "rows.json").write_text(json.dumps(rows, indent=1))
    if args.choices == "all":
        draw(args.o / "network_choices.png", rows[: len(SIZES)])


if __name__ == "__main__":
    main()
