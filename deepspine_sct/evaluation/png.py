"""Figures without a window: no pyplot, no state that others share."""

import io


def new_figure(width_in: float, height_in: float, dpi: int = 100):
    """Return an empty figure whose panels find their own place; see `drawing.own_settings`."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_in, height_in), dpi=dpi, layout="constrained")


def to_png(figure) -> bytes:
    """Render a figure as a PNG file."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    return buffer.getvalue()
