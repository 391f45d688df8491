"""Real slices as training cases: our annotations, and strong augmentation of few images.

The annotations (``annotations.json``, world mm in each file's own frame) are ours; the images stay where they are.
Sites named there as evaluation-only never train.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.interpolate import PchipInterpolator
from scipy.spatial import cKDTree

from deepspine_sct.anatomy import LEVEL_MM, N_DISCS
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.simulation.noise import smooth_noise
from deepspine_sct.simulation.repaint import filtered, repaint
from deepspine_sct.simulation.scanner import scan
from deepspine_sct.simulation.simulator import LEVEL_BAND_MM, Case, drop_outside

ANNOTATIONS = Path(__file__).with_name("annotations.json")
REPAINTED = 0.6
"""Share of the images with known tissues that get another contrast."""

_TURNED = 0.25  # share of the images that are turned by any angle up to 38 degrees
_SIZES = (0.58, 0.98, 1.35)  # smallest, most frequent and largest: from a small child to a tall adult
_CORD_BEHIND_TIPS_MM = 9.5  # the cord axis, on PAM50's cervical spine


@dataclass(frozen=True)
class RealSlice:
    """A real mid-sagittal slice with annotated discs.

    Attributes
    ----------
    name, site, contrast : file stem, acquisition site, "T1w" or "T2w"
    image : (H, W) float32, rows superior to inferior, columns anterior to posterior
    tips_rc : (25, 2) posterior tips [px], NaN where none is annotated
    spacing_mm : pixel size
    tissue : (H, W, 3) share of vertebra, disc and canal, where they are known
    """

    name: str
    site: str
    contrast: str
    image: np.ndarray
    tips_rc: np.ndarray
    spacing_mm: float
    tissue: np.ndarray | None = None


def load_slices(folder: Path, evaluation: bool) -> list[RealSlice]:
    """Read the annotated slices of ``folder``: those of evaluation-only sites, or of all others."""
    own = folder / ANNOTATIONS.name  # of slices that `sources.spine_generic` laid out
    table = json.loads((own if own.exists() else ANNOTATIONS).read_text())
    held_out = set(table["about"]["evaluation_only_sites"])
    return [
        _read_slice(folder / f"{name}.nii.gz", name, entry)
        for name, entry in table["slices"].items()
        if (entry["site"] in held_out) == evaluation
    ]


def _read_slice(path: Path, name: str, entry: dict) -> RealSlice:
    volume = canonical(read_volume(path))
    tips_rc = np.full((N_DISCS, 2), np.nan)
    for value, xyz_mm in entry["discs_xyz_mm"].items():
        tips_rc[int(value) - 1] = volume.grid.to_index(np.array(xyz_mm))[1:]
    middle = np.asarray(volume.data[volume.grid.shape[0] // 2], np.float32)
    return RealSlice(name, entry["site"], entry["contrast"], middle, tips_rc, float(volume.grid.zooms_mm[1]))


def augment(rng: np.random.Generator, real: RealSlice, shape: tuple[int, int], spacing_mm: float) -> Case:
    """Cut a randomly turned, scaled, bent and repainted window of (H, W) pixels out of a real slice."""
    if real.tissue is not None and rng.random() < REPAINTED:
        real = replace(real, image=repaint(rng, real.image, real.tissue))
    to_source, to_window = _random_warp(rng, real, shape, spacing_mm)
    grid_rc = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).astype(float)
    source_rc = to_source(grid_rc)
    order = 1 if rng.random() < 0.5 else 3
    image = ndimage.map_coordinates(real.image, np.moveaxis(source_rc, -1, 0), order=order, mode="constant").clip(0)
    image = _recolour(rng, image / max(float(np.percentile(image, 99.9)), 1e-6))
    image, visible = scan(rng, image, spacing_mm)
    tips_rc = to_window(real.tips_rc)
    level_mm, known = _levels(real, source_rc)
    seen = drop_outside(tips_rc, visible, spacing_mm)
    return Case(image, tips_rc, seen.astype(float), np.where(visible, level_mm, np.nan), known, spacing_mm)


def _random_warp(rng, real: RealSlice, shape, spacing_mm):
    """Return window -> source and source -> window maps of (..., 2) pixel positions."""
    known_rc = real.tips_rc[~np.isnan(real.tips_rc[:, 0])]
    centre = known_rc[rng.integers(len(known_rc))] + rng.normal(0, 20, 2) / real.spacing_mm
    angle = np.deg2rad(rng.uniform(-38, 38) if rng.random() < _TURNED else rng.normal(0, 9))
    scale = spacing_mm / real.spacing_mm / rng.triangular(*_SIZES)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = turn @ np.diag(scale * rng.uniform(0.92, 1.08, 2))
    middle = np.array(shape) * (rng.uniform(0.3, 0.7), rng.uniform(0.35, 0.7))
    bend = [rng.uniform(0, 2.5) / spacing_mm * smooth_noise(rng, shape, (28, 28)) for _ in range(2)]

    def displacement(window_rc):
        at = np.moveaxis(window_rc, -1, 0)
        return np.stack([ndimage.map_coordinates(b, at, order=1, mode="nearest") for b in bend], -1)

    def to_source(window_rc):
        return (window_rc + displacement(window_rc) - middle) @ matrix.T + centre

    def to_window(source_rc):
        straight = (source_rc - centre) @ np.linalg.inv(matrix).T + middle
        window_rc = straight
        for _ in range(8):  # the displacement is small and smooth: a fixed-point iteration converges
            window_rc = straight - displacement(np.nan_to_num(window_rc))
        return window_rc

    return to_source, to_window


def _recolour(rng, image: np.ndarray) -> np.ndarray:
    """Bend the intensity curve; seldom, filter the image, invert it or make the curve non-monotonic."""
    if rng.random() < 0.12:
        image = filtered(rng, image)
    kind = rng.random()
    if kind < 0.45:
        return image
    knots = np.linspace(0, 1, 6)
    levels = np.cumsum(rng.uniform(0.2, 1.0, 6))
    if kind > 0.9:
        levels = rng.uniform(0, 1, 6)
    elif kind > 0.82:
        levels = levels[::-1].copy()
    body = image > 0.02
    return np.where(body, np.interp(image, knots, levels / levels.max()), image).astype(np.float32)


def _levels(real: RealSlice, source_rc: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Level map around the cord, and where the annotation is complete (not below its last disc)."""
    known = ~np.isnan(real.tips_rc[:, 0])
    tips_mm = real.tips_rc[known] * real.spacing_mm
    s_mm = np.arange(LEVEL_MM[known].min(), LEVEL_MM[known].max(), 1.0)
    curve = PchipInterpolator(LEVEL_MM[known][::-1], tips_mm[::-1])(s_mm)
    along = np.gradient(curve, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    behind = np.stack([along[:, 1], -along[:, 0]], -1)  # s grows upwards: turn its direction to posterior
    cord = curve + _CORD_BEHIND_TIPS_MM * behind
    _, nearest = cKDTree(cord).query(source_rc * real.spacing_mm, distance_upper_bound=LEVEL_BAND_MM)
    taught_mm = s_mm.astype(np.float32)
    taught_mm[[0, -1]] = np.nan  # beyond the ends of the curve
    level = np.append(taught_mm, np.float32(np.nan))[nearest]  # farther off, the index is one too many
    last_mm = tips_mm[-1, 0] + 0.4 * (tips_mm[-1, 0] - tips_mm[-2, 0])
    row_mm = source_rc[..., 0] * real.spacing_mm
    # Below L5/S1 there is no disc, whatever the remnants in the sacrum look like.
    complete = np.ones(row_mm.shape, bool) if known[-1] else row_mm < last_mm
    if not known[0]:  # the dens is not annotated: nothing is known above C2/C3
        complete &= row_mm > tips_mm[0, 0] - 8.0
    return level, complete
