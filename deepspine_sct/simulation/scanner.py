"""What happens to a body between the magnet and the file: coils, resolution, noise, defacing, field of view."""

import numpy as np
from scipy import ndimage

from deepspine_sct.simulation.noise import smooth_noise

_INVERTED = 0.04  # share of the images with bright and dark exchanged
_SHORT, _SHORT_MM = 0.1, (45.0, 120.0)  # share of the images that show but a short piece of the spine, and its length
_SIGNAL_FLOOR = 0.05  # what a coil receives with less than this share of its best sensitivity is lost in noise


def scan(
    rng: np.random.Generator, image: np.ndarray, spacing_mm: float, partial: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Degrade a noise-free image (H, W); return it and the boolean (H, W) mask of what can still be seen.

    ``partial`` allows parts of the image to be cropped, defaced or out of the coil's reach, and bright and dark to be
    exchanged.
    """
    shape = image.shape
    image = image * np.exp(rng.uniform(0, 0.35) * smooth_noise(rng, shape, (45, 45)))
    sensitivity = _coil(rng, shape, spacing_mm) if partial else np.ones(shape, np.float32)
    image = image * sensitivity
    image = image * (1 + rng.uniform(0, 0.15) * smooth_noise(rng, shape, (1.5, 1.5)))
    image = np.abs(_blur(rng, image))
    sigma = rng.choice([0.005, 0.02, 0.04, 0.06]) * rng.uniform(0.5, 1.5) * np.percentile(image, 98)
    image = np.hypot(image + rng.normal(0, sigma, shape), rng.normal(0, sigma, shape))  # Rician
    image = image ** rng.uniform(0.75, 1.3)
    visible = _field_of_view(rng, shape, spacing_mm) if partial else np.ones(shape, bool)
    image[~visible] = 0 if rng.random() < 0.8 else rng.uniform(0, 0.3) * image.max()
    if partial and rng.random() < _INVERTED:
        image = image.max() - image
    return image.astype(np.float32), visible & (sensitivity > _SIGNAL_FLOOR * sensitivity.max())


def _coil(rng, shape, spacing_mm) -> np.ndarray:
    """Sensitivity of a coil behind the spine (falls off towards anterior) and, at times, at one end."""
    rows, cols = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    sensitivity = np.ones(shape, np.float32)
    if rng.random() < 0.6:
        depth_mm = np.maximum(rng.uniform(0.5, 0.9) * shape[1] - cols, 0) * spacing_mm
        sensitivity *= np.exp(-depth_mm / rng.uniform(60, 250))
    if rng.random() < 0.5:
        centre = rng.uniform(0.1, 0.9) * shape[0]
        reach_px = rng.uniform(60, 200) / spacing_mm
        sensitivity *= np.exp(-0.5 * np.square((rows - centre) / reach_px))
    if rng.random() < 0.25:  # ever darker along the spine
        along = rows if rng.random() < 0.5 else shape[0] - 1 - rows
        sensitivity *= np.exp(-along * spacing_mm / rng.uniform(50, 250))
    return sensitivity


def _blur(rng, image) -> np.ndarray:
    kind = rng.random()
    if kind < 0.35:
        return ndimage.gaussian_filter(image, rng.uniform(0.2, 1.0))
    if kind < 0.55:  # acquired coarser than the working grid, one axis or both
        factor = rng.uniform(1.0, 1.9, 2) if rng.random() < 0.6 else np.array([rng.uniform(1, 2.5), 1.0])
        size = np.maximum((np.array(image.shape) / factor).astype(int), 8)
        coarse = ndimage.zoom(ndimage.gaussian_filter(image, factor / 3), size / np.array(image.shape), order=1)
        return ndimage.zoom(coarse, np.array(image.shape) / size, order=1)
    return image


def _field_of_view(rng, shape, spacing_mm: float) -> np.ndarray:
    """Choose where there is signal: a random crop, and at times a defacing cut in the upper anterior corner."""
    visible = np.ones(shape, bool)
    if rng.random() < _SHORT:
        n_rows = int(min(shape[0], rng.uniform(*_SHORT_MM) / spacing_mm))
        top = rng.integers(0, shape[0] - n_rows + 1)
        visible[:top] = visible[top + n_rows :] = False
    elif rng.random() < 0.35:
        for axis, n in enumerate(shape):
            low, high = int(rng.uniform(0, 0.3) * n), int(rng.uniform(0.7, 1.0) * n)
            outside = np.r_[0:low, high:n] if rng.random() < 0.6 else np.r_[0:0]
            visible[(outside, slice(None)) if axis == 0 else (slice(None), outside)] = False
    if rng.random() < 0.3:
        row = slice(int(rng.uniform(0.1, 0.6) * shape[0]), int(rng.uniform(0.6, 1.3) * shape[0]))
        visible[row, : int(rng.uniform(0.05, 0.38) * shape[1])] = False
    return visible
