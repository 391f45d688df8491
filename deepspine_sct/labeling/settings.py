"""What the steps of `Predictor.predict` go by: every number that decides where and how often it looks.

They belong to the method, not to a network, so that a checkpoint does not hold them. What is measured
about them is measured by handing other ones to a `Predictor`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..image.slab import SlabSpec


@dataclass(frozen=True)
class PredictorSettings:
    """Settings of the survey, the ordering and the second look."""

    # The survey: a few slabs over the whole width first, then all slabs around the spine.
    step_mm: float = SlabSpec.step_mm
    """Distance between the slabs around the spine."""
    coarse_stride: int = 3
    """A coarse slab is every third fine one. The network answers to slabs up to 9 mm off a disc's own
    middle, so that no spine slips between two coarse slabs."""
    margin_slabs: int = 2
    """Fine slabs on either side of those that show the spine."""
    trace: float = 0.25
    """A coarse slab this strong, relative to the best, shows some of the spine."""
    clear: float = 0.5
    """From this probability on a name is clear."""
    clear_discs: int = 4
    """A slab with so many clear names shows where the spine is, and the other slabs are looked at there."""
    column_trace: float = 0.05
    """A column this strong, relative to the best, shows some of the spine."""
    beside_mm: float = 60.0
    """The fine slabs are looked at from so far in front of the spine to so far behind it. The whole width gives the
    same names and distances on the real scans, at up to twice the cost; 36 mm cost one name of 354 lumbar ones."""

    # The image turned over.
    nearly: float = 0.75
    """A slab with this share of the most that any slab shows of discs shows nearly the most."""

    # What is air, and therefore not looked at.
    bright_px: int = 100
    """So many pixels of each slab, on average, are brighter than what contrast is measured by."""
    dark: float = 0.03
    """A pixel with less than this share of the bright ones' contrast shows nothing."""
    shown_px: int = 6
    """So many pixels of a row or a column must show something; fewer are noise."""
    air: float = 0.05
    """With less than this share of the highest contrast a slab lies beside the body."""

    # The ordering.
    threshold: float = 0.15
    """Least probability of a disc at a candidate."""
    faint: float = 0.03
    """Least probability of a disc at a place that the user says is one."""

    # The second look, on finer pixels.
    looks_again: bool = True
    """Whether there is one."""
    fine_pixels_mm: tuple[float, float] = (1.4, 1.7)
    """Finer than the network's own pixels, yet so that bodies look no larger than those that it was trained on: the
    first for the neck, the second for the longer vertebrae below it. 1.4 mm for all puts lumbar discs 1.52 instead of
    1.48 mm from their points, and takes longer (`docs/speed.md`)."""
    pixels_per_gap: float = 11.5
    """In between a pixel is so small that there are so many from disc to disc."""
    surroundings_mm: float = 60.0
    """What is looked at again reaches this far beyond the discs."""
    same_mm: float = 2.0
    """A disc of the first look and one of the second are the same within this distance."""
    not_same_mm: float = 4.0
    """From here on they are not. In between the second one counts less and less: a step would let a
    disc jump by 2 mm for a change of the image that cannot be seen."""
    other_mm: float = 10.0
    """Up to here the second look saw the same disc, but elsewhere; what is farther off is another."""

    # The third look, on coarser pixels, where the names are neither sure nor doubted.
    afar: float = 1.15
    """Its pixels are so many times as large as the network's own. The model card compares it with other sizes."""


DEFAULTS = PredictorSettings()
"""The settings that ship."""
