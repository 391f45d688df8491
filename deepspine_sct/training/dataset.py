"""Cases to tensors: an endless, indexable stream of simulated and real training samples.

Sample ``i`` of seed ``n`` is the same bytes whoever draws it, in whatever order: training can stop
and resume, and any number of workers give the same stream.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch.utils.data import Dataset

from deepspine_sct.anatomy import N_DISCS
from deepspine_sct.image.preprocessing import normalise
from deepspine_sct.simulation.atlas import Atlas
from deepspine_sct.simulation.lower_spine import LowerSpine
from deepspine_sct.simulation.lumbar import SITE as LUMBAR_SITE
from deepspine_sct.simulation.simulator import Case, simulate
from deepspine_sct.training.folds import NO_FOLD
from deepspine_sct.training.prepared_slices import PreparedSlices, soften
from deepspine_sct.training.real import RealSlice, augment
from deepspine_sct.training.targets import STRIDE, Batch, make_targets
from deepspine_sct.training.variation import vary

SHAPES = ((128, 128), (160, 96), (288, 64))  # windows of about equal cost; every batch has one
_SHAPE_SHARES = (0.6, 0.2, 0.2)
_LUMBAR_TURNS = 3  # lumbar images come so many times as often as those of another kind


class SampleStream(Dataset):
    """Batches of samples; item ``i`` is batch ``i`` (so that a batch has one window shape).

    Parameters
    ----------
    atlas : the straight spine to simulate from; None where every sample is real
    slices : real images to mix in; may be empty
    real_share : share of the samples that are real
    families : contrasts to simulate, keys of `contrast.FAMILIES`; None draws them by their shares
    flip_share : share of the samples that are mirrored front to back. No spine looks like that: it
        is the original's augmentation, kept to measure what it costs
    n_discs : discs that the network has a channel for
    lower : real lower spines to build the simulated ones with
    folds : fold of each real subject (see `folds`), which goes into the batch
    """

    def __init__(
        self,
        atlas: Atlas | None,
        slices: Sequence[RealSlice | PreparedSlices],
        batch_size: int,
        n_batches: int,
        seed: int,
        real_share: float = 0.0,
        spacing_mm: float = 2.0,
        families: tuple[str, ...] | None = None,
        flip_share: float = 0.0,
        n_discs: int = N_DISCS,
        lower: Sequence[LowerSpine] = (),
        folds: Mapping[str, int] | None = None,
    ):
        self.atlas, self.batch_size, self.n_batches, self.seed = atlas, batch_size, n_batches, seed
        self.real_share = real_share if slices else 0.0
        self.spacing_mm = spacing_mm
        self.families, self.flip_share, self.n_discs = families, flip_share, n_discs
        self.lower, self.folds = lower, folds or {}
        # Kinds take turns, so that few T2w slices of the neck weigh as much as many T1w ones; lumbar ones take more.
        kinds = sorted({_kind(s) for s in slices})
        self.by_kind = [[s for s in slices if _kind(s) == kind] for kind in kinds]
        turns = np.array([_LUMBAR_TURNS if is_lumbar else 1 for is_lumbar, _ in kinds])
        self.kind_shares = turns / turns.sum() if len(kinds) else turns
        if atlas is None and self.real_share < 1:
            raise ValueError("without an atlas every sample must be real")

    def __len__(self) -> int:
        return self.n_batches

    def __getitem__(self, index: int) -> Batch:
        rng = np.random.default_rng([self.seed, index])
        shape = SHAPES[rng.choice(len(SHAPES), p=_SHAPE_SHARES)]
        samples = [self._sample(rng, shape) for _ in range(self.batch_size)]
        return {key: torch.from_numpy(np.stack([s[key] for s in samples])) for key in samples[0]}

    def vary(self, batch: Batch, step: int) -> Batch:
        """Return a batch that was learnt before, altered for an optimiser step; see `variation`."""
        device = batch["image"].device
        seed = int(np.random.SeedSequence([self.seed, step]).generate_state(1)[0])
        return vary(batch, torch.Generator(device).manual_seed(seed), self.spacing_mm)

    def _sample(self, rng, shape) -> dict[str, np.ndarray]:
        case = self._draw(rng, shape)
        if self.flip_share and rng.random() < self.flip_share:
            case = mirror(case)
        fold = np.int64(self.folds.get(case.subject, NO_FOLD))
        return to_sample(case, n_discs=self.n_discs) | {"fold": fold}

    def _draw(self, rng, shape) -> Case:
        if rng.random() < self.real_share:
            sources = self.by_kind[rng.choice(len(self.by_kind), p=self.kind_shares)]
            source = sources[rng.integers(len(sources))]
            if isinstance(source, PreparedSlices):
                slab, presence = source.draw(rng)
                case = soften(augment(rng, slab, shape, self.spacing_mm), presence)
                return replace(case, subject=source.name)
            return augment(rng, source, shape, self.spacing_mm)
        family = str(rng.choice(self.families)) if self.families else None
        return simulate(rng, self.atlas, shape, self.spacing_mm, family, lower=self.lower)


def _kind(source: RealSlice | PreparedSlices) -> tuple[bool, str]:
    """Say what takes turns in the stream: lumbar images, and the others by their contrast."""
    return source.site == LUMBAR_SITE, source.contrast


def mirror(case: Case) -> Case:
    """Mirror a case front to back."""
    columns = case.image.shape[1] - 1 - case.tips_rc[:, 1]
    return replace(
        case,
        image=case.image[:, ::-1],
        tips_rc=np.column_stack([case.tips_rc[:, 0], columns]),
        level_mm=case.level_mm[:, ::-1],
        known=case.known[:, ::-1],
    )


def to_sample(case: Case, n_discs: int = N_DISCS) -> dict[str, np.ndarray]:
    """Turn a case into arrays for the network, on heatmap pixels of `STRIDE` image pixels.

    Returns
    -------
    image (1, H, W); target (n_discs + 1, h, w) and look (1, h, w), see `make_targets`; level (1, h, w) in 100 mm, NaN
    where it is not taught; known (1, h, w); and, to alter the image later, tips_rc (n_discs, 2) [image pixel] and
    presence (n_discs,).
    """
    height, width = case.image.shape
    tips_rc, presence = (a[:n_discs].astype(np.float32) for a in (case.tips_rc, case.presence))
    truth = torch.from_numpy(tips_rc)[None], torch.from_numpy(presence)[None]
    targets = make_targets(*truth, (height, width), case.spacing_mm)
    blocks = (height // STRIDE, STRIDE, width // STRIDE, STRIDE)
    known = np.all(case.known.reshape(blocks), axis=(1, 3))
    return {
        "image": normalise(case.image)[None],
        "target": targets["target"][0].numpy(),
        "level": (case.level_mm.reshape(blocks).mean((1, 3))[None] / 100).astype(np.float32),
        "known": known[None].astype(np.float32),
        "look": targets["look"][0].numpy(),
        "tips_rc": tips_rc,
        "presence": presence,
    }
