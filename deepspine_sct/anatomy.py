"""Names, order and mean geometry of the intervertebral discs: the only table of disc values.

A disc is known by SCT's value: 1 is the top of C1, 2 is C1/C2, 3 is C2/C3, 8 is C7/T1, 20 is T12/L1
and 25 is L5/S1. Values increase from superior to inferior. The point of a disc is its posterior tip
in the mid-sagittal plane.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from .errors import DeepspineError

Points = Mapping[int, np.ndarray]
"""World RAS+ position (3,) [mm] of disc values."""

_VERTEBRAE = (
    *(f"C{n}" for n in range(1, 8)),
    *(f"T{n}" for n in range(1, 13)),
    *(f"L{n}" for n in range(1, 6)),
    "S1",
)

DISC_VALUES = tuple(range(1, len(_VERTEBRAE) + 1))
"""Every disc value, superior to inferior."""

N_DISCS = len(DISC_VALUES)
"""How many discs there are, and channels in a network that knows them all."""

DISC_NAMES = {1: "top of C1"} | {
    value: f"{above}/{below}" for value, above, below in zip(DISC_VALUES[1:], _VERTEBRAE, _VERTEBRAE[1:], strict=False)
}
"""Name of each disc: the vertebra above, a slash, the vertebra below."""

SPECIAL_VALUES = (49, 50, 60)
"""Values that SCT writes beside the discs and that are none: ponto-medullary groove (49) and
junction (50), conus medullaris (60)."""

_PAM50_SPACING_MM = (
    23.8, 14.5, 18.5, 17.5, 17.5, 16.5, 18.0, 20.5, 23.0, 23.5,
    23.5, 25.0, 25.5, 27.0, 26.5, 27.5, 28.5, 31.0, 32.0, 33.0,
)  # fmt: skip
_SCALED_SPACING_MM = (35.0, 36.0, 36.0, 34.0)

SPACING_MM = np.array(_PAM50_SPACING_MM + _SCALED_SPACING_MM)
"""(24,) Distance between the tips of disc ``v`` and disc ``v + 1``, at index ``v - 1``, in mm.

Down to L1/L2 (disc 21) measured on the disc labels of the PAM50 template (De Leener et al., 2018),
which ends there. The four lumbar distances below are our own scaling of the nearest level, not a
measurement.
"""

_PAM50_LEVEL_MM = (
    492.5, 469.0, 454.5, 436.0, 418.5, 401.0, 384.5, 366.5, 346.0, 323.0, 299.5,
    276.0, 251.0, 225.5, 198.5, 172.0, 144.5, 116.0, 85.0, 53.0, 20.0,
)  # fmt: skip

LEVEL_MM = np.concatenate([_PAM50_LEVEL_MM, _PAM50_LEVEL_MM[-1] - np.cumsum(_SCALED_SPACING_MM)])
"""(25,) Superior-inferior position of each disc on PAM50, in mm above the centre of its lowest
voxel; larger is superior. Measured and continued as `SPACING_MM`, so the last four are negative."""

for _table in (SPACING_MM, LEVEL_MM):
    _table.flags.writeable = False


def disc_name(value: int) -> str:
    """Name of a disc.

    Parameters
    ----------
    value : int
        Disc value, 1 to 25.

    Returns
    -------
    str
        For example ``"C2/C3"`` for 3.

    Raises
    ------
    DeepspineError
        When `value` is not a disc value.
    """
    check_values([value])
    return DISC_NAMES[value]


def vertebra_name(value: int) -> str:
    """Name of the vertebra below a disc: "C3" for 3. SCT counts the levels of the cord likewise, so C1 is 1."""
    check_values([value])
    return _VERTEBRAE[value - 1]


def check_values(values: Iterable[int] | str) -> tuple[int, ...]:
    """Return each disc value once, superior to inferior, or refuse what is not a disc.

    Parameters
    ----------
    values : iterable of int
        Candidate disc values, in any order, repeats allowed. A text is none, whatever it says.

    Returns
    -------
    tuple of int
        The distinct values in increasing order.

    Raises
    ------
    DeepspineError
        When one of them is not 1 to 25.
    """
    distinct = {values} if isinstance(values, str) else set(values)
    unknown = [value for value in distinct if value not in DISC_NAMES]
    if unknown:
        numbers = sorted(value for value in unknown if isinstance(value, int | float | np.number))
        others = sorted(f"{value!r:.40}" for value in unknown if not isinstance(value, int | float | np.number))
        texts = [*(f"{value:g}" for value in numbers), *others]
        listed = ", ".join(texts[:5]) + ", ..." * (len(texts) > 5)
        raise DeepspineError(
            f"not a disc value: {listed}; use {DISC_VALUES[0]} ({DISC_NAMES[1]}) to"
            f" {DISC_VALUES[-1]} ({DISC_NAMES[DISC_VALUES[-1]]})"
        )
    return tuple(sorted(int(value) for value in distinct))
