"""Which slabs of a scan are worth a look: a coarse survey of its width, then the slabs around the spine."""

from __future__ import annotations

import numpy as np

from ..image.volume import Volume, crop
from .settings import DEFAULTS, PredictorSettings


def coarse_slabs(n_slabs: int, settings: PredictorSettings = DEFAULTS) -> range:
    """Return every third of ``n_slabs`` slabs, an odd number, with the middle one among them."""
    return range(n_slabs // 2 % settings.coarse_stride, n_slabs, settings.coarse_stride)


def slabs_with_contrast(images: np.ndarray, settings: PredictorSettings = DEFAULTS) -> slice:
    """Find the first and the last of (n, H, W) images with contrast; beside them is air.

    Brought to unit variance, the noise of air makes the network see discs.
    """
    contrast = images.std(axis=(1, 2), dtype=np.float64)  # squares may exceed a single float
    inside = np.flatnonzero(contrast >= settings.air * contrast.max())
    return slice(inside[0], inside[-1] + 1)


def without_air(image: Volume, slabs: Volume, settings: PredictorSettings = DEFAULTS) -> Volume:
    """Cut the rows and the columns off an image in which its slabs show air only.

    What the network sees, and how bright it sees it, is then the same however much air a scan was
    given, or robbed of. Numbers of pixels decide, as shares of the image would depend on the air.

    Parameters
    ----------
    image : Volume
        In (L, I, P).
    slabs : Volume
        (n, H, W) of the whole image.
    settings : PredictorSettings
        What is air.

    Returns
    -------
    Volume
        A view of the same memory, whole where no row and no column is air.
    """
    darkest = slabs.data.min()
    n_bright = min(settings.bright_px * len(slabs.data), slabs.data.size)
    bright = np.partition(slabs.data, -n_bright, axis=None)[-n_bright]
    shown = slabs.data > darkest + settings.dark * (bright - darkest)
    low_ijk, high_ijk = np.zeros(3, int), np.array(image.grid.shape)
    for axis in (1, 2):
        at = np.flatnonzero(shown.sum(axis=3 - axis).max(axis=0) >= settings.shown_px)
        if len(at) == 0:
            return image
        faces_px = np.zeros((2, 3))
        faces_px[:, axis] = at[0] - 0.5, at[-1] + 0.5
        low, high = image.grid.to_index(slabs.grid.to_world(faces_px))[:, axis] + 0.5
        if at[0] > 0:  # the outermost pixels need not reach the image's own faces
            low_ijk[axis] = np.floor(low)
        if at[-1] < shown.shape[axis] - 1:
            high_ijk[axis] = np.ceil(high)
    return crop(image, low_ijk, high_ijk)


def slabs_around_spine(
    coarse: range, heatmaps: np.ndarray, n_slabs: int, settings: PredictorSettings = DEFAULTS
) -> range:
    """Find the slabs from the first to the last that shows the spine, with a margin.

    Parameters
    ----------
    coarse : range
        The n slabs that were looked at.
    heatmaps : (n, K, h, w) array
        What the network saw there.
    n_slabs : int
        Slabs of the scan.
    settings : PredictorSettings
        What shows the spine, and how wide the margin is.

    Returns
    -------
    range
        Slabs to look at, without a gap.
    """
    evidence = heatmaps.sum(axis=(1, 2, 3))
    shown = np.flatnonzero(evidence >= settings.trace * evidence.max())
    first, last = coarse[shown[0]] - settings.margin_slabs, coarse[shown[-1]] + settings.margin_slabs
    return range(max(0, first), min(n_slabs, last + 1))


def shows_spine(heatmaps: np.ndarray, settings: PredictorSettings = DEFAULTS) -> bool:
    """Whether heatmaps (n, K, h, w) show so many names clearly that the others cannot be far away."""
    return int((heatmaps.max(axis=(0, 2, 3)) >= settings.clear).sum()) >= settings.clear_discs


def columns_around_spine(heatmaps: np.ndarray, pixel_mm: float, multiple: int, settings: PredictorSettings) -> slice:
    """Find the columns of heatmaps that show the spine, and as much beside it as names it.

    Parameters
    ----------
    heatmaps : (n, K, h, w) array
        What the network saw in the coarse slabs.
    pixel_mm : float
        Width of their pixels.
    multiple : int
        The number of columns is a multiple of this, or all of them.
    settings : PredictorSettings
        What shows the spine, and how wide its surroundings are.

    Returns
    -------
    slice
        First column, and the one after the last.
    """
    evidence = heatmaps.sum(axis=(0, 1, 2))
    shown = np.flatnonzero(evidence >= settings.column_trace * evidence.max())
    margin = settings.beside_mm / pixel_mm
    return window(shown[0] - margin, shown[-1] + margin, len(evidence), multiple)


def window(first: float, last: float, n: int, multiple: int) -> slice:
    """Find a multiple of pixels, or all ``n``, from a first to a last one that may lie beyond the image."""
    width = min(n, multiple * int(np.ceil((last + 1 - first) / multiple)))
    start = int(np.clip((first + last + 1 - width) // 2, 0, n - width))
    return slice(start, start + width)
