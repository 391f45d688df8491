"""Simulated mid-sagittal scans with known discs. Same seed, same bytes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepspine_sct.anatomy import LEVEL_MM
from deepspine_sct.simulation.atlas import Atlas
from deepspine_sct.simulation.contrast import random_contrast
from deepspine_sct.simulation.implant import RATE as IMPLANT_RATE
from deepspine_sct.simulation.implant import add_implant
from deepspine_sct.simulation.lower_spine import LowerSpine
from deepspine_sct.simulation.scanner import scan
from deepspine_sct.simulation.shape import BodyShape, random_shape
from deepspine_sct.simulation.tissue import Lower, paint
from deepspine_sct.simulation.variants import COMMON, Variant, random_variant

LEVEL_BAND_MM = 22.0  # the level is taught this far from the cord axis
BEYOND_MM = 6.0  # discs whose tips lie so little beyond the image may show a part in it
_FULL_MM, _SILENT_MM = 4.0, 9.0  # a disc speaks fully up to here off its mid-sagittal plane, and not at all beyond
_WIDEST_MM = 16.0  # as far off the middle as the atlas reaches
# Where training windows are centred: (share, lowest s, highest s).
_VIEWS = ((0.42, 400, 520), (0.23, 150, 400), (0.35, -160, 150))


@dataclass(frozen=True)
class Case:
    """One training image with its truth.

    Attributes
    ----------
    image : (H, W) float32, raw intensities (normalised later by the code that inference uses)
    tips_rc : (25, 2) row and column of every disc's posterior tip [px]; NaN from `BEYOND_MM` outside of the image on
    presence : (25,) 1 = seen, on its mid-sagittal plane; 0 = absent, too far off that plane, or lost in noise
    level_mm : (H, W) template position along the spine; NaN where it is not taught
    known : (H, W) bool, False where the truth does not say what is there
    spacing_mm : size of a pixel
    subject : real subject of whom a part is seen; "" where there is none
    """

    image: np.ndarray
    tips_rc: np.ndarray
    presence: np.ndarray
    level_mm: np.ndarray
    known: np.ndarray
    spacing_mm: float
    subject: str = ""


def simulate(
    rng: np.random.Generator,
    atlas: Atlas,
    shape: tuple[int, int] = (128, 128),
    spacing_mm: float = 2.0,
    family: str | None = None,
    centre_s_mm: float | None = None,
    off_middle: bool = True,
    partial: bool = True,
    variant: Variant | None = None,
    lower: Sequence[LowerSpine] = (),
) -> Case:
    """Draw one scan of (H, W) pixels, around ``centre_s_mm`` when given.

    ``off_middle`` allows slabs beside the middle of the spine, ``partial`` an incomplete field of view, metal, small
    children, bodies askew, and spines that are not built as most, unless a ``variant`` is given. One of the real spines
    ``lower`` takes the atlas's place below a vertebra.
    """
    body = random_shape(rng, unusual=partial)
    origin_mm = _origin_mm(rng, body, shape, spacing_mm, centre_s_mm)
    s_mm, u_mm = body.grid_to_cord(origin_mm, shape, spacing_mm)
    middle_mm = float(np.median(s_mm))
    below = Lower.random(rng, lower)
    lateral = _lateral(rng, off_middle, below.spine.half_width_mm if below else _WIDEST_MM)
    x_mm = lateral(s_mm - middle_mm)
    family, means = random_contrast(rng, family)
    if variant is None:
        variant = random_variant(rng, bool(s_mm.max() > LEVEL_MM[2])) if partial else COMMON
    image = paint(rng, atlas, s_mm, u_mm, x_mm, family, means, variant, below)
    unhidden = np.ones(shape, bool)
    if partial and rng.random() < IMPLANT_RATE:
        unhidden = add_implant(rng, image, s_mm, u_mm)
    image, visible = scan(rng, image, spacing_mm, partial)
    visible &= unhidden
    tip_u_mm = below.tip_u_mm(atlas.tip_u_mm) if below else atlas.tip_u_mm
    tips_u_mm = np.interp(variant.to_template(LEVEL_MM), LEVEL_MM[::-1], tip_u_mm[::-1])
    tips_rc = (body.to_plane(LEVEL_MM, tips_u_mm) - origin_mm) / spacing_mm
    seen = drop_outside(tips_rc, visible, spacing_mm) & variant.seen
    tips_rc[~variant.seen] = np.nan
    off_mm = np.abs(lateral(LEVEL_MM - middle_mm))
    presence = np.clip((_SILENT_MM - off_mm) / (_SILENT_MM - _FULL_MM), 0, 1) * seen
    taught = (np.abs(u_mm) < LEVEL_BAND_MM) & (s_mm < 500) & (s_mm > LEVEL_MM[-1] - 30) & (np.abs(x_mm) < _SILENT_MM)
    level_mm = np.where(taught & visible, s_mm, np.nan).astype(np.float32)
    return Case(image, tips_rc, presence, level_mm, np.ones(shape, bool), spacing_mm, below.spine.name if below else "")


def _origin_mm(rng, body: BodyShape, shape, spacing_mm, centre_s_mm) -> np.ndarray:
    """Place the image on the body; return (down, posterior) [mm] of its pixel (0, 0)."""
    if centre_s_mm is None:
        share, low, high = zip(*_VIEWS, strict=True)
        view = rng.choice(len(_VIEWS), p=share)
        centre_s_mm = rng.uniform(low[view], high[view])
    size_mm = np.array(shape) * spacing_mm
    at_mm = body.to_plane(np.array(centre_s_mm), np.array(0.0))
    return at_mm - size_mm * (0.5, rng.uniform(0.35, 0.75))


def _lateral(rng, off_middle: bool, widest_mm: float):
    """Return the slab's left-right offset from the spine's mid-plane as a function of s [mm], up to the widest."""
    offset = rng.normal(0, 1.5)
    slope, bend = 0.0, 0.0
    if off_middle and rng.random() < 0.4:
        offset = rng.uniform(-15, 15)
        slope = rng.normal(0, 0.06)
        bend = rng.normal(0, 8)
    period = rng.uniform(150, 400)
    return lambda ds: np.clip(offset + slope * ds + bend * (1 - np.cos(ds / period * np.pi)), -widest_mm, widest_mm)


def drop_outside(tips_rc: np.ndarray, visible: np.ndarray, spacing_mm: float) -> np.ndarray:
    """Set tips (K, 2) far outside of the image to NaN, in place; return which of the others are visible, (K,) bool."""
    tips_rc[~tips_inside(tips_rc, visible.shape, BEYOND_MM / spacing_mm)] = np.nan
    inside = tips_inside(tips_rc, visible.shape)
    row, col = np.rint(np.where(inside[:, None], tips_rc, 0)).astype(int).T
    return inside & visible[row, col]


def tips_inside(tips_rc: np.ndarray, shape: tuple[int, ...], margin_px: float = 0.0) -> np.ndarray:
    """Tell which tips (K, 2) lie in an image of (H, W) pixels, or at most so far outside of it; (K,) bool."""
    return np.all((tips_rc >= -0.5 - margin_px) & (tips_rc < np.array(shape) - 0.5 + margin_px), axis=1)
