"""`sct_deepspine_train`: train a network on simulated spines, on a prepared set, or on both."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deepspine_sct.cli.argument_types import checkpoint_path
from deepspine_sct.cli.parser import run, say
from deepspine_sct.cli.train_arguments import get_parser
from deepspine_sct.files.outputs import check_folder
from deepspine_sct.model.hourglass_config import HourglassConfig
from deepspine_sct.training.config import TrainingConfig

if TYPE_CHECKING:
    from deepspine_sct.data.prepared_set import PreparedSet


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return run(get_parser(), train, argv)


def train(args: argparse.Namespace) -> None:
    """Train as the arguments say.

    Raises
    ------
    DeepspineError
        When a source cannot be used, or the output folder holds another training.
    """
    if not (args.data or args.set):
        get_parser().error("give -data, -set or both")
    check_folder(args.ofolder)
    # Before torch loads: threads that spin while they wait cost tenfold on a busy machine.
    os.environ.setdefault("OMP_NUM_THREADS", str(args.threads))
    from deepspine_sct.data.prepared_set import read_set
    from deepspine_sct.evaluation.training_diary import Diary
    from deepspine_sct.evaluation.validation import validate
    from deepspine_sct.labeling.predictor import Predictor
    from deepspine_sct.training import recipe
    from deepspine_sct.training.held_out import held_out

    recipe.use_threads(args.threads)
    start = checkpoint_path(args.start) if args.start else None
    if start:
        recipe.read_start(start, args.stacks)  # what cannot be trained further is said before the sources are read
    prepared = read_set(args.set) if args.set else None
    config = make_config(args, prepared)
    sources = recipe.read_sources(args.data, prepared, config)
    cases = held_out(sources, args.c)
    diary = Diary(args.ofolder)

    def on_save(path: Path, step: int) -> dict[str, float]:
        epoch = -(-step // config.save_every)
        if not cases:
            print(f"epoch {epoch}: there is no image to validate on", file=sys.stderr)
            return {}
        scores, results = validate(Predictor.load(path, config.device), cases)
        diary.add(step, cases, results, scores)
        if args.v:
            say(f"epoch {epoch}, step {step}: {_score_line(scores)}")
        return scores

    network = HourglassConfig(
        n_stacks=args.stacks or HourglassConfig.n_stacks,
        n_blocks=args.blocks,
        n_features=args.features,
        attention=bool(args.attention),
        **({"n_discs": args.discs} if args.discs else {}),
    )
    checkpoint = recipe.train(
        sources, args.ofolder, config, network, start, on_save, diary.close_epoch, tuple(args.folds), args.stacks
    )
    if args.v:
        say(f"Wrote {checkpoint}")


def make_config(args: argparse.Namespace, prepared: "PreparedSet | None") -> TrainingConfig:
    """Turn the arguments into a configuration; a set sets the length of an epoch."""
    from deepspine_sct.data.bids import CONTRASTS
    from deepspine_sct.model.device import pick_device

    contrasts = None if args.c == "all" else (CONTRASTS[args.c],)
    n_images = len(prepared.select("train", contrasts)) if prepared else 0
    one_pass = max(1, round(n_images / args.batch)) if prepared else TrainingConfig.save_every
    epoch_steps = args.epoch_steps or one_pass
    steps = args.steps or args.epochs * epoch_steps
    return TrainingConfig(
        steps=steps,
        # A short training cannot wait as long for the rate to rise, nor average over as many steps.
        warmup=max(1, min(TrainingConfig.warmup, steps // 10)),
        average_decay=min(TrainingConfig.average_decay, max(0.0, 1 - 10 / steps)),
        batch_size=args.batch,
        learning_rate=args.lr,
        loss=args.loss,
        real_share=args.real if args.data else 1.0,
        attention_weight=args.look,
        flip_share=args.flip,
        echoes=args.echoes,
        contrast=args.c,
        seed=args.seed,
        device=pick_device(args.device),
        workers=args.workers,
        save_every=epoch_steps,
        patience=args.patience,
        sources=_name_sources(args),
    )


def _name_sources(args: argparse.Namespace) -> str:
    """Name what a training learns from by its content."""
    from deepspine_sct.data.prepared_set import INDEX
    from deepspine_sct.model.checkpoint import checksum
    from deepspine_sct.training.data_digest import digest

    files = {
        "-set": args.set / INDEX if args.set else None,
        "-start": checkpoint_path(args.start) if args.start else None,
    }
    parts = [f"{name}:{checksum(path)[:8]}" for name, path in files.items() if path and path.is_file()]
    return " ".join(([f"-data:{digest(args.data)}"] if args.data else []) + parts)


def _score_line(scores: dict[str, float]) -> str:
    images, rate, distance_mm = (
        scores[name] for name in ("images_all_named", "identification_rate", "distance_mean_mm")
    )
    return (
        f"identification rate {100 * rate:.1f} %, every name right in {100 * images:.0f} % of the images, "
        f"distance {distance_mm:.1f} mm"
    )


if __name__ == "__main__":
    sys.exit(main())
