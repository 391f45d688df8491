"""Heatmaps of discs, drawn pixel by pixel as the formula says: an independent twin of the training targets."""

import numpy as np


def draw_gaussians(points_rc: np.ndarray, shape: tuple[int, int], sigma_px: float) -> np.ndarray:
    """Draw one Gaussian of peak 1 per disc: (K, 2) rows and columns, NaN where it is absent, to (K, h, w) float32."""
    pixels_rc = np.stack(np.indices(shape), axis=-1)
    away2_px = np.square(pixels_rc - np.asarray(points_rc, float)[:, None, None]).sum(-1)
    return np.nan_to_num(np.exp(-away2_px / (2 * sigma_px**2))).astype(np.float32)
