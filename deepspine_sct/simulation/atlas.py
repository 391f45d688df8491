"""The straight spine that the simulator bends: tissue fractions in cord coordinates.

Source: the PAM50 template (De Leener et al. 2018) at 0.5 mm, and the ICBM 152 (2009) average brain, whose world
coordinates continue PAM50's. Cord coordinates are

* ``s`` [mm]: along the cord, from the lower edge of PAM50 upwards (negative below PAM50),
* ``u`` [mm]: anterior of the cord axis,
* ``x`` [mm]: right of the mid-sagittal plane (the atlas is close to symmetric, the sign matters little).

PAM50 ends at L2. Below it, L2 to L5 repeat the L1 unit, stretched to published heights, and the sacrum is drawn: a
stand-in for the real lower spines (see `lower_spine`) that take its place wherever there are any. The cord is continued
down to there; where it ends differs from body to body (see `variants`).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from deepspine_sct.anatomy import LEVEL_MM, N_DISCS
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.image.slab import SlabSpec

TISSUES = ("cord", "csf", "body", "posterior_bone", "annulus", "nucleus", "cortex")
SLAB_MM = SlabSpec.thickness_mm  # thickness that the planes are averaged over, as inference averages its slabs

_VOXEL_MM = 0.5
_PLANES_MM = np.arange(-16.0, 17.0, 2.0)
_CORD_AXIS_J = 71  # PAM50 voxel index of the cord axis, towards anterior
_MIDDLE_I = 70
_PAM50_ORIGIN_YZ_MM = (-81.22, -561.84)  # world of voxel 0 in the 0.5 mm files
_TIP_TO_CANAL_MM = 0.8  # half-way from PAM50's disc tips to its CSF
_L1_UNIT_MM = (LEVEL_MM[20], LEVEL_MM[19])  # from L1/L2 up to T12/L1
_CANAL_FLOOR_MM = 30.0  # PAM50's cord and CSF masks fray below
_SACRUM_BODIES_MM = (29.0, 25.0, 21.0, 18.0, 15.0)  # heights of S1 to S5


@dataclass(frozen=True)
class Atlas:
    """Tissue fractions on planes of constant ``x``, sampled every millimetre.

    Attributes
    ----------
    x_mm : (P,) offsets of the planes
    s_mm, u_mm : (S,), (U,) coordinates of the samples, increasing
    fractions : (P, S, U, T) uint8, 255 = all of the sample is this tissue, order of ``TISSUES``
    texture : (P, S, U) uint8, PAM50's T2w intensity, 255 = CSF
    head_s_mm, head_u_mm : (A,), (B,) coordinates of the head planes
    brain : (P, A, B) uint8, ICBM T1w intensity, 0 = outside of the brain
    brain_distance_mm : (P, A, B) float32, distance to the brain (0 inside)
    """

    x_mm: np.ndarray
    s_mm: np.ndarray
    u_mm: np.ndarray
    fractions: np.ndarray
    texture: np.ndarray
    head_s_mm: np.ndarray
    head_u_mm: np.ndarray
    brain: np.ndarray
    brain_distance_mm: np.ndarray
    tip_u_mm: np.ndarray  # (25,) anterior offset of the posterior disc tips


def bilinear_corners(row: np.ndarray, col: np.ndarray) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return (weight (n, 1), row (n,), column (n,)) of the four samples around each of n places on a plane."""
    i, j = row.astype(int), col.astype(int)
    a, b = (row - i).astype(np.float32)[:, None], (col - j).astype(np.float32)[:, None]
    return [((1 - a) * (1 - b), i, j), ((1 - a) * b, i, j + 1), (a * (1 - b), i + 1, j), (a * b, i + 1, j + 1)]


def build_atlas(sources: Path) -> Atlas:
    """Build the atlas from a folder with ``pam50/`` and ``head/icbm152_t1.nii.gz`` (some seconds)."""
    pam50, x_mm = sources / "pam50", _PLANES_MM
    masks = _tissue_masks(pam50)
    fractions = np.stack([_planes(mask, x_mm) for mask in masks], axis=-1)  # (P, S, U, T)
    texture = _planes(_t2_template(pam50, masks[0].shape), x_mm)
    u_mm = (np.arange(fractions.shape[2]) * 2 + 0.5 - _CORD_AXIS_J) * _VOXEL_MM
    s_pam_mm = np.arange(fractions.shape[1]) + 0.25
    s_mm = np.arange(-250.0, s_pam_mm[-1])
    fractions, texture = _extend_below(fractions, texture, s_pam_mm, s_mm, u_mm)
    head_s_mm, head_u_mm, brain, distance = _head_planes(sources / "head" / "icbm152_t1.nii.gz", x_mm)
    return Atlas(
        x_mm,
        s_mm,
        u_mm,
        _to_uint8(fractions),
        _to_uint8(texture),
        head_s_mm,
        head_u_mm,
        _to_uint8(brain),
        distance,
        _tip_offsets_mm(pam50),
    )


def _to_uint8(fraction: np.ndarray) -> np.ndarray:
    return np.round(255 * np.clip(fraction, 0, 1)).astype(np.uint8)


def _load(folder: Path, name: str) -> np.ndarray:
    return read_volume(folder / f"{name}.nii.gz").data


def _tissue_masks(pam50: Path) -> list[np.ndarray]:
    """Return boolean (I, J, K) masks in the order of ``TISSUES``."""
    spine, cord = _load(pam50, "PAM50_spine") > 0, _load(pam50, "PAM50_cord") > 0
    csf = (_load(pam50, "PAM50_csf") > 0) & ~cord
    spine &= ~(cord | csf)
    anterior = np.arange(spine.shape[1]) > _CORD_AXIS_J + 8
    body = spine & anterior[None, :, None]
    disc = _fill_between_bodies(body, pam50) & ~(cord | csf | spine)
    nucleus = ndimage.binary_erosion(disc, np.ones((3, 13, 5), bool))
    rim = body & ~ndimage.binary_erosion(body, np.ones((1, 3, 3), bool), border_value=1)
    return [cord, csf, body & ~rim, spine & ~body, disc & ~nucleus, nucleus, rim]


def _fill_between_bodies(body: np.ndarray, pam50: Path) -> np.ndarray:
    """Close the bodies along the spine, below C2: what the closing adds are the discs."""
    closed = ndimage.binary_closing(body, np.ones((1, 1, 27), bool))
    tips = _load(pam50, "PAM50_label_discPosterior")
    closed[:, :, int(np.argwhere(tips == 3)[0, 2]) + 10 :] = False  # there is no disc between C2 and C1
    return closed


def _t2_template(pam50: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """PAM50's T2w template (1 x 1 x 2 mm, aligned by voxel corner) on a 0.5 mm grid, 1 = CSF."""
    t2 = _load(pam50, "PAM50_small_t2").astype(np.float32)
    t2 /= np.percentile(t2[30:40], 99.5)
    zoom = np.repeat(np.repeat(np.repeat(t2, 2, 0), 2, 1), 4, 2)
    padding = [(0, max(0, n - m)) for n, m in zip(shape, zoom.shape, strict=True)]
    return ndimage.uniform_filter1d(np.pad(zoom, padding, mode="edge"), 4, axis=2)[: shape[0], : shape[1]]


def _planes(volume: np.ndarray, x_mm: np.ndarray) -> np.ndarray:
    """Average 0.5 mm voxels over slabs around ``x_mm`` and over 1 mm in plane, (I, J, K) -> (P, S, U)."""
    half = SLAB_MM / 2 / _VOXEL_MM
    planes = []
    for x in x_mm:
        middle = _MIDDLE_I + x / _VOXEL_MM
        slab = volume[max(0, int(np.ceil(middle - half))) : int(middle + half) + 1].mean(0, dtype=np.float32)
        j, k = (n // 2 * 2 for n in slab.shape)
        planes.append(slab[:j, :k].reshape(j // 2, 2, k // 2, 2).mean((1, 3)).T)
    return np.stack(planes)


def _extend_below(fractions, texture, s_pam_mm, s_mm, u_mm):
    """Continue the planes below L1/L2 (repeats of the L1 unit, then a sacrum) and pad masks above."""
    source_mm = np.interp(s_mm, *_unit_knots())
    rows = np.clip(np.round(source_mm - s_pam_mm[0]).astype(int), 0, len(s_pam_mm) - 1)
    canal_rows = np.maximum(rows, int(_CANAL_FLOOR_MM))
    n_texture = texture.shape[1]
    texture = texture[:, np.clip(np.round(source_mm).astype(int), 0, n_texture - 1)]
    canal = fractions[:, canal_rows][..., :2]
    out = np.concatenate([canal, fractions[:, rows][..., 2:]], -1)
    out[..., 2:] *= 1 - canal.sum(-1, keepdims=True)
    sacral = s_mm < LEVEL_MM[-1]
    out[:, sacral] = _sacrum(s_mm[sacral], u_mm)[None]
    texture[:, sacral] = 0.5
    return out, texture


def _unit_knots() -> tuple[np.ndarray, np.ndarray]:
    """Knots (target s, source s) of the map that repeats the L1 unit below L1/L2; identity above."""
    eps = 1e-3
    target, source = [600.0, _L1_UNIT_MM[0]], [600.0, _L1_UNIT_MM[0]]
    for upper, lower in zip(LEVEL_MM[20:24], LEVEL_MM[21:25], strict=True):
        target += [upper - eps, lower]
        source += [_L1_UNIT_MM[1], _L1_UNIT_MM[0]]
    # Half a disc below L5/S1, so that the disc is whole.
    target += [LEVEL_MM[-1] - eps, LEVEL_MM[-1] - 8.0]
    source += [_L1_UNIT_MM[1], _L1_UNIT_MM[1] - 8.0]
    order = np.argsort(target)
    return np.asarray(target)[order], np.asarray(source)[order]


def _sacrum(s_mm: np.ndarray, u_mm: np.ndarray) -> np.ndarray:
    """Draw S1 to S5: tapering bodies with rudimentary discs, the canal and the posterior wall, (S, U, T)."""
    depth_mm = LEVEL_MM[-1] - s_mm[:, None]  # below L5/S1
    u = u_mm[None, :]
    total_mm = sum(_SACRUM_BODIES_MM)
    taper = np.clip(1 - depth_mm / total_mm, 0, 1)
    canal_half_mm = 1.0 + 6.5 * np.clip(1 - depth_mm / 60.0, 0, 1)
    back_mm = 8.0 - 6.0 * (1 - taper)  # posterior wall of the bodies
    front_mm = back_mm + 7.0 + 24.0 * taper
    inside = (u > back_mm) & (u < front_mm) & (depth_mm < total_mm)
    ends_mm = np.cumsum((0.0,) + _SACRUM_BODIES_MM)
    to_end_mm = np.abs(depth_mm[..., None] - ends_mm).min(-1)
    disc_half_mm = np.where(depth_mm < 10, 4.0, 1.5)
    disc = inside & (to_end_mm < disc_half_mm)
    rim = inside & ~disc & ((to_end_mm < disc_half_mm + 1) | (u < back_mm + 1) | (u > front_mm - 1))
    canal = (np.abs(u - (back_mm - 3 - canal_half_mm)) < canal_half_mm) & (depth_mm < 55)
    wall = (u < back_mm - 3 - 2 * canal_half_mm) & (u > back_mm - 13 - 2 * canal_half_mm) & (depth_mm < total_mm)
    body = inside & ~disc & ~rim
    none = np.zeros_like(inside)
    return np.stack([none, canal, body, wall, disc, none, rim], -1).astype(np.float32)


def _head_planes(head: Path, x_mm: np.ndarray):
    """ICBM brain in cord coordinates, 1 mm samples, with the distance to the brain for skull and scalp."""
    image = read_volume(head)
    data = image.data / np.percentile(image.data[image.data > 0], 99.5)
    s_mm, u_mm = np.arange(430.0, 680.0), np.arange(-130.0, 140.0)
    y_mm = u_mm + _PAM50_ORIGIN_YZ_MM[0] + _CORD_AXIS_J * _VOXEL_MM
    z_mm = s_mm + _PAM50_ORIGIN_YZ_MM[1]
    brains, distances = [], []
    for x in x_mm:
        slab = np.mean([_sample_plane(data, image.grid, x + dx, y_mm, z_mm) for dx in (-1.5, 0.0, 1.5)], axis=0)
        brains.append(slab)
        mask = ndimage.binary_closing(slab > 0.15, iterations=4)
        distances.append(ndimage.distance_transform_edt(~mask).astype(np.float32))
    return s_mm, u_mm, np.stack(brains), np.stack(distances)


def _sample_plane(data, grid: Grid, x_mm, y_mm, z_mm) -> np.ndarray:
    z, y = np.meshgrid(z_mm, y_mm, indexing="ij")
    index = grid.to_index(np.stack([np.full_like(y, x_mm), y, z], -1))
    return ndimage.map_coordinates(data, np.moveaxis(index, -1, 0), order=1)


def _tip_offsets_mm(pam50: Path) -> np.ndarray:
    """Anterior offset of every posterior disc tip; levels below PAM50 take the last one.

    PAM50 marks the end of the disc's body, 1.8 mm (median) in front of the CSF; people mark the border with the canal.
    """
    tips = _load(pam50, "PAM50_label_discPosterior")
    offsets_mm = np.full(N_DISCS, np.nan)
    for index in np.argwhere(tips):
        offsets_mm[int(tips[tuple(index)]) - 1] = (index[1] - _CORD_AXIS_J) * _VOXEL_MM
    offsets_mm[np.isnan(offsets_mm)] = offsets_mm[20]
    return offsets_mm - _TIP_TO_CANAL_MM
