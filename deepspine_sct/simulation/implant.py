"""Metal near the spine: a void without signal, and the signal that it pushed aside."""

import numpy as np

from deepspine_sct.simulation.noise import smooth_noise

RATE = 0.04
"""Share of the simulated images with an implant."""

# Where implants lie (u of the centre), how deep they are and how long (half axes) [mm]: screws and rods behind the
# bodies, a plate in front of them, a cage or an artificial disc between two.
_KINDS = (((-38, -8), (6, 14), (12, 70)), ((18, 36), (4, 9), (10, 40)), ((6, 28), (7, 15), (6, 14)))


def add_implant(rng: np.random.Generator, image: np.ndarray, s_mm: np.ndarray, u_mm: np.ndarray) -> np.ndarray:
    """Draw one implant into the image (H, W), in place; return the boolean mask (H, W) of what it leaves to be seen."""
    (front, depth, length) = _KINDS[rng.integers(len(_KINDS))]
    near = np.abs(u_mm) < 20
    centre_s_mm = rng.uniform(s_mm[near].min(), s_mm[near].max()) if near.any() else float(s_mm.mean())
    radius = np.hypot((u_mm - rng.uniform(*front)) / rng.uniform(*depth), (s_mm - centre_s_mm) / rng.uniform(*length))
    radius = radius + rng.uniform(0.05, 0.3) * smooth_noise(rng, image.shape, (5, 5))
    void = np.clip((1.0 - radius) / 0.15 + 0.5, 0, 1)
    piled_up = rng.uniform(0, 1.5) * np.exp(-np.square((radius - 1.15) / 0.12))
    image *= 1 - void
    image += (piled_up * (1 - void) * np.percentile(image, 95)).astype(image.dtype)
    return void < 0.5
