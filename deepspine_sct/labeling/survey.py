"""Which slabs of a scan are worth a look: a coarse survey of its width, then the slabs around the spine."""

from __future__ import annotations

import numpy as np

FINE_STEP_MM = 4.0
"""Distance between the slabs around the spine."""
# The network answers to slabs up to 9 mm off a disc's own middle: no spine slips between two coarse slabs.
COARSE_STRIDE = 3  # a coarse slab is every third fine one
MARGIN = 2  # fine slabs on either side of those that show the spine
TRACE = 0.25  # a coarse slab this strong, relative to the best, shows some of the spine
AIR = 0.05  # with less than this share of the highest contrast a slab lies beside the body


def coarse_slabs(n_slabs: int) -> range:
    """Return every third of ``n_slabs`` slabs, an odd number, with the middle one among them."""
    return range(n_slabs // 2 % COARSE_STRIDE, n_slabs, COARSE_STRIDE)


def body(images: np.ndarray) -> slice:
    """Find the first and the last of (n, H, W) images with contrast; beside them is air.

    Brought to unit variance, the noise of air makes the network see discs.
    """
    contrast = images.std(axis=(1, 2), dtype=np.float64)  # squares may exceed a single float
    inside = np.flatnonzero(contrast >= AIR * contrast.max())
    return slice(inside[0], inside[-1] + 1)


def slabs_around_spine(coarse: range, heatmaps: np.ndarray, n_slabs: int) -> range:
    """Find the slabs from the first to the last that shows the spine, with a margin.

    Parameters
    ----------
    coarse : range
        The n slabs that were looked at.
    heatmaps : (n, K, h, w) array
        What the network saw there.
    n_slabs : int
        Slabs of the scan.

    Returns
    -------
    range
        Slabs to look at, without a gap.
    """
    evidence = heatmaps.sum(axis=(1, 2, 3))
    shown = np.flatnonzero(evidence >= TRACE * evidence.max())
    first, last = coarse[shown[0]] - MARGIN, coarse[shown[-1]] + MARGIN
    return range(max(0, first), min(n_slabs, last + 1))
