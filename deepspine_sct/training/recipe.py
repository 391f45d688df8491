"""The recipe of the shipped weights: sources, network, loss and trainer put together."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from deepspine_sct import __version__
from deepspine_sct.anatomy import DISC_VALUES
from deepspine_sct.model.checkpoint import load_checkpoint, save_checkpoint
from deepspine_sct.model.hourglass import HourglassConfig, StackedHourglass
from deepspine_sct.training.atlas import SLAB_MM, build_atlas
from deepspine_sct.training.dataset import SampleStream
from deepspine_sct.training.loss import LOSSES
from deepspine_sct.training.real import load_slices
from deepspine_sct.training.trainer import Trainer, TrainingConfig

SPACING_MM = 2.0  # working resolution


def train(
    data: Path,
    folder: Path,
    config: TrainingConfig,
    network: HourglassConfig | None = None,
    start: Path | None = None,
    on_save: Callable[[Path, int], None] = lambda path, step: None,
) -> Path:
    """Train a network and return the path of its checkpoint, ``folder/network.safetensors``.

    Called again on the same folder, it goes on from the last saved step.

    Parameters
    ----------
    data : folder with ``pam50/`` and ``head/icbm152_t1.nii.gz``, and ``slices/`` when ``config.real_share`` > 0
    folder : output; gets the checkpoint, ``state.pt`` to resume from and ``log.csv``
    config, network : how to train, and what
    start : checkpoint to take the first weights (and the architecture) from
    on_save : called with the checkpoint's path and the step, every time it was written
    """
    torch.manual_seed(config.seed)
    atlas = build_atlas(data / "pam50", data / "head" / "icbm152_t1.nii.gz")
    slices = load_slices(data / "slices", evaluation=False) if config.real_share > 0 else []
    model = load_checkpoint(start)[0] if start else StackedHourglass(network or HourglassConfig())
    description = {
        "spacing_mm": SPACING_MM,
        "thickness_mm": SLAB_MM,
        "disc_values": list(DISC_VALUES),
        "loss": config.loss,
        "training": _provenance(config, slices, start),
    }
    checkpoint = folder / "network.safetensors"

    def save(averaged: StackedHourglass, step: int) -> None:
        description["training"]["step"] = step
        save_checkpoint(checkpoint, averaged, description)
        on_save(checkpoint, step)

    stream = SampleStream(
        atlas, slices, config.batch_size, config.steps, config.seed, config.real_share, SPACING_MM
    )
    Trainer(model, stream, LOSSES[config.loss], config, folder, save).run()
    return checkpoint


def _provenance(config: TrainingConfig, slices: list, start: Path | None) -> dict:
    return config.to_dict() | {
        "start": start.name if start else None,
        "real_slices": len(slices),
        "real_sites": sorted({s.site for s in slices}),
        "versions": {"deepspine_sct": __version__, "torch": torch.__version__, "numpy": np.__version__},
    }
