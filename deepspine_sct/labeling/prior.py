"""What is known of every spine before one is seen: geometry, weights, and where each comes from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from .. import anatomy


@dataclass(frozen=True)
class SkeletonPrior:
    """What is known of every spine before one is seen, and how much each kind of evidence counts.

    All scores are log likelihood ratios [nats] of "this is disc v" against "this is a ghost". Where
    no source is named, the default was tuned on simulated spines with simulated network errors:
    blurred names, names that slip by a level along a part of the spine, missing discs, ghosts.
    """

    spacing_mm: tuple[float, ...] = tuple(anatomy.SPACING_MM.tolist())
    """(K - 1,) Mean distance between successive tips."""
    spread: tuple[float, ...] = (0.09,) * (len(anatomy.DISC_VALUES) - 1)
    """(K - 1,) Standard deviation of those distances at one body size, as a fraction: 0.06 in the
    58 adults of the training sites in ``training/annotations.json``, and some for other people."""
    level_mm: tuple[float, ...] = tuple(anatomy.LEVEL_MM.tolist())
    """(K,) Position of each disc along the template."""

    scale_mean: float = 0.94
    """Typical body size, template = 1: the median of the same adults."""
    scale_sd: float = 0.12
    """Standard deviation of its logarithm: 0.07 in these adults, more with children."""
    scale_range: tuple[float, float] = (0.65, 1.25)
    """Smallest and largest body size."""
    n_scales: int = 9
    """Body sizes tried, evenly spaced in the logarithm."""
    tip_sd_mm: float = 1.5
    """Standard deviation of a tip's position as found, along one axis."""
    reach_mm: float = 60.0
    """Length over which a ghost may lie below a disc; sets what a well-placed disc is worth."""
    angle_sd_deg: float = 25.0
    """Root mean square angle of a step to the vertical: 16 degrees in these adults, all supine and
    from the neck to the upper thorax; more for other postures and for the lumbar lordosis."""
    max_angle_deg: float = 75.0
    """Steeper steps do not exist."""
    bend_deg_per_mm: float = 0.5
    """Root mean square change of direction of the spine; 0.44 in these adults."""
    missing_cost: float = 2.0
    """Cost of a gap of one disc between two that are found."""
    missing_more_cost: float = 1.0
    """Cost of each further disc of a gap: what hides one disc, an implant say, hides several."""

    strength_weight: float = 1.3
    """Weight of the log odds that there is a disc."""
    evidence_weight: float = 0.6
    """Weight of the network's name of one candidate alone."""
    evidence_floor: float = 0.02
    """Share of the uniform distribution mixed into that name: networks are overconfident."""
    level_weight: float = 0.3
    """Weight of the network's level of one candidate alone."""
    level_sd_mm: float = 20.0
    """Standard deviation of the level."""
    apart_weight: float = 0.5
    """Weight of how many values, and how far in level, the network sees two discs apart."""
    apart_sd_mm: float = 12.0
    """Standard deviation of the difference of two levels."""
    correlation: float = 0.2
    """Correlation r of the naming errors within an image: the names and levels of n candidates
    count as those of n / (1 + (n - 1) r), the design effect of a cluster sample. A network that
    mistakes one disc for its neighbour tends to do so along the whole spine."""
    kinship: float = 0.1
    """The same correlation between the images of one person, of which each n discs seen elsewhere add
    n times this much to the divisor: half of that within an image (assumed)."""

    temperature: float = 1.2
    """Scores are divided by it before they become probabilities: calibrates the confidence."""
    knee: float = 4.0
    """Standard deviations after which a deviation costs linearly, no longer quadratically."""
    elsewhere_cost: float = 3.0
    """Cost of a disc that is none of those asked for: of the discs that a scan shows, one in twenty
    lies outside of the range that its user gives (assumed). Were it infinite, a scan of T1 to T9 of
    which the neck is asked for would be named as a neck."""
    pin_radius_mm: float = 10.0
    """A pin names the nearest candidate within this distance."""
    max_candidates: int = 40
    """Only the strongest are considered; time grows with their square."""

    @classmethod
    def default(cls) -> SkeletonPrior:
        """Return the prior that ships."""
        return cls()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON-compatible values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> SkeletonPrior:
        """Return the prior of `to_dict`; missing fields take their default.

        Raises
        ------
        ValueError
            When a field is unknown, or does not hold as many numbers as there are discs or distances.
        """
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"unknown fields of a skeleton prior: {', '.join(sorted(unknown))}")
        known: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        for field in fields(cls):
            if isinstance(field.default, tuple) and len(known.get(field.name, field.default)) != len(field.default):
                raise ValueError(
                    f"{field.name} of a skeleton prior holds {len(known[field.name])} numbers, not {len(field.default)}"
                )
        return cls(**known)
