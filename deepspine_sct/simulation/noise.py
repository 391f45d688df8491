"""Smooth random fields, the raw material of textures, organ borders and bias fields."""

import numpy as np
from scipy.interpolate import CubicSpline


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cells: tuple[float, float]) -> np.ndarray:
    """Return a (H, W) float32 field of unit spread that varies over about ``cells`` = (rows, columns) pixels."""
    coarse = tuple(max(2, int(np.ceil(n / c)) + 1) for n, c in zip(shape, cells, strict=True))
    knots = rng.standard_normal(coarse).astype(np.float32)
    rows, cols = (np.linspace(0, c - 1, n, dtype=np.float32) for n, c in zip(shape, coarse, strict=True))
    return _lerp(_lerp(knots, rows, 0), cols, 1)


def _lerp(values: np.ndarray, at: np.ndarray, axis: int) -> np.ndarray:
    low = np.minimum(at.astype(int), values.shape[axis] - 2)
    weight = at - low
    weight = weight[:, None] if axis == 0 else weight
    return values.take(low, axis) * (1 - weight) + values.take(low + 1, axis) * weight


def smooth_curve(rng: np.random.Generator, at: np.ndarray, period: float, spread: float) -> np.ndarray:
    """Evaluate a random smooth function of length scale ``period`` and deviation ``spread`` at ``at`` (any shape)."""
    low, high = float(at.min()), float(at.max())
    knots = np.arange(low - period, high + 2 * period, period)
    curve = CubicSpline(knots, rng.normal(0, spread, len(knots)))
    fine = np.linspace(low, high, 256)
    return np.interp(at, fine, curve(fine))
