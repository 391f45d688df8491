"""Real lower spines for the simulator: lumbar anatomies laid straight along the template's cord coordinates.

A lower spine replaces the atlas below one of its vertebrae: bodies, discs, arches, canal and sacrum come from a real
subject's masks, and everything around them, belly, back and pelvis, from the brightness of the same scan.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from deepspine_sct.anatomy import LEVEL_MM, N_DISCS
from deepspine_sct.simulation.atlas import SLAB_MM, bilinear_corners
from deepspine_sct.simulation.lumbar import CANAL, DISC, VERTEBRA, LumbarSubject
from deepspine_sct.simulation.repaint import brightness_marks

# Of the straight planes, in millimetres of the template.
_S_MM = np.arange(-215.0, 120.0)
_U_MM = np.arange(-75.0, 105.0)
_X_STEP_MM = 2.0
_CORD_RADIUS_MM = 4.2  # as PAM50's at L1; it ends at the conus (see `variants`)
_ARCH_BEHIND_MM = 3.0  # bone so far behind the tips of the discs is no vertebral body
_NUCLEUS = np.ones((1, 3, 11), bool)  # voxels that the nucleus lies within its disc
_JOIN_MM = 1.5  # half of the border between this spine and the template's
_LEAST_TOP = 20  # a subject that does not show T12/L1 is of no use
_TIP_U_MM = (2.0, 20.0)  # farther from the middle of the canal, the line does not follow it


@dataclass(frozen=True)
class LowerSpine:
    """One subject's planes, sampled every millimetre of the template.

    Attributes
    ----------
    name : the subject
    half_width_mm : the planes reach so far to the left and to the right
    x_mm, s_mm, u_mm : (P,), (S,), (U,) coordinates of the samples, increasing
    fractions : (P, S, U, T) uint8, 255 = all of the sample is this tissue, order of `atlas.TISSUES`
    texture : (P, S, U) uint8, T2w brightness, 170 = cerebrospinal fluid
    shown : (S, U) uint8, 255 where the scan shows anything
    tip_u_mm : (25,) anterior offset of the posterior disc tips, NaN where it is not known
    marks : brightness of muscle, marrow and fat, 1 = cerebrospinal fluid
    """

    name: str
    half_width_mm: float
    x_mm: np.ndarray
    s_mm: np.ndarray
    u_mm: np.ndarray
    fractions: np.ndarray
    texture: np.ndarray
    shown: np.ndarray
    tip_u_mm: np.ndarray
    marks: tuple[float, float, float]

    def sample(self, s_mm: np.ndarray, u_mm: np.ndarray, x_mm: np.ndarray, join_mm: float):
        """Look up the planes at (H, W) coordinates: bilinear in (s, u), nearest plane in x.

        Returns
        -------
        share (H, W) of this spine, which ends at ``join_mm``; fractions (H, W, T); texture (H, W), 1 = fluid
        """
        plane = np.rint((x_mm - self.x_mm[0]) / _X_STEP_MM).astype(int).clip(0, len(self.x_mm) - 1)
        row, col = s_mm - self.s_mm[0], u_mm - self.u_mm[0]
        inside = (row >= 0) & (row < len(self.s_mm) - 1) & (col >= 0) & (col < len(self.u_mm) - 1)
        inside &= s_mm < join_mm + _JOIN_MM
        plane, row, col = plane[inside], row[inside], col[inside]
        corners = bilinear_corners(row, col)
        share = np.zeros(s_mm.shape, np.float32)
        fractions = np.zeros((*s_mm.shape, self.fractions.shape[-1]), np.float32)
        texture = np.zeros(s_mm.shape, np.float32)
        share[inside] = self.shown[row.astype(int), col.astype(int)] / np.float32(255)
        fractions[inside] = sum(w * self.fractions[plane, p, q] for w, p, q in corners) / 255
        texture[inside] = sum(w[:, 0] * self.texture[plane, p, q] for w, p, q in corners) / FLUID
        share *= np.clip((join_mm - s_mm) / (2 * _JOIN_MM) + 0.5, 0, 1)
        return share, fractions, texture


FLUID = 170.0
"""Value of cerebrospinal fluid in `LowerSpine.texture`; fat is brighter."""


def straighten(subject: LumbarSubject) -> LowerSpine:
    """Sample a subject along the middle line of its canal."""
    zooms_mm = subject.scan.grid.zooms_mm
    half_width_mm = max(0.0, (len(subject.tissue) - 1) / 2 * zooms_mm[0] - 1.0)
    x_mm = np.arange(-(half_width_mm // _X_STEP_MM), half_width_mm // _X_STEP_MM + 1) * _X_STEP_MM
    at_mm = _sample_places_mm(subject)  # (S, U, 3), of the middle plane
    tips_mm = {v: subject.scan.grid.to_index(xyz_mm) * zooms_mm for v, xyz_mm in subject.points.items()}
    tip_u_mm = np.full(N_DISCS, np.nan)
    for value, tip_mm in tips_mm.items():
        tip_u_mm[value - 1] = subject.line.to_template(tip_mm[1:])[1]
    layers = _layers(subject, tip_u_mm)
    planes = np.stack([_plane(layers, at_mm, x, zooms_mm) for x in x_mm])  # (P, S, U, 7)
    fractions = _with_cord(planes[..., 1:], x_mm)
    ij = at_mm[..., 1:] / zooms_mm[1:]
    shown = ((ij >= 0) & (ij <= np.array(subject.tissue.shape[1:]) - 1)).all(-1)
    return LowerSpine(
        subject.name,
        half_width_mm,
        x_mm,
        _S_MM,
        _U_MM,
        np.round(255 * fractions.clip(0, 1)).astype(np.uint8),
        np.round(FLUID * planes[..., 0]).clip(0, 255).astype(np.uint8),
        _soft_uint8(ndimage.binary_erosion(shown, iterations=4)),
        tip_u_mm,
        brightness_marks(subject.scan.data, subject.tissue == VERTEBRA, subject.tissue == 0),
    )


def _soft_uint8(mask: np.ndarray) -> np.ndarray:
    return np.round(255 * ndimage.gaussian_filter(mask.astype(float), 1.5)).astype(np.uint8)


def is_usable(subject: LumbarSubject) -> bool:
    """Whether the discs and the canal follow one another as in most people, so that the spine can be laid straight."""
    tips_mm = np.array([subject.points[v] for v in sorted(subject.points)])
    steps_mm = np.linalg.norm(np.diff(tips_mm, axis=0), axis=1)
    sway_mm = np.ptp(tips_mm[:, 0])
    grid = subject.scan.grid
    _, tip_u_mm = subject.line.to_template((grid.to_index(tips_mm) * grid.zooms_mm)[:, 1:])
    in_front = (tip_u_mm > _TIP_U_MM[0]).all() and (tip_u_mm < _TIP_U_MM[1]).all()
    return bool(min(subject.points) <= _LEAST_TOP and steps_mm.min() > 18 and sway_mm < 14 and in_front)


def random_join_mm(rng: np.random.Generator, lower: LowerSpine) -> float:
    """Draw where the template's spine goes over into this one: in the middle of a vertebra from T10 to L2."""
    known = np.flatnonzero(~np.isnan(lower.tip_u_mm[:21]))
    upper = int(rng.choice(known))  # index of the uppermost disc that is this subject's own
    return float(LEVEL_MM[upper - 1] + LEVEL_MM[upper]) / 2


def _sample_places_mm(subject: LumbarSubject) -> np.ndarray:
    """(S, U, 3) left-right, down and back [mm] of every sample of the middle plane."""
    line = subject.line
    at = np.interp(_S_MM, line.s_mm[::-1], np.arange(len(line.s_mm))[::-1])
    knots = np.arange(len(line.s_mm))
    middle = np.stack([np.interp(at, knots, column) for column in line.at_mm.T], -1)
    front = np.stack([np.interp(at, knots, column) for column in line.front.T], -1)
    places_mm = np.repeat(middle[:, None], len(_U_MM), 1)
    places_mm[..., 1:] += front[:, None] * (_U_MM * line.size)[:, None]
    return places_mm


def _layers(subject: LumbarSubject, tip_u_mm: np.ndarray) -> np.ndarray:
    """(7, N, H, W) float32: brightness, then canal, body, arches, annulus, nucleus and cortex."""
    tissue, zooms_mm = subject.tissue, subject.scan.grid.zooms_mm
    rows_mm, cols_mm = (np.arange(n) * zoom for n, zoom in zip(tissue.shape[1:], zooms_mm[1:], strict=True))
    s_mm, u_mm = subject.line.to_template(np.stack(np.meshgrid(rows_mm, cols_mm, indexing="ij"), -1))
    known = ~np.isnan(tip_u_mm)
    tips_u_mm = np.interp(s_mm, LEVEL_MM[known][::-1], tip_u_mm[known][::-1])
    behind = u_mm < tips_u_mm - _ARCH_BEHIND_MM
    bone, disc = tissue == VERTEBRA, tissue == DISC
    nucleus = ndimage.binary_erosion(disc, _NUCLEUS)
    rim = bone & ~ndimage.binary_erosion(bone, np.ones((1, 3, 3), bool), border_value=1)
    masks = [tissue == CANAL, bone & ~rim & ~behind, bone & ~rim & behind, disc & ~nucleus, nucleus, rim]
    layers = np.stack([subject.scan.data, *masks]).astype(np.float32)
    return ndimage.uniform_filter1d(layers, round(SLAB_MM / zooms_mm[0]), axis=1, mode="nearest")


def _plane(layers: np.ndarray, at_mm: np.ndarray, x_mm: float, zooms_mm: np.ndarray) -> np.ndarray:
    """(S, U, 7) layers, which are averaged over a slab already, on the plane at ``x_mm``."""
    index = np.moveaxis((at_mm - (x_mm, 0, 0)) / zooms_mm, -1, 0)
    return np.stack([ndimage.map_coordinates(layer, index, order=1, mode="nearest") for layer in layers], -1)


def _with_cord(masks: np.ndarray, x_mm: np.ndarray) -> np.ndarray:
    """Turn (P, S, U, 6) masks into fractions (P, S, U, T): a round cord inside of the canal."""
    radius_mm = np.hypot(x_mm[:, None], _U_MM)[:, None]  # (P, 1, U)
    cord = np.clip(_CORD_RADIUS_MM - radius_mm + 0.5, 0, 1) * masks[..., 0]
    return np.concatenate([cord[..., None], (masks[..., 0] - cord)[..., None], masks[..., 1:]], -1)
