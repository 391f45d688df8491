"""The recipe of a network: sources, network, loss and trainer put together."""

import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch

from deepspine_sct import __version__
from deepspine_sct.anatomy import DISC_VALUES, N_DISCS
from deepspine_sct.data.bids import CONTRASTS
from deepspine_sct.data.prepared_set import PreparedSet
from deepspine_sct.errors import DeepspineError
from deepspine_sct.files.atomic import atomic_path
from deepspine_sct.image.slab import SlabSpec
from deepspine_sct.model.checkpoint import load_checkpoint, save_checkpoint
from deepspine_sct.model.hourglass import StackedHourglass, first_stacks
from deepspine_sct.model.hourglass_config import HourglassConfig
from deepspine_sct.simulation.atlas import SLAB_MM, Atlas, build_atlas
from deepspine_sct.simulation.contrast import FAMILIES_OF
from deepspine_sct.simulation.lower_spine import is_usable, straighten
from deepspine_sct.simulation.lumbar import LumbarSubject, load_subjects
from deepspine_sct.training.config import TrainingConfig
from deepspine_sct.training.dataset import SampleStream
from deepspine_sct.training.folds import SHIPPED, deal
from deepspine_sct.training.loss import LOSSES
from deepspine_sct.training.prepared_slices import PreparedSlices, stack_slabs, stack_subject
from deepspine_sct.training.real import RealSlice, load_slices
from deepspine_sct.training.targets import STRIDE, Batch
from deepspine_sct.training.trainer import Row, Trainer, train_together

SPACING_MM = SlabSpec.spacing_mm  # working resolution

CHECKPOINT = "network.safetensors"  # after the last epoch
BEST = "best.safetensors"  # after the epoch with the best score

Made = TypeVar("Made")

OnSave = Callable[[Path, int], Row | None]


@dataclass(frozen=True)
class Sources:
    """What a network learns from; at least one of the first two.

    Attributes
    ----------
    atlas : the straight spine to simulate from
    prepared : a prepared set, of which the training part is used
    slices : annotated slices
    lumbar : real lumbar subjects
    """

    atlas: Atlas | None
    prepared: PreparedSet | None
    slices: list[RealSlice]
    lumbar: list[LumbarSubject] = field(default_factory=list)

    @property
    def spacing_mm(self) -> float:
        """Size of a pixel, that of the prepared set where there is one."""
        return self.prepared.spacing_mm if self.prepared else SPACING_MM


def use_threads(n: int) -> None:
    """Let torch use n threads; results are equal, bit for bit, only for an equal number of them."""
    torch.set_num_threads(n)


def read_sources(data: Path | None, prepared: PreparedSet | None, config: TrainingConfig) -> Sources:
    """Read what ``config`` asks for.

    Parameters
    ----------
    data : folder with ``pam50/`` and ``head/icbm152_t1.nii.gz``, and ``slices/`` and ``lumbar/`` where there
        are real ones; without it nothing is simulated
    prepared : a prepared set

    Raises
    ------
    DeepspineError
        Where there is nothing to train on.
    """
    if data is None and prepared is None:
        raise DeepspineError("nothing to train on: give -data, -set or both")
    simulated = data is not None and (prepared is None or config.real_share < 1)
    atlas = build_atlas(data) if simulated else None
    annotated = data is not None and config.real_share > 0 and (data / "slices").is_dir()
    slices = load_slices(data / "slices", evaluation=False) if annotated else []
    subjects = load_subjects(data / "lumbar") if data is not None else []
    return Sources(atlas, prepared, slices, subjects)


def train(
    sources: Sources,
    folder: Path,
    config: TrainingConfig,
    network: HourglassConfig | None = None,
    start: Path | None = None,
    on_save: OnSave = lambda path, step: None,
    on_log: Callable[[list[Row]], None] = lambda rows: None,
    folds: Sequence[int] = (SHIPPED,),
    n_stacks: int | None = None,
) -> Path:
    """Train a network and return the path of its checkpoint.

    Called again on the same folder, it goes on from the last epoch.

    Parameters
    ----------
    sources : what to learn from
    folder : output; gets ``network.safetensors``, ``best.safetensors`` where ``on_save`` returns
        scores, ``state.pt`` to resume from and ``log.csv``
    config, network : how to train, and what
    start : checkpoint to take the first weights (and the architecture) from
    on_save : called with the checkpoint's path and the step after every epoch; the scores that it
        returns join the log, and ``config.score`` among them chooses the best checkpoint
    on_log : called with the rows of the log after every epoch
    folds : of the lumbar subjects (see `folds`), one network for each, which never sees that fold. The network of
        the first is what this function's other outputs speak of; the others, trained on the same batches, go into
        subfolders ``fold_K``
    n_stacks : so many of the first stacks of ``start``; None for all of them

    Raises
    ------
    DeepspineError
        Where ``start`` cannot be trained further; see `read_start`.
    """
    starts = [_start_of(start, fold) if start else None for fold in folds]
    begun = [_begin(network, own, n_stacks, config.seed) for own in starts]
    images = _real_images(sources, config)
    stream = _stream(sources, images, config, begun[0][0].config.n_discs)
    trainers = []
    for k, fold in enumerate(folds):
        inside = folder if k == 0 else folder / f"fold_{fold}"
        hooks = (on_save, on_log) if k == 0 else (lambda path, step: None, lambda rows: None)
        trainers.append(_trainer(sources, images, stream, inside, config, *begun[k], starts[k], fold, *hooks))
    train_together(trainers)
    return folder / BEST if (folder / BEST).exists() else folder / CHECKPOINT


def _each(make: Callable[[LumbarSubject], Made], subjects: Iterable[LumbarSubject]) -> list[Made]:
    """Make something of each subject, on as many cores as there are."""
    with ProcessPoolExecutor() as pool:
        return list(pool.map(make, subjects))


def _start_of(start: Path, fold: int) -> Path:
    """Return the checkpoint that a fold's network starts from: its own where there is one beside ``start``."""
    own = start.parent / f"fold_{fold}" / start.name
    return own if own.exists() else start


def stream_of(sources: Sources, config: TrainingConfig) -> SampleStream:
    """Return the images that a network of these sources is trained on, in their order."""
    return _stream(sources, _real_images(sources, config), config, N_DISCS)


def _stream(sources: Sources, images: list, config: TrainingConfig, n_discs: int) -> SampleStream:
    return SampleStream(
        sources.atlas,
        images,
        config.batch_size,
        -(-config.steps // (1 + config.echoes)),
        config.seed,
        config.real_share if sources.atlas else 1.0,
        sources.spacing_mm,
        families=FAMILIES_OF.get(config.contrast),
        flip_share=config.flip_share,
        n_discs=n_discs,
        lower=_each(straighten, filter(is_usable, sources.lumbar)) if sources.atlas else [],
        folds=deal(subject.name for subject in sources.lumbar),
    )


def _begin(
    network: HourglassConfig | None, start: Path | None, n_stacks: int | None, seed: int
) -> tuple[StackedHourglass, dict]:
    """Return the network before its first step, and the description of the checkpoint that it comes from."""
    torch.manual_seed(seed)
    return read_start(start, n_stacks) if start else (StackedHourglass(network or HourglassConfig()), {})


def read_start(path: Path, n_stacks: int | None = None) -> tuple[StackedHourglass, dict]:
    """Read the network that a training goes on from, and the description of its checkpoint.

    Parameters
    ----------
    path : the checkpoint
    n_stacks : so many of its first stacks; None for all of them

    Raises
    ------
    DeepspineError
        Where it cannot be read, has fewer stacks, or answers on other heatmap pixels than training teaches.
    """
    model, before = load_checkpoint(path)
    if model.config.stride != STRIDE:
        raise DeepspineError(
            f"{path}: is an imported original network, which can label but cannot be trained further; give another "
            "checkpoint, or leave -start out"
        )
    if n_stacks in (None, model.config.n_stacks):
        return model, before
    if n_stacks > model.config.n_stacks:
        raise DeepspineError(
            f"{path}: training cannot go on with {n_stacks} of the {model.config.n_stacks} stacks of this network; "
            "leave -stacks out"
        )
    return first_stacks(model, n_stacks), before


def _trainer(
    sources, images, stream, folder: Path, config: TrainingConfig, model, before, start, fold: int, on_save, on_log
):
    """Build the trainer of the network that never sees ``fold``."""
    description = _describe(sources, config, images, model, start, before, fold)
    if "prior" in before:  # learnt from data (see `labeling.prior_fit`), which is still true
        description["prior"] = before["prior"]
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint, best = folder / CHECKPOINT, folder / BEST

    def save(averaged: StackedHourglass, step: int) -> Row | None:
        description["training"]["step"] = step
        save_checkpoint(checkpoint, averaged, description)
        return on_save(checkpoint, step)

    def save_best(averaged: StackedHourglass, step: int) -> None:
        with atomic_path(best) as temporary:
            shutil.copyfile(checkpoint, temporary)

    def keep(batch: Batch) -> Batch:
        seen = torch.nonzero(batch["fold"] != fold).flatten()
        if len(seen) == len(batch["fold"]):
            return batch
        return {key: value[seen.to(value.device)] for key, value in batch.items()}

    loss = partial(LOSSES[config.loss], attention_weight=config.attention_weight)
    return Trainer(model, stream, loss, config, folder, save, save_best, on_log, keep, f"fold {fold}")


def _real_images(sources: Sources, config: TrainingConfig) -> list[RealSlice | PreparedSlices]:
    """Real images to train on: annotated slices and the training part of the prepared set."""
    contrasts = None if config.contrast == "all" else (CONTRASTS[config.contrast],)
    images: list[RealSlice | PreparedSlices] = [
        s for s in sources.slices if contrasts is None or s.contrast in contrasts
    ]
    if sources.prepared and config.real_share > 0:
        for case in sources.prepared.select("train", contrasts):
            images.append(stack_slabs(case))
    if config.real_share > 0 and (contrasts is None or "T2w" in contrasts):
        images += _each(stack_subject, sources.lumbar)
    if sources.atlas is None and not images:
        folder = sources.prepared.folder
        raise DeepspineError(f"{folder}: no image to train on; prepare it with other -split or -c")
    return images


def _never_seen(sources: Sources, before: dict, fold: int) -> list[str]:
    """List the lumbar subjects of a fold, less those that the network learnt from before it came here."""
    names = {name for name, its in deal(s.name for s in sources.lumbar).items() if its == fold}
    still = before.get("training", {}).get("never_seen", names)  # networks without this field learnt from no subject
    return sorted(names.intersection(still))


def _describe(sources: Sources, config: TrainingConfig, images: list, model, start, before: dict, fold: int) -> dict:
    """Describe the checkpoint: what inference needs to know, and where the weights come from."""
    prepared = sources.prepared
    return {
        "spacing_mm": sources.spacing_mm,
        "thickness_mm": prepared.thickness_mm if prepared else SLAB_MM,
        "disc_values": list(DISC_VALUES[: model.config.n_discs]),
        "loss": config.loss,
        "training": config.to_dict()
        | {
            "start": start.name if start else None,
            "simulated": sources.atlas is not None,
            "real_images": len(images),
            "never_seen": _never_seen(sources, before, fold),
            "real_sites": sorted({image.site for image in images}),
            "versions": {
                "deepspine_sct": __version__,
                "torch": torch.__version__,
                "numpy": np.__version__,
            },
        },
    }
