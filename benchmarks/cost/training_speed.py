"""Does the simulator starve the trainer: ``python -m benchmarks.cost.training_speed`` prints images per second.

Every line is measured in turns with the others, for a busy moment to hit all alike; medians of the rounds.
"""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import torch
from torch.utils.data import DataLoader, Subset

from benchmarks.sources import REAL
from deepspine_sct.model.hourglass import StackedHourglass
from deepspine_sct.model.hourglass_config import HourglassConfig
from deepspine_sct.simulation.atlas import build_atlas
from deepspine_sct.training.config import TrainingConfig
from deepspine_sct.training.dataset import SampleStream
from deepspine_sct.training.loss import LOSSES
from deepspine_sct.training.real import load_slices
from deepspine_sct.training.recipe import use_threads
from deepspine_sct.training.trainer import Trainer

FEATURES = 96  # as shipped


def ways(stream: SampleStream, trainer: Trainer, n: int) -> dict[str, Callable[[], None]]:
    """Return what is timed, each making or training on ``n`` batches."""

    def draw(workers: int) -> None:
        for _ in _batches(stream, n, workers):
            pass

    def train(workers: int) -> None:
        for batch in _batches(stream, n, workers):
            trainer.training_step(batch)

    ready = [stream[i] for i in range(n)]

    def train_ready() -> None:
        for batch in ready:
            trainer.training_step(batch)

    return {
        "images alone, one process": lambda: draw(0),
        "training alone, images ready": train_ready,
        "both in one process": lambda: train(0),
        "training, and one process for the images (as `make train`)": lambda: train(1),
        "training, and two processes for the images": lambda: train(2),
    }


def _batches(stream: SampleStream, n: int, workers: int) -> DataLoader:
    return DataLoader(
        Subset(stream, range(n)), batch_size=None, num_workers=workers, prefetch_factor=4 if workers else None
    )


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-data", type=Path, default=REAL, help="templates and annotated slices")
    parser.add_argument("-n", type=int, default=8, help="batches of 16 images per measurement")
    parser.add_argument("-rounds", type=int, default=5)
    args = parser.parse_args()
    use_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
    atlas = build_atlas(args.data)
    config = TrainingConfig()
    stream = SampleStream(
        atlas, load_slices(args.data / "slices", evaluation=False), config.batch_size, args.n, 0, config.real_share
    )
    with TemporaryDirectory() as folder:
        network = StackedHourglass(HourglassConfig(n_features=FEATURES))
        trainer = Trainer(network, stream, LOSSES[config.loss], config, Path(folder))
        todo = ways(stream, trainer, args.n)
        rates: dict[str, list[float]] = {way: [] for way in todo}
        for _ in range(args.rounds):
            for way, work in todo.items():
                started_s = perf_counter()
                work()
                rates[way].append(args.n * config.batch_size / (perf_counter() - started_s))
    print(f"torch {torch.__version__}, {torch.get_num_threads()} thread, {os.cpu_count()} cores\n")
    print("| | images per second | of training alone |\n|---|---:|---:|")
    alone = median(rates["training alone, images ready"])
    for way, seen in rates.items():
        print(f"| {way} | {median(seen):.1f} | {median(seen) / alone:.2f} |")


if __name__ == "__main__":
    main()
