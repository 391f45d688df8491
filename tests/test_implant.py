"""Metal in simulated scans: a void, and an honest mask of what it hides."""

import numpy as np

from deepspine_sct.simulation.implant import add_implant


def test_metal_darkens_what_the_mask_says_and_nothing_far_away():
    """Where the mask is False at least half of the signal is gone; most of the image is as it was."""
    s_mm, u_mm = np.meshgrid(np.arange(500.0, 300.0, -2.0), np.arange(80.0, -80.0, -2.0), indexing="ij")
    hidden = []
    for seed in range(50):
        image = np.ones(s_mm.shape, np.float32)
        seen = add_implant(np.random.default_rng(seed), image, s_mm, u_mm)
        assert image[~seen].max(initial=0) < 1.0 and image[~seen].mean() < 0.5
        assert np.mean(np.abs(image - 1) < 0.02) > 0.6
        assert np.abs(u_mm[~seen]).max(initial=0) < 70
        hidden.append((~seen).sum())
    assert np.median(hidden) > 10
