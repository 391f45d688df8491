"""Heatmaps to disc candidates in world mm."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..model.output import Prediction

CORE_MM = 4.5  # radius around a peak that speaks for its disc alone: discs are 10 mm apart or more
FARTHEST_BEYOND_PX = 2.5  # from the last pixel to a centre beyond the border: half a pixel of 4 mm, and 8 mm
SEPARATION_MM = 7.0
"""Of two peaks nearer than this in the sagittal plane, the stronger one stays. Slabs see the same disc over several cm
of left-right, so that distance does not separate discs."""
MAX_PEAKS = 200  # only the strongest are looked at: a network gone mad must not take minutes


@dataclass(frozen=True, eq=False)
class Candidates:
    """Places that may be disc tips, and what the network says of each; superior to inferior.

    Attributes
    ----------
    xyz_mm : (n, 3)
        World RAS+ position [mm].
    strength : (n,)
        Probability in [0, 1] that there is a disc, whichever.
    evidence : (n, K)
        Share of each disc value ``k + 1``; rows sum to at most 1.
    level_mm : (n,)
        Position along the spine in template mm (see `anatomy.LEVEL_MM`), NaN where unknown.
    """

    xyz_mm: np.ndarray
    strength: np.ndarray
    evidence: np.ndarray
    level_mm: np.ndarray

    def __post_init__(self) -> None:
        """Raise ValueError unless the arrays describe the same n candidates."""
        n = len(self.xyz_mm)
        shapes = (self.xyz_mm.shape, self.strength.shape, self.evidence.shape, self.level_mm.shape)
        if shapes != ((n, 3), (n,), (n, *self.evidence.shape[1:2]), (n,)):
            raise ValueError(f"candidates' arrays disagree: shapes {shapes}")

    def __len__(self) -> int:
        return len(self.xyz_mm)

    def take(self, indices: np.ndarray) -> Candidates:
        """Return the candidates at `indices` ((m,) of int or (n,) of bool), in that order."""
        return Candidates(
            self.xyz_mm[indices],
            self.strength[indices],
            self.evidence[indices],
            self.level_mm[indices],
        )

    @classmethod
    def joined(cls, parts: Sequence[Candidates]) -> Candidates:
        """Put the candidates of several parts of an image into one list, superior to inferior."""
        parts = [part for part in parts if len(part)] or [cls(np.empty((0, 3)), *np.empty((3, 0)))]
        fields = ("xyz_mm", "strength", "evidence", "level_mm")
        every = cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))
        return every.take(every.descending())

    def descending(self) -> np.ndarray:
        """Return the (n,) indices from superior to inferior; equal heights in a fixed order."""
        return descending(self.xyz_mm)


def descending(xyz_mm: np.ndarray) -> np.ndarray:
    """Return the (n,) indices of places (n, 3) from superior to inferior; equal heights in a fixed order."""
    x_mm, y_mm, z_mm = xyz_mm.T
    return np.lexsort((x_mm, y_mm, -z_mm))


def find_candidates(prediction: Prediction, threshold: float = 0.1) -> Candidates:
    """Find the peaks of the heatmaps, wherever they are and whatever they are called.

    Parameters
    ----------
    prediction : Prediction
        Heatmaps (N, K, h, w) and their grid.
    threshold : float
        Least probability of "some disc" at a peak.

    Returns
    -------
    Candidates
        Superior to inferior, each with its own left-right coordinate.
    """
    heatmaps = prediction.heatmaps
    zooms_mm = prediction.grid.zooms_mm[1:]
    total = prediction.any_disc
    # The sum melts two discs 2 sigma apart into one peak. The norm over the channels keeps them
    # apart where the network tells their names apart, and is the sum's equal where it cannot.
    sharp = np.sqrt(np.einsum("nkhw,nkhw->nhw", heatmaps, heatmaps))
    peaks_rc = _peaks(sharp.max(axis=0), total.max(axis=0) >= threshold, SEPARATION_MM / zooms_mm)
    n, k = len(peaks_rc), heatmaps.shape[1]
    if n == 0:
        return Candidates(np.empty((0, 3)), np.empty(0), np.empty((0, k)), np.empty(0))

    radius_px = np.maximum(1, CORE_MM // zooms_mm).astype(int)
    slab_weight = _slab_weights(_windows(sharp, peaks_rc, (1, 1)).max(axis=(-2, -1)))  # (n, N)
    core = np.einsum("mn,mnkrc->mkrc", slab_weight, _windows(heatmaps, peaks_rc, radius_px))
    core_total = core.sum(axis=1, keepdims=True)
    evidence = (core * core_total).sum(axis=(-2, -1)) / core_total.sum(axis=(-2, -1))  # (n, K)
    # Seen through its own names, a disc is free of the skirt of its neighbours.
    own = np.einsum("mk,mkrc->mrc", evidence, core)
    own /= evidence.sum(axis=1)[:, None, None]
    border = (peaks_rc >= heatmaps.shape[2:] - radius_px).astype(int) - (peaks_rc < radius_px)
    rc = peaks_rc + _gaussian_offset(own, border)

    slabs = np.arange(len(heatmaps))
    levels = _windows(prediction.level_mm, peaks_rc, radius_px, fill=np.nan)
    best = slab_weight.argmax(axis=1)
    candidates = Candidates(
        xyz_mm=prediction.grid.to_world(np.column_stack([slab_weight @ slabs, rc])),
        strength=np.minimum(core_total.max(axis=(1, 2, 3)), 1).astype(float),
        evidence=evidence.astype(float),
        level_mm=_median(levels[np.arange(n), best].reshape(n, -1)),
    )
    return candidates.take(candidates.descending())


def _peaks(image: np.ndarray, mask: np.ndarray, separation_px: np.ndarray) -> np.ndarray:
    """Return the (n, 2) local maxima of `image` (h, w) inside `mask`, strongest of each cluster."""
    padded = np.pad(image, 1, constant_values=-np.inf)
    is_peak = (image >= sliding_window_view(padded, (3, 3)).max(axis=(-2, -1))) & mask
    peaks_rc = np.argwhere(is_peak)
    peaks_rc = peaks_rc[np.argsort(-image[is_peak], kind="stable")[:MAX_PEAKS]]
    is_near = np.sum(((peaks_rc[:, None] - peaks_rc) / separation_px) ** 2, axis=-1) < 1
    kept: list[int] = []
    for i, near in enumerate(is_near):
        if not near[kept].any():
            kept.append(i)
    return peaks_rc[kept]


def _windows(stack: np.ndarray, centres_rc: np.ndarray, radius_px: Iterable[int], fill: float = 0) -> np.ndarray:
    """Cut a window around each centre: (..., h, w) -> (n, ..., 2 * r0 + 1, 2 * r1 + 1)."""
    height, width = stack.shape[-2:]
    rows, cols = (centre[:, None] + np.arange(-r, r + 1) for centre, r in zip(centres_rc.T, radius_px, strict=True))
    rows, cols = rows[:, :, None], cols[:, None, :]
    inside = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
    windows = stack[..., rows.clip(0, height - 1), cols.clip(0, width - 1)]
    return np.moveaxis(np.where(inside, windows, np.asarray(fill, stack.dtype)), -3, 0)


def _slab_weights(profile: np.ndarray) -> np.ndarray:
    """Weigh the slabs that see a disc: (n, N) response of each slab -> (n, N), rows sum to 1.

    The weight is the response above half of the best one, in the unbroken run of slabs around it:
    it goes to zero smoothly, so the centroid does not jump when a slab drops out.
    """
    weight = np.maximum(profile - profile.max(axis=1, keepdims=True) / 2, 0)
    position = np.arange(profile.shape[1])
    best = profile.argmax(axis=1)[:, None]
    dark = weight == 0
    first = np.where(dark & (position < best), position, -1).max(axis=1, keepdims=True)
    last = np.where(dark & (position > best), position, len(position)).min(axis=1, keepdims=True)
    weight[(position < first) | (position > last)] = 0
    return weight / weight.sum(axis=1, keepdims=True)


def _median(values: np.ndarray) -> np.ndarray:
    """(n,) median of the numbers in each row; NaN, without a warning, where a row has none."""
    medians = np.full(len(values), np.nan)
    known = ~np.isnan(values).all(axis=1)
    medians[known] = np.nanmedian(values[known], axis=1)
    return medians


def _gaussian_offset(window: np.ndarray, border: np.ndarray) -> np.ndarray:
    """Sub-pixel (row, column) of the peak from its window's centre, (n, 2 * r0 + 1, 2 * r1 + 1).

    Weighted least squares of a Gaussian in the logarithm, weights = intensity squared (H. Guo,
    "A simple algorithm for fitting a Gaussian function", IEEE Signal Processing Magazine, 2011):
    exact for a Gaussian wherever its centre, and deaf to the noise in its tails. Where the fit is no
    peak near the centre, the centroid. ``border`` (n, 2) says of each axis whether the window reaches over
    the first (-1) or the last pixel (1), or over neither (0). Where it does, one side of the peak is missing, so
    that the width has to come from the other axis, and the centre may lie beyond the border.
    """
    n, height, width = window.shape
    rows, cols = np.mgrid[:height, :width].reshape(2, -1) - [[height // 2], [width // 2]]
    values = window.reshape(n, -1).astype(float)
    values /= values.max(axis=1, keepdims=True)
    centroid = values @ np.column_stack([rows, cols]) / values.sum(axis=1, keepdims=True)
    ellipse = _fitted(values, [rows, cols, rows**2, cols**2])
    circle = _fitted(values, [rows, cols, rows**2 + cols**2])[:, [0, 1, 2, 2]]
    slopes, bends = np.split(np.where(border.any(axis=1, keepdims=True), circle, ellipse), 2, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        fit = -slopes / (2 * bends)
    near = (np.abs(fit) <= 1) | ((fit * border > 0) & (fit * border <= FARTHEST_BEYOND_PX))
    return np.where(((bends < 0) & near).all(axis=1, keepdims=True), fit, centroid)


def _fitted(values: np.ndarray, terms: Sequence[np.ndarray]) -> np.ndarray:
    """Coefficients (n, len(terms)) of the logarithm of values (n, p) in terms (p,), by weighted least squares."""
    basis = np.stack([np.ones_like(terms[0]), *terms], axis=1)
    weight = values**2
    normal = np.einsum("np,pi,pj->nij", weight, basis, basis) + 1e-9 * np.eye(len(basis[0]))
    moment = np.einsum("np,pi->ni", weight * np.log(np.maximum(values, 1e-12)), basis)
    return np.linalg.solve(normal, moment[..., None])[:, 1:, 0]
