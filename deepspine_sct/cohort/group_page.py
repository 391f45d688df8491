"""The group's report: one page on what became of a data set, and which scans to look at first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from pathlib import Path
from urllib.parse import quote

import numpy as np

from deepspine_sct.anatomy import disc_name
from deepspine_sct.cohort.group_tables import NOT_DONE, Row
from deepspine_sct.cohort.job import FAILED, LABELLED, SKIPPED
from deepspine_sct.cohort.spacing import OUTLIER, Spacing, outliers, spacings
from deepspine_sct.files.atomic import atomic_path
from deepspine_sct.labeling.confidence import SURE
from deepspine_sct.pictures.figure import new_figure, to_png

PAGE_NAME = "report.html"
FIGURE_FOLDER = "figures"

MOST_LINES = 200
"""Lines of a list on the page; all of them are in ``scans.tsv``."""

_STYLE = """\
:root { color-scheme: light dark; }
body { font: 15px/1.5 sans-serif; margin: 2em auto; max-width: 80em; padding: 0 1em; }
table { border-collapse: collapse; }
th, td { padding: .15em .8em; text-align: left; border-bottom: 1px solid #8884; }
td:first-child { white-space: nowrap; }
img { max-width: 100%; background: white; }
"""


def write_report(target: Path, rows: Sequence[Row]) -> Path:
    """Write the page and its figures.

    Parameters
    ----------
    target : Path
        Folder of the results.
    rows : sequence of Row
        All scans of the data set.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    DeepspineError
        When matplotlib is missing or a file cannot be written.
    """
    labelled = [row for row in rows if row.outcome.kind == LABELLED]
    found = [spacing for n, row in enumerate(labelled) for spacing in spacings(n, _points(row))]
    figures = {"confidence.png": _draw_confidence(labelled), "spacing.png": _draw_spacing(found)}
    (target / FIGURE_FOLDER).mkdir(exist_ok=True)
    for name, png in figures.items():
        with atomic_path(target / FIGURE_FOLDER / name) as path:
            path.write_bytes(png)
    page = target / PAGE_NAME
    with atomic_path(page) as path:
        path.write_bytes(_render(rows, labelled, found))
    return page


def _points(row: Row) -> dict[int, tuple[float, float, float]]:
    return {disc.value: disc.world_mm for disc in row.discs}


def _render(rows: Sequence[Row], labelled: Sequence[Row], found: Sequence[Spacing]) -> bytes:
    doubtful = [row for row in labelled if row.level_confidence < SURE]
    doubtful.sort(key=lambda row: row.level_confidence)
    sections = [
        _counts(rows),
        _cost(labelled),
        *(_reasons(kind, rows) for kind in (FAILED, SKIPPED)),
        "<h2>Confidence</h2>",
        f'<img src="{FIGURE_FOLDER}/confidence.png" alt="Distribution of confidence">',
        _section(
            f"Names in doubt (level confidence below {SURE})",
            ("scan", "level confidence"),
            [(_link(row), f"{row.level_confidence:.3f}") for row in doubtful],
        ),
        "<h2>Distance between discs</h2>",
        f'<img src="{FIGURE_FOLDER}/spacing.png" alt="Distances between neighbouring discs">',
        f"<p>Red: more than {OUTLIER} robust standard deviations from the median of the cohort, after the "
        "size of the body is taken out. Boxes hold the middle half of all scans.</p>\n",
        _section(
            "Unlike the other scans",
            ("scan", "discs", "distance [mm]", "standard deviations from the median"),
            [
                (
                    _link(labelled[spacing.scan]),
                    f"{disc_name(spacing.value)} to {disc_name(spacing.value + 1)}",
                    f"{spacing.mm:.1f}",
                    f"{score:+.1f}",
                )
                for spacing, score in outliers(found)
            ],
        ),
    ]
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="script-src 'none'">
<title>Disc labels of a cohort</title>
<style>
{_STYLE}</style>
</head>
<body>
<h1>Disc labels of a cohort</h1>
{"".join(sections)}
</body>
</html>
"""
    return page.encode("ascii", "xmlcharrefreplace")


def _counts(rows: Sequence[Row]) -> str:
    """Count the scans by outcome and by contrast, the BIDS suffix."""
    counts = Counter((_suffix(row), row.outcome.kind) for row in rows)
    suffixes = sorted({suffix for suffix, _ in counts})
    kinds = (LABELLED, FAILED, SKIPPED, NOT_DONE)
    lines = [(s, *(str(counts[s, kind]) for kind in kinds)) for s in suffixes]
    totals = ("all", *(str(sum(counts[s, kind] for s in suffixes)) for kind in kinds))
    return _section("Scans", ("", *kinds), [*lines, totals])


def _cost(labelled: Sequence[Row]) -> str:
    """Say what the labels cost."""
    if not labelled:
        return ""
    seconds = [sum(row.outcome.seconds.values()) for row in labelled]
    peak_mb = max(row.outcome.peak_mb for row in labelled)
    return (
        f"<p>A worker of one core took {np.median(seconds):.1f} s a scan (median; "
        f"{sum(seconds) / 60:,.0f} min in all) and at most {peak_mb:.0f} MB of memory.</p>\n"
    )


def _suffix(row: Row) -> str:
    return escape(row.scan.partition(".")[0].rpartition("_")[2])


def _reasons(kind: str, rows: Sequence[Row]) -> str:
    """List the scans of one outcome with the reason of each."""
    lines = [(_link(row), escape(row.outcome.reason)) for row in rows if row.outcome.kind == kind]
    return _section(kind.capitalize(), ("scan", "reason"), lines)


def _section(title: str, head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Lay out a list under a title; the cells are HTML."""
    if not lines:
        return f"<h2>{escape(title)}</h2>\n<p>None.</p>\n"
    shown = "\n".join("<tr><td>" + "</td><td>".join(line) + "</td></tr>" for line in lines[:MOST_LINES])
    rest = f"<p>And {len(lines) - MOST_LINES} more; see scans.tsv.</p>" * (len(lines) > MOST_LINES)
    names = "".join(f"<th>{escape(name)}</th>" for name in head)
    return f"<h2>{escape(title)}</h2>\n<table><tr>{names}</tr>\n{shown}</table>\n{rest}"


def _link(row: Row) -> str:
    """Name a scan, as a link to its picture, else to its report or its log."""
    name = escape(Path(row.scan).name)
    return f'<a href="{quote(row.link)}">{name}</a>' if row.link else name


def _draw_confidence(labelled: Sequence[Row]) -> bytes:
    """Draw how confidence is distributed over scans and over discs, as a PNG file."""
    figure = new_figure(9.0, 3.2)
    bins = np.linspace(0, 1, 21)
    kinds = {
        "level confidence of a scan": [row.level_confidence for row in labelled],
        "confidence of a disc": [disc.confidence for row in labelled for disc in row.discs],
    }
    for axes, (title, values) in zip(figure.subplots(1, 2), kinds.items(), strict=True):
        axes.hist(values, bins=bins, color="C0")
        axes.axvline(SURE, color="C3", linestyle=":")
        axes.set(xlabel=title, ylabel="number", title=f"n = {len(values)}")
    return to_png(figure)


def _draw_spacing(found: Sequence[Spacing]) -> bytes:
    """Draw the distances at each level, a box a level and a dot an outlier, as a PNG file."""
    figure = new_figure(9.0, 3.6)
    axes = figure.add_subplot()
    levels = sorted({spacing.value for spacing in found})
    for at, value in enumerate(levels):
        mm = [spacing.mm for spacing in found if spacing.value == value]
        axes.boxplot(mm, positions=[at], widths=0.6, manage_ticks=False, showfliers=False)
    far = [spacing for spacing, _ in outliers(found)]
    axes.plot([levels.index(s.value) for s in far], [s.mm for s in far], "o", color="C3", markersize=4)
    axes.set_xticks(range(len(levels)), [f"{v}-{v + 1}\n{disc_name(v)}" for v in levels], fontsize=7)
    axes.set(xlabel="discs", ylabel="distance to the next disc [mm]")
    return to_png(figure)
