"""Argument types: from what a user types to a checked value."""

import re
from argparse import ArgumentTypeError
from pathlib import Path

INSTALLED = "installed"
"""What a user writes for the checkpoint that comes with the package."""

_RANGE_SIGNS = (":", "..", "-", " to ")


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
    """Read discs as values (``3:11``, ``3-11``, ``3,4,5``) or names (``C2/C3``, ``C2/C3:C7/T1``); sorted, unique."""
    values: set[int] = set()
    for part in re.split("[,;]", text):
        low, high = _range(part, text)
        if low > high:
            raise ArgumentTypeError(f"'{text}': the range {part} runs backwards; write it from the head downwards")
        values.update(range(low, high + 1))
    return tuple(sorted(values))


def slice_and_disc(text: str) -> tuple[int, int]:
    """Read ``Z,DISC``: a slice number, and the value or the name of the disc in it."""
    slice_text, *disc_text = re.split("[,:; ]+", text.strip(), maxsplit=1)
    if not (disc_text and slice_text.isdecimal()):
        raise ArgumentTypeError(f"'{text}' is not SLICE,DISC, as in 68,4 or 68,C3/C4")
    return int(slice_text), disc_value(disc_text[0], text)


def _range(part: str, whole: str) -> tuple[int, int]:
    """Read one disc, or the first and the last of several."""
    if (value := _find_disc(part)) is not None:
        return value, value
    ranges = [tuple(part.split(sign)) for sign in _RANGE_SIGNS if part.count(sign) == 1]
    ranges += [(part[: found.start()], part[found.end() :]) for found in re.finditer("-", part)]
    for first, last in ranges:
        if (low := _find_disc(first)) is not None and (high := _find_disc(last)) is not None:
            return low, high
    if ranges:
        part = next((end for end in ranges[0] if _find_disc(end) is None), part)
    return (disc_value(part, whole),) * 2


def disc_value(text: str, whole: str | None = None) -> int:
    """Read one disc; `whole` is what the user typed, for the message, where that is more."""
    from deepspine_sct.anatomy import DISC_VALUES  # brings numpy, which -h does without

    value = _find_disc(text)
    if value is not None:
        return value
    hint = ""
    if re.fullmatch(r"[CTLS]\d+", text.strip(), re.IGNORECASE):
        hint = "; a disc is named after both of its vertebrae, as C3/C4"
    where = "" if whole in (None, text) else f"'{whole}': "
    named = f"'{text}' is not a disc value from {DISC_VALUES[0]} to {DISC_VALUES[-1]}"
    raise ArgumentTypeError(f"{where}{named} nor a name such as C3/C4{hint}")


def _find_disc(text: str) -> int | None:
    """Value of a disc that is given by its value or its name; None for anything else."""
    from deepspine_sct.anatomy import DISC_NAMES

    text = text.strip()
    if text.isdecimal():
        return int(text) if int(text) in DISC_NAMES else None
    found = re.fullmatch(r"([CTLS]\d+)\s*[/\-_| ]?\s*([CTLS]?\d+)", text, re.IGNORECASE)
    name = text
    if found:
        upper, lower = (side.upper() for side in found.groups())
        name = f"{upper}/{lower if lower[0].isalpha() else upper[0] + lower}"
    known = {name.lower(): value for value, name in DISC_NAMES.items()}
    return known.get(name.lower())


def disc_count(text: str) -> int:
    """Read how many discs, from the first one down: from 1 to all that there are."""
    from deepspine_sct.anatomy import N_DISCS  # brings numpy, which -h does without

    n = _whole(text, 1)
    if n > N_DISCS:
        raise ArgumentTypeError(f"'{text}' is more than the {N_DISCS} discs that there are")
    return n


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
        wanted = f"number from {low:g} to {high:g}" if high < float("inf") else f"finite number of at least {low:g}"
        raise ArgumentTypeError(f"'{text}' is not a {wanted}")
    return value
