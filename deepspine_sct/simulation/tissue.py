"""Paint a bent body: spine from the atlas, head from the brain template, everything else drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from deepspine_sct.anatomy import LEVEL_MM, N_DISCS
from deepspine_sct.simulation.atlas import TISSUES, Atlas, bilinear_corners
from deepspine_sct.simulation.lower_spine import LowerSpine, random_join_mm
from deepspine_sct.simulation.noise import smooth_curve, smooth_noise
from deepspine_sct.simulation.repaint import repaint_rest
from deepspine_sct.simulation.variants import COMMON, Variant

_HEAD_FLOOR_MM = 488.0  # s of the foramen magnum's lower border
# Depth of the vertebral bodies behind u = 35 mm, where the template is cut: (s, compression of u in front of the tips).
_DEPTH = ((-130.0, 0.62), (53.0, 0.64), (200.0, 0.80), (330.0, 1.0))


@dataclass(frozen=True)
class Lower:
    """A real lower spine, and the template's position [mm] below which it is painted."""

    spine: LowerSpine
    join_mm: float

    @classmethod
    def random(cls, rng, spines: Sequence[LowerSpine]) -> "Lower | None":
        """Choose one of some spines and where it begins; None where there is none."""
        if not spines:
            return None
        spine = spines[rng.integers(len(spines))]
        return cls(spine, random_join_mm(rng, spine))

    def tip_u_mm(self, atlas_tip_u_mm: np.ndarray) -> np.ndarray:
        """(25,) anterior offset of the disc tips: those of the atlas above the join, its own below."""
        own = (self.join_mm > LEVEL_MM) & ~np.isnan(self.spine.tip_u_mm)
        return np.where(own, self.spine.tip_u_mm, atlas_tip_u_mm)


def paint(
    rng,
    atlas: Atlas,
    s_mm,
    u_mm,
    x_mm,
    family: str,
    means: dict[str, float],
    variant: Variant = COMMON,
    lower: Lower | None = None,
) -> np.ndarray:
    """Return the noise-free image (H, W) float32 at counted s, u and lateral offsets x (each (H, W), mm).

    ``lower`` takes the atlas's place below its join.
    """
    s_mm = variant.to_template(s_mm)
    image = _soft_tissue(rng, s_mm, u_mm, means)
    _add_spinous_processes(rng, image, s_mm, u_mm, x_mm, means)
    _add_spine(rng, image, atlas, s_mm, u_mm, x_mm, family, means, variant, lower)
    if s_mm.max() > _HEAD_FLOOR_MM - 30:
        _add_head(rng, image, atlas, s_mm, u_mm, x_mm, means)
    return image


def _blend(image, value, alpha) -> None:
    image += alpha * (value - image)


def _edge(distance_mm, softness_mm=1.5):
    """0 outside to 1 inside, across a soft border; distance is positive inside."""
    return np.clip(distance_mm / (2 * softness_mm) + 0.5, 0, 1)


def _soft_tissue(rng, s_mm, u_mm, means) -> np.ndarray:
    """Muscle, fat, airway, organs and skin around the spine; air outside of the body."""
    shape = s_mm.shape
    front = np.interp(s_mm, [-200, 100, 330, 370, 430, 470, 560], [125, 130, 115, 75, 68, 100, 105]) * rng.uniform(
        0.75, 1.3
    )
    front = front + smooth_curve(rng, s_mm, 60, 8)
    back = -np.interp(s_mm, [-200, -60, 100, 366, 450, 500], [70, 75, 60, 68, 62, 62]) * rng.uniform(0.75, 1.25)
    back = back + smooth_curve(rng, s_mm, 60, 5)
    mixed = smooth_noise(rng, shape, (rng.uniform(3, 12), rng.uniform(2, 8)))
    fatty = np.clip((mixed - rng.uniform(0.2, 1.6)) * 2, 0, 1) * rng.uniform(0.2, 1.0)
    image = (means["muscle"] + fatty * (means["fat"] - means["muscle"])).astype(np.float32)
    organ = smooth_noise(rng, shape, (rng.uniform(8, 25), rng.uniform(6, 18)))
    _blend(image, rng.uniform(0, 1), _edge(u_mm - 40, 4) * np.clip(organ, 0, 1) * rng.uniform(0, 1))
    for _ in range(rng.integers(0, 9)):
        _add_ellipse(rng, image, s_mm, u_mm, rng.uniform(0, 1))
    _add_airway(rng, image, s_mm, u_mm, means)
    _add_nuchal_stripes(rng, image, s_mm, u_mm, means)
    fat_mm = np.maximum(rng.uniform(1, 14) + smooth_curve(rng, s_mm, 50, 4), 1)
    depth_mm = np.minimum(front - u_mm, u_mm - back)
    _blend(image, means["fat"], _edge(fat_mm - depth_mm))
    _blend(image, rng.uniform(0, 1), _edge(1.5 - depth_mm, 1.0) * rng.random())
    _blend(image, means["air"], _edge(-depth_mm))
    return image


def _add_ellipse(rng, image, s_mm, u_mm, value) -> None:
    side = rng.random() < 0.75
    centre_u = rng.uniform(45, 120) if side else rng.uniform(-75, -45)
    centre_s = rng.uniform(s_mm.min(), s_mm.max())
    radii = rng.uniform(4, 22, 2)
    radius = np.hypot((u_mm - centre_u) / radii[0], (s_mm - centre_s) / radii[1])
    _blend(image, value, _edge(1 - radius, 0.15))


def _add_airway(rng, image, s_mm, u_mm, means) -> None:
    """Pharynx and trachea: a dark tube in front of the neck, down to the chest."""
    centre = np.interp(s_mm, [290, 366, 450, 500], [58, 44, 38, 48]) * rng.uniform(0.9, 1.2) + smooth_curve(
        rng, s_mm, 40, 3
    )
    half = np.maximum(rng.uniform(2, 8) + smooth_curve(rng, s_mm, 30, 2.5), 0)
    half = half * (s_mm > rng.uniform(250, 360)) * (s_mm < 515)
    _blend(image, means["air"] + rng.uniform(0, 0.1), _edge(half - np.abs(u_mm - centre)) * (half > 0))


def _add_nuchal_stripes(rng, image, s_mm, u_mm, means) -> None:
    """Oblique fat planes between the posterior muscles."""
    wave = np.sin((s_mm + rng.uniform(0.6, 1.6) * u_mm) * 2 * np.pi / rng.uniform(14, 30) + rng.uniform(0, 6))
    patches = np.clip(smooth_noise(rng, s_mm.shape, (12, 6)), 0, 1)
    stripe = np.clip(wave - rng.uniform(0, 0.7), 0, 1) * patches * _edge(-20 - u_mm, 6)
    _blend(image, means["fat"], stripe * rng.uniform(0.2, 1.0))


def _add_spinous_processes(rng, image, s_mm, u_mm, x_mm, means) -> None:
    """Below the neck, behind the template's own: marrow within a dark rim, and fat or ligament in between."""
    share = rng.uniform(-0.5, 1.0)  # in a third of the scans they do not show
    if share <= 0:
        return
    levels = np.interp(s_mm, LEVEL_MM[::-1], np.arange(N_DISCS)[::-1])
    behind_mm = -14.0 - u_mm
    slope = np.interp(s_mm, [0, 60, 120, 250, 320], [0.0, 0.2, 0.8, 0.8, 0.4]) * rng.uniform(0.5, 1.2)  # they overlap
    phase = levels - slope * np.clip(behind_mm, 0, 40) / 40
    from_centre = np.abs(phase - np.floor(phase) - rng.uniform(0.55, 0.75))
    inside = rng.uniform(0.22, 0.32) - np.minimum(from_centre, 1 - from_centre)
    reach_mm = rng.uniform(18, 34) + smooth_curve(rng, s_mm, 40, 3)
    strip = _edge(behind_mm) * _edge(reach_mm - behind_mm) * np.clip((330 - s_mm) / 40, 0, 1) * (s_mm > LEVEL_MM[24])
    strip = strip * share * _edge(9 - np.abs(x_mm), 2)
    _blend(image, rng.choice([means["fat"], means["cortex"], means["muscle"]]), strip)
    _blend(image, means["cortex"], strip * np.clip(inside / 0.05, 0, 1))
    _blend(image, means["body"] * rng.uniform(0.8, 1.3), strip * np.clip((inside - 0.05) / 0.05, 0, 1))


def _add_spine(rng, image, atlas: Atlas, s_mm, u_mm, x_mm, family, means, variant: Variant, lower) -> None:
    u_src = _template_u(u_mm, s_mm, atlas)
    fractions, texture = sample_spine(atlas, s_mm, u_src, x_mm)
    real = np.zeros(s_mm.shape, np.float32)
    if lower is not None:
        real, real_fractions, real_texture = lower.spine.sample(s_mm, u_mm, x_mm, lower.join_mm)
        fractions += real[..., None] * (real_fractions - fractions)
        texture[real > 0.5] = np.nan
    levels = np.interp(s_mm, LEVEL_MM[::-1], np.arange(N_DISCS)[::-1])
    body = np.floor(levels).astype(int).clip(0, 24)
    disc = np.rint(levels).astype(int).clip(0, 24)
    fused = variant.fused[disc] * (np.abs(levels - disc) < 0.3)
    _fuse(fractions, fused)
    end_cord(fractions, s_mm, variant.conus_mm)
    value = {tissue: np.full(s_mm.shape, means[tissue], np.float32) for tissue in TISSUES}
    value["body"] *= rng.normal(1, 0.07, 25)[body]
    for tissue in ("annulus", "nucleus"):
        value[tissue] *= rng.normal(1, 0.10, 25)[disc]
        degenerated = rng.random(25) < 0.05
        value[tissue] += (degenerated * rng.uniform(-1, 1, 25))[disc] * (value["body"] - value[tissue])
    _vary_marrow(rng, value["body"], u_mm, levels, means)
    _add_nerve_roots(rng, value["csf"], s_mm, u_mm, variant.conus_mm, means)
    if rng.random() < 0.25:  # no dark rim between marrow and disc
        value["cortex"] = value["body"]
    _add_epidural_fat(rng, image, s_mm, u_mm, means)
    if lower is not None:
        around = repaint_rest(rng, real_texture, lower.spine.marks, means)
        reach_mm = rng.uniform(25, 110)  # in some scans the neighbourhood is drawn nevertheless
        _blend(image, around, real * _edge(reach_mm - np.abs(u_mm - 12), 6))
    canal = fractions[..., :2].sum(-1)
    weight = fractions.sum(-1)
    spine = sum(fractions[..., i] * value[tissue] for i, tissue in enumerate(TISSUES))
    _mix_texture(rng, image, spine, weight, canal, texture, u_src, s_mm, variant.conus_mm, family, means)
    if lower is not None:
        _mix_real_texture(rng, image, real * (1 - fused), real_texture, family, means)


def _template_u(u_mm, s_mm, atlas: Atlas):
    """Undo the template's cut in front: bodies deepen from the upper thoracic to the lumbar spine."""
    tips = np.interp(s_mm, LEVEL_MM[::-1], atlas.tip_u_mm[::-1])
    squeeze = np.interp(s_mm, *np.transpose(_DEPTH))
    return np.where(u_mm > tips, tips + (u_mm - tips) * squeeze, u_mm)


def sample_spine(atlas: Atlas, s_mm, u_mm, x_mm):
    """Bilinear in (s, u), nearest plane in x; zero outside of the atlas."""
    plane = np.rint((x_mm - atlas.x_mm[0]) / (atlas.x_mm[1] - atlas.x_mm[0])).astype(int).clip(0, len(atlas.x_mm) - 1)
    row, col = s_mm - atlas.s_mm[0], u_mm - atlas.u_mm[0]
    inside = (row >= 0) & (row < len(atlas.s_mm) - 1) & (col >= 0) & (col < len(atlas.u_mm) - 1)
    plane, row, col = plane[inside], row[inside], col[inside]
    fractions = np.zeros((*s_mm.shape, len(TISSUES)), np.float32)
    texture = np.full(s_mm.shape, np.nan, np.float32)
    f, t = atlas.fractions, atlas.texture[..., None]
    corners = bilinear_corners(row, col)
    fractions[inside] = sum(w * f[plane, p, q] for w, p, q in corners) / 255
    texture[inside] = sum(w * t[plane, p, q] for w, p, q in corners)[:, 0] / 255
    return fractions, texture


def _fuse(fractions, share) -> None:
    """Turn a share (H, W) of disc and end plate into marrow, in place."""
    for tissue in ("annulus", "nucleus", "cortex"):
        turned = share * fractions[..., TISSUES.index(tissue)]
        fractions[..., TISSUES.index(tissue)] -= turned
        fractions[..., TISSUES.index("body")] += turned


def _vary_marrow(rng, body, u_mm, levels, means) -> None:
    """Basivertebral veins behind the middle of each body, and bands along the end plates (Modic changes)."""
    between = levels - np.floor(levels)  # 0 and 1 at the discs, 0.5 in the middle of a body
    if rng.random() < 0.6:
        vein = np.clip(1 - np.abs(between - 0.5) / 0.07, 0, 1) * np.clip((26 - u_mm) / 14, 0, 1) * (u_mm < 26)
        body += rng.uniform(0, 0.8) * vein * (rng.choice([means["csf"], means["fat"], 0.0]) - body)
    changed = (rng.random(26) < 0.08)[np.floor(levels).astype(int).clip(0, 25)]
    band = np.clip(1 - np.minimum(between, 1 - between) / rng.uniform(0.2, 0.4), 0, 1)
    body += changed * band * (rng.uniform(0, 1) - body) * 0.7


def end_cord(fractions, s_mm, conus_mm: float) -> None:
    """Let the cord of fractions (..., T) taper off above ``conus_mm`` and turn into CSF below, in place."""
    cord = fractions[..., TISSUES.index("cord")]
    ended = np.clip((conus_mm + 25 - s_mm) / 25, 0, 1) * cord
    fractions[..., TISSUES.index("csf")] += ended
    cord -= ended


def _add_nerve_roots(rng, csf, s_mm, u_mm, conus_mm, means) -> None:
    """Paint the cauda equina: nerves in the back of the sac, beside the end of the cord and below it."""
    below = np.clip((conus_mm + 30 - s_mm) / 40, 0, 1)
    strands = np.clip(np.sin(u_mm * rng.uniform(1.2, 2.5) + smooth_curve(rng, s_mm, 25, 1.0)) + 0.4, 0, 1)
    share = rng.uniform(0.1, 0.8) * below * strands * _edge(rng.uniform(-4, 6) - u_mm, 3)
    csf += share * (means["cord"] - csf)


def _add_epidural_fat(rng, image, s_mm, u_mm, means) -> None:
    """Fat behind the lumbar sac and around the sacral one, drawn under the spine."""
    lumbar = np.clip((60 - s_mm) / 40, 0, 1)
    behind = _edge(rng.uniform(5, 10) - np.abs(u_mm + 12), 2) * (0.6 + 0.4 * np.sin(s_mm * 2 * np.pi / 35))
    sacral = np.clip((LEVEL_MM[24] + 8 - s_mm) / 10, 0, 1) * _edge(14 - np.abs(u_mm), 2)
    _blend(image, means["fat"] * rng.uniform(0.6, 1), np.maximum(lumbar * behind, sacral) * rng.uniform(0.3, 1))


def _mix_texture(rng, image, spine, weight, canal, texture, u_mm, s_mm, conus_mm, family, means) -> None:
    """Blend painted tissue and the template's own T2w texture into the image, softly at the template's border."""
    known = ~np.isnan(texture)
    border = np.where(known, np.minimum(_edge(33 - u_mm, 3), _edge(u_mm + 32, 3)), 0)
    texture = np.where(known, texture, 0)
    painted = spine + (1 - weight) * image
    if family in ("t2", "stir"):
        # Below L1/L2 the template repeats L1, and its canal still holds the cord.
        below = np.clip((max(conus_mm, LEVEL_MM[20]) + 30 - s_mm) / 30, 0, 1)
        share = rng.uniform(0, 0.8) * border * (1 - below * canal) * (s_mm > LEVEL_MM[24])
        gain = means["csf"] * rng.uniform(0.8, 1.1)
        painted = painted * (1 - share) + share * texture ** rng.uniform(0.7, 1.2) * gain
    else:
        share = rng.uniform(-0.25, 0.25) * border * (1 - weight)
        painted = painted * (1 + share * (texture * 3 - 0.5))
    image[:] = painted


def _mix_real_texture(rng, image, share, texture, family, means) -> None:
    """Blend a real lower spine's T2w texture (H, W) into the image: whole in T2w scans, its details alone in others."""
    if family == "t2":
        strength = rng.uniform(0.2, 1.0) * (rng.random() < 0.8)
        _blend(image, texture ** rng.uniform(0.7, 1.2) * means["csf"] * rng.uniform(0.8, 1.1), share * strength)
    else:
        detail = np.clip(texture - ndimage.gaussian_filter(texture, 3.0), -0.2, 0.2)
        image += rng.uniform(-0.5, 0.8) * share * detail


def _add_head(rng, image, atlas: Atlas, s_mm, u_mm, x_mm, means) -> None:
    """Brain, CSF, skull, clivus and scalp; rigid, with a small nod about the foramen magnum."""
    nod = np.deg2rad(rng.normal(0, 5))
    ds, du = s_mm - _HEAD_FLOOR_MM, u_mm
    s = _HEAD_FLOOR_MM + np.cos(nod) * ds - np.sin(nod) * du
    u = np.sin(nod) * ds + np.cos(nod) * du
    plane = int(np.clip(np.rint((np.median(x_mm) - atlas.x_mm[0]) / 2), 0, len(atlas.x_mm) - 1))
    i = np.rint(s - atlas.head_s_mm[0]).astype(int).clip(0, len(atlas.head_s_mm) - 1)
    j = np.rint(u - atlas.head_u_mm[0]).astype(int).clip(0, len(atlas.head_u_mm) - 1)
    distance = atlas.brain_distance_mm[plane, i, j]
    intensity = atlas.brain[plane, i, j] / np.float32(255)
    above = _edge(s - (_HEAD_FLOOR_MM + 5 - 0.35 * np.minimum(np.abs(u), 60)), 2) * (s > 455)
    vault = _edge(s - np.where(u > 0, 545, 520), 4)
    csf_mm = rng.uniform(2, 5)
    skull_mm = csf_mm + np.where((u > 8) & (s < 545), rng.uniform(7, 14), rng.uniform(4, 9))
    scalp_mm = skull_mm + rng.uniform(2, 9)
    _blend(image, means["air"], vault * _edge(distance - scalp_mm))
    _blend(image, means["fat"] * rng.uniform(0.3, 1), vault * _edge(scalp_mm - distance) * (distance > skull_mm))
    marrow = np.where((u > 8) & (s < 545), means["clivus"], rng.uniform(0, 0.5) * means["clivus"])
    bone = np.where(np.abs(distance - (csf_mm + skull_mm) / 2) < (skull_mm - csf_mm) / 4, marrow, means["cortex"])
    canal = (np.abs(u) < 12) & (s < _HEAD_FLOOR_MM + 22)
    in_bone = above * _edge(skull_mm - distance) * (distance > csf_mm) * ~canal
    _blend(image, bone, in_bone)
    _blend(image, means["csf"], above * _edge(csf_mm - distance))
    tissue = np.interp(intensity, [0.2, 0.4, 0.68, 0.95], [means["csf"], means["csf"], means["grey"], means["white"]])
    _blend(image, tissue, above * (distance == 0) * _edge(s - _HEAD_FLOOR_MM - 6, 3))
