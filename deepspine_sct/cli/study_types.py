"""Argument types of the research commands: from what a user types to a checked value."""

from argparse import ArgumentTypeError
from pathlib import Path

INSTALLED = "installed"
"""What a user writes for the checkpoint that comes with the package."""


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
