"""Random contrasts: the mean intensity of every tissue in a simulated scan.

Families follow common spine protocols; a share of fully random ones covers what no list foresees. Intensities are
relative, 1 = the brightest usual tissue. Each entry is (low, high) of a uniform draw.
"""

import numpy as np

FAMILIES = {
    # T1w gradient echo (MPRAGE): discs brighter than marrow, cord bright, CSF dark.
    "t1": dict(
        cord=(0.70, 1.0), csf=(0.12, 0.40), body=(0.18, 0.45), posterior_bone=(0.18, 0.5), annulus=(0.42, 0.75),
        nucleus=(0.42, 0.80), cortex=(0.05, 0.20), muscle=(0.30, 0.55), fat=(0.7, 1.8), grey=(0.55, 0.75),
        white=(0.80, 1.0), clivus=(0.3, 1.2),
    ),
    # T1w turbo spin echo: fatty marrow brighter than discs.
    "t1_tse": dict(
        cord=(0.40, 0.60), csf=(0.08, 0.28), body=(0.40, 0.75), posterior_bone=(0.4, 0.8), annulus=(0.15, 0.45),
        nucleus=(0.20, 0.50), cortex=(0.02, 0.12), muscle=(0.25, 0.45), fat=(0.8, 1.5), grey=(0.35, 0.5),
        white=(0.45, 0.65), clivus=(0.4, 1.0),
    ),
    # T2w turbo spin echo: CSF brightest, discs dark, lumbar nuclei bright.
    "t2": dict(
        cord=(0.32, 0.58), csf=(0.80, 1.2), body=(0.15, 0.50), posterior_bone=(0.12, 0.5), annulus=(0.04, 0.25),
        nucleus=(0.08, 0.75), cortex=(0.02, 0.12), muscle=(0.08, 0.30), fat=(0.25, 0.9), grey=(0.45, 0.7),
        white=(0.32, 0.5), clivus=(0.15, 0.6),
    ),
    # Fat-suppressed T2w (STIR): as T2w, fat and marrow dark.
    "stir": dict(
        cord=(0.35, 0.55), csf=(0.80, 1.2), body=(0.06, 0.22), posterior_bone=(0.05, 0.2), annulus=(0.08, 0.35),
        nucleus=(0.15, 0.85), cortex=(0.02, 0.08), muscle=(0.12, 0.35), fat=(0.02, 0.15), grey=(0.5, 0.75),
        white=(0.35, 0.5), clivus=(0.05, 0.25),
    ),
    # T2*-weighted gradient echo: bone dark, discs and CSF bright.
    "t2s": dict(
        cord=(0.40, 0.70), csf=(0.65, 1.1), body=(0.04, 0.25), posterior_bone=(0.03, 0.2), annulus=(0.35, 0.8),
        nucleus=(0.45, 1.0), cortex=(0.01, 0.06), muscle=(0.25, 0.5), fat=(0.2, 0.6), grey=(0.55, 0.8),
        white=(0.45, 0.65), clivus=(0.04, 0.3),
    ),
    "random": dict.fromkeys(
        ("cord", "csf", "body", "posterior_bone", "annulus", "nucleus", "cortex", "muscle", "fat", "grey", "white",
         "clivus"), (0.0, 1.0),
    ),
}  # fmt: skip
FAMILIES_OF = {"t1": ("t1", "t1_tse"), "t2": ("t2", "stir", "t2s")}
"""Families that stand for a contrast of the commands (see `bids.CONTRASTS`)."""

SHARES = {"t1": 0.26, "t1_tse": 0.10, "t2": 0.38, "stir": 0.07, "t2s": 0.07, "random": 0.12}


def random_contrast(rng: np.random.Generator, family: str | None = None) -> tuple[str, dict[str, float]]:
    """Draw a family (by its share unless given) and the mean of each of its tissues, plus air (0)."""
    if family is None:
        family = str(rng.choice(list(SHARES), p=list(SHARES.values())))
    means = {tissue: float(rng.uniform(*bounds)) for tissue, bounds in FAMILIES[family].items()}
    if rng.random() < 0.5:  # in half of the scans the nucleus does not stand out
        means["nucleus"] = means["annulus"] + rng.uniform(0.0, 0.3) * (means["nucleus"] - means["annulus"])
    return family, means | {"air": 0.0}
