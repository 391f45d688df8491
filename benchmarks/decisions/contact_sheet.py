"""Simulated beside real, one picture per contrast: ``python -m benchmarks.decisions.contact_sheet``.

The upper rows are real slices of training sites (and the lumbar volume), the lower rows simulated ones of the same
view, all at 2 mm and normalised as the network sees them. The pictures hold real images: they stay out of the project.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.sources import REAL
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.image.preprocessing import canonical, normalise
from deepspine_sct.image.slab import SlabStack
from deepspine_sct.labeling.settings import DEFAULTS
from deepspine_sct.simulation.atlas import SLAB_MM, Atlas, build_atlas
from deepspine_sct.simulation.simulator import simulate
from deepspine_sct.training.real import load_slices
from deepspine_sct.training.recipe import SPACING_MM

COLUMNS = 8
SEED = 40_000  # training and scoring draw from other seeds
SHEETS = {"T1w": ("t1", 430.0, (128, 112)), "T2w": ("t2", 440.0, (112, 112)), "lumbar": ("t2", 45.0, (120, 120))}


def middle_slab(path: Path) -> np.ndarray:
    """Return the middle slab (H, W) of a volume, on pixels of 2 mm."""
    stack = SlabStack(canonical(read_volume(path)), DEFAULTS.step_mm, SLAB_MM, SPACING_MM)
    middle = stack.grid.shape[0] // 2
    return stack.extract(range(middle, middle + 1)).data[0]


def real_images(data: Path, sheet: str) -> list[np.ndarray]:
    """Return up to two rows of real slices."""
    if sheet == "lumbar":
        return [middle_slab(data / "volumes" / "t2_lumbar.nii.gz")]
    slices = [s for s in load_slices(data / "slices", evaluation=False) if s.contrast == sheet]
    return [slices[i].image for i in np.linspace(0, len(slices) - 1, min(2 * COLUMNS, len(slices))).astype(int)]


def simulated_images(atlas: Atlas, sheet: str, n: int) -> list[np.ndarray]:
    """Return ``n`` simulated slices of the same view."""
    family, centre_s_mm, shape = SHEETS[sheet]
    draws = (np.random.default_rng([SEED, i]) for i in range(n))
    return [simulate(rng, atlas, shape, SPACING_MM, family, centre_s_mm, off_middle=False).image for rng in draws]


def write_sheet(path: Path, real: list[np.ndarray], simulated: list[np.ndarray]) -> None:
    """Draw all images, real ones first."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = -(-len(real) // COLUMNS) + -(-len(simulated) // COLUMNS)
    figure, axes = plt.subplots(rows, COLUMNS, figsize=(1.8 * COLUMNS, 1.9 * rows))
    first = -(-len(real) // COLUMNS) * COLUMNS
    for axis in axes.flat:
        axis.axis("off")
    for k, (image, title) in enumerate([(i, "real") for i in real] + [(i, "simulated") for i in simulated]):
        axis = axes.flat[k if k < len(real) else first + k - len(real)]
        axis.imshow(normalise(image), cmap="gray", vmin=-2, vmax=4)
        axis.set_title(title, fontsize=7)
    figure.subplots_adjust(0, 0, 1, 0.97, 0.02, 0.12)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main() -> None:
    """Write ``T1w.png``, ``T2w.png`` and ``lumbar.png``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-data", type=Path, default=REAL, help="real scans and templates")
    parser.add_argument("-o", type=Path, default=Path("contact_sheets_out"), help="output folder")
    args = parser.parse_args()
    args.o.mkdir(parents=True, exist_ok=True)
    atlas = build_atlas(args.data)
    for sheet in SHEETS:
        path = args.o / f"{sheet}.png"
        write_sheet(path, real_images(args.data, sheet), simulated_images(atlas, sheet, 2 * COLUMNS))
        print(path)


if __name__ == "__main__":
    main()
