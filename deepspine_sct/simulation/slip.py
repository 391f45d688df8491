"""A vertebra that has slipped on the next one, and carries the spine above it along (spondylolisthesis)."""

from dataclasses import dataclass

import numpy as np

from deepspine_sct.anatomy import LEVEL_MM

RATE = 0.06
"""Share of the simulated images with a slip, in training; it is found in 5 to 10 % of adults' lumbar spines."""

_DISCS = ((22, 0.15), (23, 0.35), (24, 0.5))  # index of L3/L4, L4/L5 and L5/S1, and how often it is this disc
_FORWARDS_MM, _BACKWARDS_MM, _BACKWARDS_SHARE = (3.0, 14.0), (2.0, 5.0), 0.15
_DISC_HEIGHT_MM = 9.0  # the bodies step within it
_BELOW_MIDDLE = 0.3  # share of the step at the middle of the disc: its posterior end stays with the vertebra below
_CANAL_HALF_MM = 24.0  # the canal bends, over so much above and below
_BETWEEN_MM = 8.0  # what lies between the bodies and the canal is stretched or pressed together
_REGAINED_MM = 130.0  # so far above the slip the spine is back above where it was


@dataclass(frozen=True)
class Slip:
    """A step in the spine, in the template's coordinates.

    Attributes
    ----------
    disc : index of the disc that the step is in
    forwards_mm : how far the vertebra above has slipped; negative: backwards
    """

    disc: int
    forwards_mm: float

    @classmethod
    def random(cls, rng: np.random.Generator) -> "Slip":
        """Draw where and how far."""
        discs, shares = zip(*_DISCS, strict=True)
        backwards = rng.random() < _BACKWARDS_SHARE
        far_mm = -rng.uniform(*_BACKWARDS_MM) if backwards else rng.uniform(*_FORWARDS_MM)
        return cls(int(rng.choice(discs, p=shares)), float(far_mm))

    def of_bodies_mm(self, s_mm: np.ndarray) -> np.ndarray:
        """Return how far forwards bodies and discs at ``s_mm`` lie, of the same shape."""
        above_mm = s_mm - LEVEL_MM[self.disc]
        step = np.clip(above_mm / _DISC_HEIGHT_MM + _BELOW_MIDDLE, 0, 1)
        return self.forwards_mm * step * _regained(above_mm)

    def before(self, s_mm: np.ndarray, u_mm: np.ndarray, tip_u_mm: np.ndarray) -> np.ndarray:
        """Return the anterior offset that what is seen at (s, u) had before the slip.

        Parameters
        ----------
        s_mm, u_mm : (H, W) position along the spine and anterior offset of each pixel
        tip_u_mm : (25,) anterior offset of the posterior disc tips without a slip
        """
        above_mm = s_mm - LEVEL_MM[self.disc]
        bodies_mm = self.of_bodies_mm(s_mm)
        bend = np.clip(above_mm / (2 * _CANAL_HALF_MM) + 0.5, 0, 1)
        canal_mm = self.forwards_mm * bend * bend * (3 - 2 * bend) * _regained(above_mm)
        tips_mm = np.interp(s_mm, LEVEL_MM[::-1], tip_u_mm[::-1]) + bodies_mm
        share = np.clip(1 + (u_mm - tips_mm) / _BETWEEN_MM, 0, 1)
        return u_mm - canal_mm - share * (bodies_mm - canal_mm)


def _regained(above_mm: np.ndarray) -> np.ndarray:
    return np.clip(1 - above_mm / _REGAINED_MM, 0, 1)
