"""Spines that are not built as most: a vertebra more or fewer, and vertebrae that have grown together.

Discs are named by counting from the head, as a reader does who sees the neck. A spine with a vertebra more or fewer has
therefore two coordinates: the *counted* ``s``, in which the discs carry their values, and the template's, which says
what is painted there. Where the neck is not in view a reader counts from the sacrum, and such a spine looks common.

The rates are those of training, not of a population: numbers of presacral vertebrae other than 24 occur in 3 to 10 % of
people, a sacralised L5 in 4 to 8 %, block vertebrae in less than 1 %.
"""

from dataclasses import dataclass, replace

import numpy as np

from deepspine_sct.anatomy import LEVEL_MM

RATES = {"fewer": 0.03, "more": 0.05, "sacralised": 0.04, "block": 0.04}
"""Share of the simulated images of each variant; the others are common."""

CONUS_MM = float(LEVEL_MM[20]) + 6.0
"""Where the cord ends on average: at the lower border of L1."""
_CONUS_SD_MM = 16.0  # about two thirds of a vertebra: T12 to L2/L3

_UNITS = (18, 22)  # index of T12 and of L4: one of these is left out (T11, L4) or comes twice (T13, L6)
_GONE = 0.8  # a disc that is bone to this share cannot be seen any more


@dataclass(frozen=True)
class Variant:
    """How a spine is built.

    Attributes
    ----------
    name : a key of `RATES`, or "common"
    counted_mm, template_mm : (M,) knots of the map between the two coordinates, counted_mm increasing
    fused : (25,) share of each of the template's discs that has turned into bone
    seen : (25,) bool, False where no disc of this value exists or can be seen
    conus_mm : template's s of the lower end of the cord
    """

    name: str
    counted_mm: np.ndarray
    template_mm: np.ndarray
    fused: np.ndarray
    seen: np.ndarray
    conus_mm: float = CONUS_MM

    def to_template(self, counted_mm: np.ndarray) -> np.ndarray:
        """Return the template's s [mm] of counted s [mm], of any shape."""
        return np.interp(counted_mm, self.counted_mm, self.template_mm)


def random_variant(rng: np.random.Generator, counts_from_head: bool) -> Variant:
    """Draw a variant by its rate; ``counts_from_head`` says whether C2/C3 is in view."""
    name = str(rng.choice([*RATES, "common"], p=[*RATES.values(), 1 - sum(RATES.values())]))
    conus_mm = rng.normal(CONUS_MM, _CONUS_SD_MM)
    if name in ("fewer", "more") and counts_from_head:
        return replace(numbered(name, int(rng.choice(_UNITS))), conus_mm=conus_mm)
    if name == "sacralised":
        return fused_variant(name, {24: rng.uniform(0.4, 1.0)}, conus_mm)
    if name == "block":
        first = int(rng.integers(2, 24))
        shares = {k: rng.uniform(0.5, 1.0) for k in range(first, first + int(rng.integers(1, 3)))}
        return fused_variant(name, shares, conus_mm)
    return fused_variant("common", {}, conus_mm)


def fused_variant(name: str, shares: dict[int, float], conus_mm: float = CONUS_MM) -> Variant:
    """Make a spine with 24 presacral vertebrae whose discs, by index, are bone to the given shares."""
    fused = np.zeros(25)
    fused[list(shares)] = list(shares.values())
    ends_mm = np.array([-1000.0, 1000.0])
    return Variant(name, ends_mm, ends_mm, fused, fused < _GONE, conus_mm)


def numbered(name: str, unit: int) -> Variant:
    """Make a spine of one vertebra ``more`` or ``fewer`` than 24: the one between disc index ``unit`` and the next."""
    units = list(range(24))
    if name == "more":
        units.insert(unit, unit)
    else:
        units.remove(unit)
    extra_mm = LEVEL_MM[-1] + LEVEL_MM[-1] - LEVEL_MM[-2]
    places_mm = np.append(LEVEL_MM, extra_mm)[: len(units) + 1]
    eps_mm = 1e-3
    knots = [(1000.0, 1000.0)]
    for k, source in enumerate(units):
        knots += [(places_mm[k] - eps_mm, LEVEL_MM[source]), (places_mm[k + 1], LEVEL_MM[source + 1])]
    knots += [(places_mm[-1] - below_mm, LEVEL_MM[-1] - below_mm) for below_mm in (eps_mm, 1000.0)]
    counted_mm, template_mm = np.array(knots[::-1]).T
    return Variant(name, counted_mm, template_mm, np.zeros(25), np.arange(25) <= len(units))


COMMON = fused_variant("common", {})
"""Most spines."""
