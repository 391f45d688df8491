"""A prepared image as training slices: its slabs near the spine, and what each may say of the discs."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from deepspine_sct.anatomy import N_DISCS
from deepspine_sct.data.labelled_image import LabelledImage
from deepspine_sct.image.slab import extract_slabs
from deepspine_sct.image.volume import Volume
from deepspine_sct.simulation.atlas import SLAB_MM
from deepspine_sct.simulation.lumbar import CANAL, DISC, VERTEBRA, LumbarSubject
from deepspine_sct.simulation.lumbar import SITE as LUMBAR_SITE
from deepspine_sct.simulation.simulator import Case
from deepspine_sct.training.real import RealSlice

# As the simulator has it: a disc speaks fully up to here off a slab, and not at all beyond.
FULL_MM, SILENT_MM = 4.0, 9.0
FARTHEST_MM = 16.0  # slabs farther off the spine never train
_STEP_MM, _PIXEL_MM = 2.0, 1.5  # of a lumbar subject's slabs
_MIDDLE_SHARE = 0.6  # of the samples that show the middle of the spine, as in the simulator


@dataclass(frozen=True)
class PreparedSlices:
    """The slabs of one image that show the spine or what is beside it.

    Attributes
    ----------
    name, site, contrast : as `RealSlice`
    slices : one per slab, from right to left
    presence : (n, 25) how far each slab may speak of each disc: 1 on its middle, 0 far off or
        absent
    middle : index of the slice nearest to the discs
    """

    name: str
    site: str
    contrast: str
    slices: tuple[RealSlice, ...]
    presence: np.ndarray
    middle: int

    def draw(self, rng: np.random.Generator) -> tuple[RealSlice, np.ndarray]:
        """Choose a slab, most often the middle one; return it and its presence (25,)."""
        chosen = self.middle if rng.random() < _MIDDLE_SHARE else int(rng.integers(len(self.slices)))
        return self.slices[chosen], self.presence[chosen]


def stack_subject(subject: LumbarSubject) -> PreparedSlices:
    """Cut a lumbar subject and its tissues into slabs, as inference does, on finer pixels."""
    cut = partial(extract_slabs, step_mm=_STEP_MM, thickness_mm=SLAB_MM, spacing_mm=_PIXEL_MM)
    slabs = cut(subject.scan)
    kinds = [cut(Volume((subject.tissue == k).astype(np.float32), subject.scan.grid)) for k in (VERTEBRA, DISC, CANAL)]
    tissue = np.stack([kind.data for kind in kinds], -1)
    image = LabelledImage(subject.name, subject.points, lambda: slabs, site=LUMBAR_SITE, contrast="T2w", has_slabs=True)
    return stack_slabs(image, tissue)


def stack_slabs(image: LabelledImage, tissue: np.ndarray | None = None) -> PreparedSlices:
    """Make a stack of training slices from an image whose `load` gives slabs.

    ``tissue`` (N, H, W, 3) is the share of vertebra, disc and canal, where it is known.
    """
    slabs = image.load()
    step_mm, spacing_mm, _ = slabs.grid.zooms_mm
    tips_ijk = np.full((N_DISCS, 3), np.nan)
    for value, xyz_mm in image.points.items():
        tips_ijk[value - 1] = slabs.grid.to_index(xyz_mm)
    off_mm = np.abs(np.arange(len(slabs.data))[:, None] - tips_ijk[:, 0]) * step_mm  # (N, 25)
    nearest_mm = np.nanmin(off_mm, axis=1)
    used = np.flatnonzero(nearest_mm <= max(FARTHEST_MM, nearest_mm.min()))
    presence = np.nan_to_num(np.clip((SILENT_MM - off_mm[used]) / (SILENT_MM - FULL_MM), 0, 1))
    slices = tuple(
        # A copy: a view would keep the slabs that are not used in memory.
        RealSlice(
            image.name,
            image.site,
            image.contrast,
            slabs.data[k].copy(),
            tips_ijk[:, 1:],
            float(spacing_mm),
            None if tissue is None else tissue[k].copy(),
        )
        for k in used
    )
    middle = int(np.nanmean(off_mm[used], axis=1).argmin())
    return PreparedSlices(image.name, image.site, image.contrast, slices, presence, middle)


def soften(case: Case, presence: np.ndarray) -> Case:
    """Make a case say of each disc only as much as its slab shows; beside the spine it teaches no level."""
    level_mm = case.level_mm if presence.any() else np.full_like(case.level_mm, np.nan)
    return replace(case, presence=case.presence * presence, level_mm=level_mm)
