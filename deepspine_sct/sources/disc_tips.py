"""Posterior tips of the discs from masks of a volume."""

import numpy as np

from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.grid import Grid

TIP_SHARE = 0.04
"""Share of a disc's pixels, the most posterior ones, that its tip is the middle of. One pixel alone would follow every
tooth of the mask. Against the points that shipped weights trained on: 0.5 mm on average (tests/test_sources.py)."""


def middle_slice(canal: np.ndarray) -> int:
    """Return the sagittal slice nearest to the middle of a canal mask (N, H, W)."""
    return int(np.floor(np.nonzero(canal)[0].mean() + 0.5))


def posterior_tip(disc: np.ndarray) -> np.ndarray:
    """Return row and column (2,) of the posterior tip of a disc's mask (H, W), columns anterior to posterior."""
    pixels_rc = np.argwhere(disc)
    behind = pixels_rc[:, 1] >= np.percentile(pixels_rc[:, 1], 100 * (1 - TIP_SHARE))
    return pixels_rc[behind].mean(axis=0)


def posterior_tips(discs: np.ndarray, canal: np.ndarray, grid: Grid) -> dict[int, np.ndarray]:
    """Find the tip of every disc in the slice nearest to the middle of the canal that shows the disc.

    Parameters
    ----------
    discs : (N, H, W) disc values in (L, I, P), 0 elsewhere
    canal : (N, H, W) mask of the canal
    grid : of both

    Returns
    -------
    dict of int to (3,) array
        World RAS+ position [mm] of each disc value, increasing.

    Raises
    ------
    DeepspineError
        Where one of the masks is empty.
    """
    if not canal.any() or not discs.any():
        raise DeepspineError("the mask shows no spinal canal or no disc; check that it belongs to the image")
    middle = middle_slice(canal)
    tips = {}
    for value in sorted(set(np.unique(discs).tolist()) - {0}):
        shown = np.flatnonzero((discs == value).any(axis=(1, 2)))
        at = int(shown[np.abs(shown - middle).argmin()])
        tips[int(value)] = grid.to_world(np.array([at, *posterior_tip(discs[at] == value)]))
    return tips
