"""Images that training never sees, to be labelled after every epoch."""

import numpy as np

from deepspine_sct.data.bids import CONTRASTS
from deepspine_sct.data.labelled_image import LabelledImage
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.volume import Volume
from deepspine_sct.simulation.atlas import SLAB_MM
from deepspine_sct.simulation.contrast import FAMILIES_OF
from deepspine_sct.simulation.simulator import Case, simulate
from deepspine_sct.training.recipe import Sources

_SHAPE = (128, 128)
N_SIMULATED = 24
"""Windows to simulate where there is no prepared set."""

_STREAM = 1  # tells the seeds of validation from those of training, which have one number less


def held_out(sources: Sources, contrast: str = "all") -> list[LabelledImage]:
    """Return the validation part of the prepared set, or simulated windows where there is none.

    Their slabs are read here, once, because they are labelled after every epoch.

    Parameters
    ----------
    sources : what training learns from
    contrast : "t1", "t2" or "all"
    """
    if sources.prepared:
        contrasts = None if contrast == "all" else (CONTRASTS[contrast],)
        return [image.in_memory() for image in sources.prepared.select("val", contrasts)]
    families = FAMILIES_OF.get(contrast, FAMILIES_OF["t1"] + FAMILIES_OF["t2"])
    return [_simulated(sources, families[n % len(families)], n) for n in range(N_SIMULATED)]


def _simulated(sources: Sources, family: str, n: int) -> LabelledImage:
    rng = np.random.default_rng([0, _STREAM, n])
    case = simulate(rng, sources.atlas, _SHAPE, sources.spacing_mm, family, off_middle=False)
    return as_slab(case, f"{family}_{n:02d}")


def as_slab(case: Case, name: str) -> LabelledImage:
    """Place a case in the world as one slab in (L, I, P), and the discs that are seen with it."""
    grid = Grid.sagittal((1, *case.image.shape), (SLAB_MM, case.spacing_mm, case.spacing_mm))
    seen = np.flatnonzero(case.presence > 0)
    points = {int(v) + 1: grid.to_world(np.array([0, *case.tips_rc[v]])) for v in seen}
    slab = Volume(case.image[None], grid)
    return LabelledImage(name, points, lambda: slab, has_slabs=True)
