"""Scans that darken along the spine, as far from a coil: every part of them brought to one brightness."""

from __future__ import annotations

import numpy as np

from .volume import Volume

DARKENING = 12.0
"""A scan is evened where its bright rows are so many times as bright as its dark ones: nine in ten of the rows that
show anything are darker than the former, one in ten is darker than the latter."""

_SMOOTH_MM = 30.0  # standard deviation of the profile's smoothing: of the order of a vertebra, not of a disc
_PERCENTILE = 95  # of a row: tissue, wherever it lies in the row
_ALIKE = 0.85  # neighbouring rows of tissue correlate at least so much; those of noise do not
_LARGEST_GAIN = 500.0
_FEWEST_SLICES, _FEWEST_COLUMNS = 4, 128  # so many are looked at, or up to twice as many: a profile needs no more


def even_brightness(volume: Volume) -> Volume:
    """Bring the rows of a scan to one brightness where they darken strongly along the spine.

    Parameters
    ----------
    volume : Volume
        Image in the orientation (L, I, P).

    Returns
    -------
    Volume
        The same object where the scan does not darken by `DARKENING`; else a float32 copy.
    """
    profile = _profile(volume.data)
    shown = _is_tissue(volume.data) & (profile > 0)
    if shown.sum() < 3 or darkening(profile[shown]) < DARKENING:
        return volume
    rows = np.arange(len(profile))
    # Between and beyond the rows of tissue the gain goes on as it was: noise gets no gain of its own.
    logarithm = np.interp(rows, rows[shown], np.log(profile[shown]))
    smooth = _smoothed(logarithm, _SMOOTH_MM / volume.grid.zooms_mm[1])
    gain = np.minimum(np.exp(smooth.max() - smooth), _LARGEST_GAIN).astype(np.float32)
    return Volume(volume.data * gain[None, :, None], volume.grid)


def darkening(profile: np.ndarray) -> float:
    """How many times the dark rows of a positive profile (n,) are as dark as its bright ones."""
    dark, bright = np.percentile(profile, (10, 90))
    return float(bright / dark)


def _thinned(data: np.ndarray) -> np.ndarray:
    """(N, H, W) with fewer slices and columns, in float32."""
    step = [max(1, data.shape[0] // _FEWEST_SLICES), 1, max(1, data.shape[2] // _FEWEST_COLUMNS)]
    return data[:: step[0], :, :: step[2]].astype(np.float32)


def _profile(data: np.ndarray) -> np.ndarray:
    """(H,) brightness of tissue in each row."""
    return np.percentile(_thinned(data), _PERCENTILE, axis=(0, 2))


def _is_tissue(data: np.ndarray) -> np.ndarray:
    """(H,) bool: rows that look like the next one; noise and air look like nothing."""
    rows = np.moveaxis(_thinned(data), 1, 0).reshape(data.shape[1], -1)
    _, exponent = np.frexp(np.abs(rows).max(initial=0))
    rows = np.ldexp(rows, -exponent)  # squares of a few huge voxels would not fit into float32
    rows = rows - rows.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(rows, axis=1)
    alike = (rows[:-1] * rows[1:]).sum(axis=1) > _ALIKE * norm[:-1] * norm[1:]
    alike &= (norm[:-1] > 0) & (norm[1:] > 0)
    return np.append(alike, alike[-1:])


def _smoothed(values: np.ndarray, sd_px: float) -> np.ndarray:
    """Gaussian smoothing that goes on straight beyond the ends, so that a steady fall stays one."""
    reach = int(np.ceil(3 * sd_px))
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets / sd_px) ** 2)
    n = min(len(values), max(2, reach))
    before = values[0] + (values[0] - values[n - 1]) / (n - 1) * np.arange(reach, 0, -1)
    after = values[-1] + (values[-1] - values[-n]) / (n - 1) * np.arange(1, reach + 1)
    return np.convolve(np.concatenate([before, values, after]), kernel / kernel.sum(), mode="valid")
