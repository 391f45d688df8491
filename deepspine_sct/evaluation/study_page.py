"""A study as one HTML file: tables and pictures in it, nothing from outside."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from deepspine_sct.anatomy import disc_name

Row = Mapping[str, Any]

_STYLE = """\
:root { color-scheme: light dark; }
body { font: 15px/1.5 sans-serif; margin: 2em auto; max-width: 100em; padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0; font-size: 13px; line-height: 1.3; }
th, td { padding: .25em .6em; text-align: right; border-bottom: 1px solid #8884; }
td { white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; background: white; }
figure { display: inline-block; margin: 1em 1em 1em 0; vertical-align: top; max-width: 100%; }
figure.case { max-width: 24em; }
"""

# Title, key, how it is written; those with an interval show it.
_COLUMNS = (
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
    tables = "\n".join(_table(by, [row for row in rows if row["by"] == by]) for by in _BY)
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="script-src 'none'">
<title>{escape(title)}</title>
<style>
{_STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
{"".join(f"<p>{escape(note)}</p>" for note in notes)}
<p>Small numbers: 95 % interval (Wilson's, with as many trials as the images are worth; means: Student's t over
images).</p>
{tables}
{"".join(_figure(caption, png, "plot") for caption, png in figures.items())}
<h2>Worst images</h2>
<p>Dots: predicted. Circles: true.</p>
{"".join(_figure(caption, png, "case") for caption, png in worst.items())}
</body>
</html>
"""
    return page.encode("ascii", "xmlcharrefreplace")


_BY = {"all": "All images", "contrast": "By contrast", "site": "By site", "level": "By level"}


def _table(by: str, rows: Sequence[Row]) -> str:
    """Lay out the rows of one kind of group; a group's tools stand one under the other."""
    head = "".join(f"<th>{escape(title)}</th>" for title, _, _ in _COLUMNS)
    groups = list(dict.fromkeys(row["group"] for row in rows))
    ordered = [row for group in groups for row in rows if row["group"] == group]
    lines = "\n".join(
        f"<tr><td>{escape(_name(row))}</td>{''.join(_cell(row, c) for c in _COLUMNS)}</tr>" for row in ordered
    )
    return f"<h2>{_BY[by]}</h2>\n<table><tr><th></th>{head}</tr>\n{lines}</table>"


def _name(row: Row) -> str:
    if row["by"] == "all":
        return f"{row['tool']}"
    disc = f" {disc_name(int(row['group']))}" if row["by"] == "level" else ""
    return f"{row['group']}{disc}: {row['tool']}"


def _cell(row: Row, column: tuple[str, str, str]) -> str:
    _, key, form = column
    value, low, high = (row.get(name) for name in (key, f"{key}_low", f"{key}_high"))
    if value is None or value != value:
        return "<td></td>"
    text = form.format(value)
    if low is not None and low == low:
        text += f"<br><small>{form.format(low)} to {form.format(high)}</small>"
    return f"<td>{text}</td>"


def _figure(caption: str, png: bytes, kind: str) -> str:
    data = base64.b64encode(png).decode("ascii")
    return (
        f'<figure class="{kind}"><img alt="{escape(caption)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>\n"
    )
