"""Other contrasts for real images: tissue by tissue where masks say what is what, by random filters elsewhere."""

import numpy as np
from scipy import ndimage

from deepspine_sct.simulation.contrast import random_contrast

_SHARES = {"t2": 0.15, "t1_tse": 0.25, "t1": 0.15, "stir": 0.2, "t2s": 0.1, "random": 0.15}


def repaint(rng: np.random.Generator, image: np.ndarray, tissue: np.ndarray) -> np.ndarray:
    """Repaint a real T2w image as another contrast would show it; the texture of each tissue is kept.

    Parameters
    ----------
    image : (H, W) T2w brightness, 1 = cerebrospinal fluid
    tissue : (H, W, 3) share of vertebra, disc and canal in each pixel

    Returns
    -------
    (H, W) float32
    """
    _, means = random_contrast(rng, str(rng.choice(list(_SHARES), p=list(_SHARES.values()))))
    bone, disc, canal = np.moveaxis(tissue, -1, 0)
    if not (bone > 0.8).any():  # beside the spine there is nothing to measure on
        return image
    marks = brightness_marks(image, bone > 0.8, tissue.sum(-1) < 0.1)
    out = (1 - tissue.sum(-1)) * repaint_rest(rng, image, marks, means)
    out += bone * _textured(rng, image, marks[1], means["body"])
    out += disc * _between(image, disc > 0.7, means["annulus"], means["nucleus"])
    # The darkest tenth of the canal is cord and roots.
    out += canal * _between(image, canal > 0.7, means["cord"], means["csf"])
    return np.maximum(out, 0).astype(np.float32)


def repaint_rest(
    rng: np.random.Generator, texture: np.ndarray, marks: tuple[float, float, float], means: dict[str, float]
) -> np.ndarray:
    """Give what is no labelled tissue another contrast: its T2w brightness says what it is.

    Parameters
    ----------
    texture : T2w brightness, any shape, in the units of ``marks``
    marks : of muscle, marrow and fat, see `brightness_marks`
    means : wanted mean of each tissue
    """
    muscle, marrow, fat = marks
    knots = [0.0, 0.4 * muscle, muscle, marrow, fat, 2 * fat]
    values = [means["air"], means["cortex"], means["muscle"], means["body"], means["fat"], means["fat"] * 1.15]
    jitter = rng.normal(1, 0.08, len(knots))
    return np.interp(texture, knots, np.array(values) * jitter).astype(np.float32)


def brightness_marks(scan: np.ndarray, bone: np.ndarray, rest: np.ndarray) -> tuple[float, float, float]:
    """Return the T2w brightness of muscle, marrow and fat, increasing, in the units of the scan.

    ``bone`` and ``rest`` say where the scan shows vertebrae, and where it shows no labelled tissue.
    """
    marrow = float(np.median(scan[bone]))
    around = scan[rest & (scan > 0.15 * marrow)]
    if around.size == 0:
        return 0.5 * marrow, marrow, 2 * marrow
    muscle = min(float(np.percentile(around, 20)), 0.6 * marrow)
    fat = max(float(np.percentile(around, 95)), 1.5 * marrow)
    return muscle, marrow, fat


def _textured(rng, image, typical: float, mean: float) -> np.ndarray:
    """``mean`` times the image's own relative variation, strengthened or weakened."""
    relative = np.clip(image / typical, 0.2, 2.5) - 1
    return mean * (1 + rng.uniform(0.2, 1.0) * rng.choice([1, 1, 1, -0.5]) * relative)


def _between(image, inside, dark: float, bright: float) -> np.ndarray:
    """Map the range of the image inside of a tissue onto ``dark`` to ``bright``."""
    if not inside.any():
        return np.full_like(image, (dark + bright) / 2)
    low, high = np.percentile(image[inside], (10, 90))
    return dark + (bright - dark) * np.clip((image - low) / max(high - low, 1e-3), -0.3, 1.3)


def filtered(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Convolve an image (H, W) of at most about 1 with a small random kernel and mix it with itself.

    Edges and places stay, the look of surfaces changes (random convolutions: Xu et al. 2021).
    """
    kernel = rng.normal(0, 1, (3, 3)) / 3
    look = ndimage.convolve(image, kernel, mode="nearest")
    spread = float(np.ptp(np.percentile(look, (1, 99)))) or 1.0
    look = (look - np.percentile(look, 1)) / spread
    share = rng.uniform(0.2, 0.8)
    return np.clip((1 - share) * image + share * look, 0, 1.5).astype(np.float32)
