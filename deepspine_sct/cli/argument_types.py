"""Argument types: from what a user types to a checked value."""

from argparse import ArgumentTypeError
from pathlib import Path

INSTALLED = "installed"
"""What a user writes for the checkpoint that comes with the package."""


def fraction(text: str) -> float:
    """Read a number between 0 and 1, both excluded."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < 1:
        raise ArgumentTypeError(f"'{text}' is not a number between 0 and 1")
    return value


def disc_values(text: str) -> tuple[int, ...]:
    """Read disc values as ``3:11``, ``3,4,5`` or ``3:5,8``; sorted and unique."""
    values: set[int] = set()
    for part in text.split(","):
        first, colon, last = part.partition(":")
        low = _disc_value(first, text)
        high = _disc_value(last, text) if colon else low
        if low > high:
            raise ArgumentTypeError(f"'{text}': the range {part} runs backwards")
        values.update(range(low, high + 1))
    return tuple(sorted(values))


def slice_and_disc(text: str) -> tuple[int, int]:
    """Read ``Z,LABEL``: a slice number and the value of the disc in it."""
    slice_text, comma, value_text = text.partition(",")
    if not comma or not slice_text.strip().isdecimal():
        raise ArgumentTypeError(f"'{text}' is not SLICE,DISC, as in 68,4")
    return int(slice_text), _disc_value(value_text, text)


def _disc_value(text: str, whole: str) -> int:
    """Read one disc value; `whole` is what the user typed, for the message."""
    from deepspine_sct.anatomy import DISC_VALUES  # brings numpy, which -h does without

    if not text.strip().isdecimal() or int(text) not in DISC_VALUES:
        raise ArgumentTypeError(f"'{whole}': '{text}' is not a disc value from {DISC_VALUES[0]} to {DISC_VALUES[-1]}")
    return int(text)


def shares(text: str) -> tuple[float, ...]:
    """Read ``0.8,0.1,0.1``: three numbers of at least 0 that sum to 1."""
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) != 3 or min(values) < 0 or abs(sum(values) - 1) > 1e-6:
        raise ArgumentTypeError(f"'{text}' is not three shares that sum to 1, as 0.8,0.1,0.1 are")
    return values


def share(text: str) -> float:
    """Read a number from 0 to 1."""
    return _number(text, 0, 1)


def positive(text: str) -> float:
    """Read a number above 0."""
    value = _number(text, 0, float("inf"))
    if value == 0:
        raise ArgumentTypeError(f"'{text}' is not above 0")
    return value


def count(text: str) -> int:
    """Read a whole number of at least 1."""
    return _whole(text, 1)


def count_or_none(text: str) -> int:
    """Read a whole number of at least 0."""
    return _whole(text, 0)


def named(text: str) -> tuple[str, str]:
    """Read ``NAME=VALUE``, a tool and what it is found by."""
    name, _, value = text.partition("=")
    if not (value and name.replace("-", "_").replace(".", "_").isidentifier()):
        raise ArgumentTypeError(
            f"'{text}' is not NAME=VALUE with a name of letters and digits, as in ours=net.safetensors"
        )
    return name, value


def checkpoint_path(text: str | Path) -> Path:
    """Path of the checkpoint that a user named: a file, or the one that is installed."""
    if str(text) != INSTALLED:
        return Path(text)
    from deepspine_sct.model.runtime import SHIPPED  # brings numpy, which -h does without

    return SHIPPED


def _whole(text: str, low: int) -> int:
    if not text.isdecimal() or int(text) < low:
        raise ArgumentTypeError(f"'{text}' is not a whole number of at least {low}")
    return int(text)


def _number(text: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high or value == float("inf"):
        raise ArgumentTypeError(f"'{text}' is not a number from {low:g} to {high:g}")
    return value
