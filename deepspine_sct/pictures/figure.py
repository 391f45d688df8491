"""Figures without a window: no pyplot, no state that others share."""

import io
from importlib.util import find_spec

from deepspine_sct.errors import DeepspineError


def require_matplotlib() -> None:
    """Refuse early where no picture can be drawn.

    Raises
    ------
    DeepspineError
        When matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise DeepspineError("a picture needs the Python package matplotlib: run `pip install matplotlib`")


def new_figure(width_in: float, height_in: float, dpi: int = 100):
    """Return an empty figure whose panels find their own place; see `matplotlib_settings`."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), dpi=dpi, layout="constrained")


def to_png(figure, facecolor: str = "white") -> bytes:
    """Render a figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor=facecolor)
    return buffer.getvalue()
