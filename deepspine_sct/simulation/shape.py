"""A random body: how long each level is, and how the spine bends.

A pixel is taken to cord coordinates (see `atlas`) in two steps: the nearest point of a smooth plane curve gives the
arc length and the anterior offset in this body, and a piecewise-linear map of the arc length, one piece a level,
gives the template's ``s``.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.spatial import cKDTree

from deepspine_sct.anatomy import LEVEL_MM

# Angle of the cord against the vertical, positive where it runs posterior on its way down: (s, mean, SD) [mm, deg].
# Supine lordosis and kyphosis: cervical, thoracic and lumbar Cobb angles of about 15, 40 and 50 degrees.
_ANGLES_DEG = (
    (600.0, 0.0, 9.0), (490.0, -2.0, 9.0), (430.0, 5.0, 9.0), (366.0, 19.0, 9.0), (300.0, 14.0, 8.0),
    (200.0, 0.0, 6.0), (53.0, -15.0, 7.0), (-15.0, -8.0, 7.0), (-80.0, 10.0, 7.0), (-125.0, 32.0, 9.0),
    (-170.0, 38.0, 12.0), (-230.0, 34.0, 14.0),
)  # fmt: skip
_TURNED = 0.12  # share of unusual bodies that lie askew in the scanner
_HEAD_MM = 487.0  # above, the head is rigid: the curve is straight
_STEP_MM = 1.0


@dataclass(frozen=True)
class BodyShape:
    """A bent and stretched spine in the image plane.

    Attributes
    ----------
    arc_mm, s_mm : (M,) body arc length (0 at the lower end, upwards) and the template's s of the same point
    curve_mm : (N, 2) points of the cord axis, one a millimetre of arc: (down, posterior) [mm]
    arc_of_curve_mm : (N,) their arc length
    normal : (N, 2) unit vectors towards anterior
    width : factor on antero-posterior lengths
    """

    arc_mm: np.ndarray
    s_mm: np.ndarray
    curve_mm: np.ndarray
    arc_of_curve_mm: np.ndarray
    normal: np.ndarray
    width: float

    def to_cord(self, points_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return template ``s`` and ``u`` [mm] of points (..., 2) = (down, posterior) [mm]."""
        _, nearest = cKDTree(self.curve_mm).query(points_mm)
        offset = points_mm - self.curve_mm[nearest]
        normal = self.normal[nearest]
        up = np.stack([-normal[..., 1], normal[..., 0]], -1)  # the normal turned by 90 degrees, superior
        up *= np.sign(-up[..., :1])
        arc = self.arc_of_curve_mm[nearest] + (offset * up).sum(-1)
        u = (offset * normal).sum(-1) / self.width
        return np.interp(arc, self.arc_mm, self.s_mm), u

    def grid_to_cord(
        self, origin_mm: np.ndarray, shape: tuple[int, int], spacing_mm: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return ``s`` and ``u`` [mm] of an image's pixels, each (H, W), from those of every second one.

        Both change slowly, and looking for the nearest point of the curve takes most of a simulation's time.
        """
        rows_mm, cols_mm = (np.arange(n // 2 + 2) * 2 * spacing_mm for n in shape)
        coarse = self.to_cord(np.stack(np.meshgrid(rows_mm, cols_mm, indexing="ij"), -1) + origin_mm)
        return tuple(_twice_as_fine(_twice_as_fine(field).T).T[: shape[0], : shape[1]] for field in coarse)

    def to_plane(self, s_mm: np.ndarray, u_mm: np.ndarray) -> np.ndarray:
        """Return (..., 2) = (down, posterior) [mm] of cord coordinates."""
        arc = np.interp(s_mm, self.s_mm, self.arc_mm)
        at = np.interp(arc, self.arc_of_curve_mm[::-1], np.arange(len(self.curve_mm))[::-1])
        low = np.clip(np.floor(at).astype(int), 0, len(self.curve_mm) - 2)
        weight = (at - low)[..., None]
        middle = self.curve_mm[low] * (1 - weight) + self.curve_mm[low + 1] * weight
        return middle + self.normal[low] * (u_mm * self.width)[..., None]


def _twice_as_fine(field: np.ndarray) -> np.ndarray:
    """Put the mean of each two neighbours between them, along the first axis."""
    fine = np.empty((2 * len(field) - 1, *field.shape[1:]))
    fine[::2] = field
    fine[1::2] = (field[:-1] + field[1:]) / 2
    return fine


def random_shape(rng: np.random.Generator, unusual: bool = False) -> BodyShape:
    """Draw a body of 0.68 to 1.18 times the template, with regions and levels stretched, and a bent cord.

    ``unusual`` also allows small children, from 0.55 times the template, and bodies that lie askew in the scanner.
    """
    size = rng.triangular(0.55, 0.92, 1.20) if unusual else rng.triangular(0.68, 0.90, 1.18)
    knots_s = np.concatenate([[-260.0, -180.0], LEVEL_MM[::-1], [700.0]])
    stretch = size * _level_stretch(rng, knots_s)
    arc = np.concatenate([[0.0], np.cumsum(np.diff(knots_s) * stretch)])
    width = size * rng.uniform(0.86, 1.16)
    curve, arc_of_curve, normal = _bend(rng, arc, knots_s, unusual and rng.random() < _TURNED)
    return BodyShape(arc, knots_s, curve, arc_of_curve, normal, width)


def _level_stretch(rng, knots_s) -> np.ndarray:
    """Relative length of each piece between knots: a region's factor times its own."""
    middle = (knots_s[1:] + knots_s[:-1]) / 2
    region = np.interp(middle, [-150, 20, 200, 366, 480], rng.normal(1.0, 0.07, 5))
    stretch = region * rng.normal(1.0, 0.05, len(middle)).clip(0.85, 1.15)
    stretch[-1] = 1.0  # the head keeps its shape
    return stretch


def _bend(rng, arc, knots_s, askew: bool):
    s_knots = np.array([a[0] for a in _ANGLES_DEG])[::-1]
    spread = rng.uniform(0.5, 1.4)
    angles = np.array([rng.normal(mean, spread * sd) for _, mean, sd in _ANGLES_DEG])[::-1]
    angles = angles + (rng.uniform(-38, 38) if askew else rng.normal(0, 6))
    arc_of_curve = np.arange(arc[-1], 0.0, -_STEP_MM)  # from superior to inferior
    s = np.interp(arc_of_curve, arc, knots_s)
    angle = PchipInterpolator(s_knots, angles, extrapolate=False)(np.clip(s, -230, _HEAD_MM))
    angle += rng.normal(0, 2.5) * np.sin(2 * np.pi * (np.minimum(s, _HEAD_MM) / rng.uniform(90, 260) + rng.random()))
    angle = np.deg2rad(angle)
    steps = np.stack([np.cos(angle), np.sin(angle)], -1) * _STEP_MM
    curve = np.cumsum(steps, axis=0)
    normal = np.stack([np.sin(angle), -np.cos(angle)], -1)
    return curve, arc_of_curve, normal
