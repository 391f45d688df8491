"""Argument types: from what a user types to a checked value."""

from argparse import ArgumentTypeError


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
