"""A study as one HTML file: tables and pictures in it, nothing from outside."""

import base64
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

from deepspine_sct.anatomy import disc_name

Row = Mapping[str, Any]

# Title, key, how it is written; those with an interval show it.
_COLUMNS = (
    ("subjects", "n_subjects", "{:.0f}"),
    ("images", "n_images", "{:.0f}"),
    ("every name right", "images_all_named", "{:.1%}"),
    ("all within tolerance", "images_all_right", "{:.1%}"),
    ("discs", "n_discs", "{:.0f}"),
    ("named right", "naming_rate", "{:.1%}"),
    ("detected", "detection_rate", "{:.1%}"),
    ("named within tolerance", "identification_rate", "{:.1%}"),
    ("FNR", "fnr", "{:.1%}"),
    ("FPR", "fpr", "{:.1%}"),
    ("FNR, any name", "fnr_any_name", "{:.1%}"),
    ("FPR, any name", "fpr_any_name", "{:.1%}"),
    ("distance mean [mm]", "distance_mean_mm", "{:.2f}"),
    ("SD", "distance_sd_mm", "{:.2f}"),
    ("median", "distance_median_mm", "{:.2f}"),
    ("95 %", "distance_p95_mm", "{:.2f}"),
    ("superior-inferior [mm]", "distance_si_mean_mm", "{:.2f}"),
    ("off by one", "off_by_one", "{:.0f}"),
)


def render_study(
    title: str,
    notes: Sequence[str],
    rows: Sequence[Row],
    figures: Mapping[str, bytes],
    worst: Mapping[str, bytes],
) -> bytes:
    """Build the page.

    Parameters
    ----------
    title : of the page
    notes : sentences on what was compared, and how
    rows : of `study.summary_rows`
    figures, worst : captions to PNG files

    Returns
    -------
    bytes
        HTML in plain ASCII.
    """
    from jinja2 import Environment  # slow to load: not for -h

    text = files(__package__).joinpath("study_page.html.j2").read_text(encoding="utf-8")
    page = (
        Environment(autoescape=True, keep_trailing_newline=True)
        .from_string(text)
        .render(
            title=title,
            notes=notes,
            columns=[column for column, _, _ in _COLUMNS],
            tables=[_table(by, [row for row in rows if row["by"] == by]) for by in _BY],
            figures={caption: _data_url(png) for caption, png in figures.items()},
            worst={caption: _data_url(png) for caption, png in worst.items()},
        )
    )
    return page.encode("ascii", "xmlcharrefreplace")


_BY = {"all": "All images", "contrast": "By contrast", "site": "By site", "level": "By level"}


def _table(by: str, rows: Sequence[Row]) -> dict[str, Any]:
    """Lay out the rows of one kind of group; a group's tools stand one under the other."""
    groups = list(dict.fromkeys(row["group"] for row in rows))
    ordered = [row for group in groups for row in rows if row["group"] == group]
    lines = [{"name": _name(row), "cells": [_cell(row, key, form) for _, key, form in _COLUMNS]} for row in ordered]
    return {"title": _BY[by], "lines": lines}


def _name(row: Row) -> str:
    if row["by"] == "all":
        return f"{row['tool']}"
    disc = f" {disc_name(int(row['group']))}" if row["by"] == "level" else ""
    return f"{row['group']}{disc}: {row['tool']}"


def _cell(row: Row, key: str, form: str) -> tuple[str, str]:
    """Write a number and its interval; both are "" where there are none."""
    value, low, high = (row.get(name) for name in (key, f"{key}_low", f"{key}_high"))
    if value is None or value != value:
        return "", ""
    interval = "" if low is None or low != low else f"{form.format(low)} to {form.format(high)}"
    return form.format(value), interval


def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
