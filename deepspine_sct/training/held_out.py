"""Images that training never sees, as (name, slabs, discs), to be labelled after every epoch."""

import numpy as np

from deepspine_sct.data.bids import CONTRASTS
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.volume import Volume
from deepspine_sct.simulation.atlas import SLAB_MM
from deepspine_sct.simulation.simulator import Case, simulate
from deepspine_sct.training.recipe import FAMILIES, Sources

Labelled = tuple[str, Volume, dict[int, np.ndarray]]

_SHAPE = (128, 128)
_STREAM = 1  # tells the seeds of validation from those of training, which have one number less


def held_out(sources: Sources, contrast: str = "all", n_simulated: int = 24) -> list[Labelled]:
    """Return the validation part of the prepared set, or simulated windows where there is none.

    Parameters
    ----------
    sources : what training learns from
    contrast : "t1", "t2" or "all"
    n_simulated : windows to simulate where there is no prepared set
    """
    if sources.prepared:
        contrasts = None if contrast == "all" else (CONTRASTS[contrast],)
        cases = sources.prepared.select("val", contrasts)
        return [(case.name, case.load(), case.points) for case in cases]
    families = FAMILIES.get(contrast, FAMILIES["t1"] + FAMILIES["t2"])
    return [_simulated(sources, families[n % len(families)], n) for n in range(n_simulated)]


def _simulated(sources: Sources, family: str, n: int) -> Labelled:
    rng = np.random.default_rng([0, _STREAM, n])
    case = simulate(rng, sources.atlas, _SHAPE, sources.spacing_mm, family, off_middle=False)
    return (f"{family}_{n:02d}", *as_slab(case))


def as_slab(case: Case) -> tuple[Volume, dict[int, np.ndarray]]:
    """Place a case in the world as one slab in (L, I, P), and its discs with it."""
    mm = case.spacing_mm
    affine = np.array([[-SLAB_MM, 0, 0, 0], [0, 0, -mm, 0], [0, -mm, 0, 0], [0, 0, 0, 1.0]])
    grid = Grid((1, *case.image.shape), affine)
    seen = np.flatnonzero(case.presence > 0)
    points = {int(v) + 1: grid.to_world(np.array([0, *case.tips_rc[v]])) for v in seen}
    return Volume(case.image[None], grid), points
