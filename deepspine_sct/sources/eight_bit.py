"""Intensities in one byte: enough for training, and a quarter of the disk."""

import numpy as np

BRIGHTEST = 99.8
"""Percentile of what is not black that becomes 255; only vessels and hot spots lie above."""


def eight_bit(data: np.ndarray) -> np.ndarray:
    """Scale intensities of any range to 0..255 uint8; negative ones become 0."""
    positive = data[data > 0]
    top = np.percentile(positive, BRIGHTEST) if positive.size else 1.0
    return np.clip(np.round(data * (255.0 / top)), 0, 255).astype(np.uint8)
