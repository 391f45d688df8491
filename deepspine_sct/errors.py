"""Errors that a user can act on.

Each message is one line that names the file, says what is wrong with it, and names the remedy.
Mistakes of a programmer (a wrong shape, an unknown argument) stay ``ValueError`` and keep their
traceback.
"""


class DeepspineError(Exception):
    """The input, the output or the request cannot be used; the command ends with `exit_code`."""

    exit_code = 1


class NoDiscFound(DeepspineError):  # noqa: N818 - reads as the outcome it is, not as a fault
    """The image was read and searched, and holds no disc: no file is written."""

    exit_code = 3


class NoLabels(DeepspineError):  # noqa: N818 - as `NoDiscFound`
    """A label file is missing or empty: whoever should have marked discs in it found none."""
