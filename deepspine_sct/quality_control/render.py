"""From entries to one HTML file: everything in it but the pictures, and nothing from outside of its folder."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib.resources import files

from .. import __version__
from ..anatomy import DISC_NAMES
from ..labeling.confidence import SURE, UNLIKELY
from ..landmarks.curvature import angles
from .about import CITATIONS, About
from .entry import Entry
from .identity import distinct_names
from .triage import judge

SCRIPTS = ("chart.umd.min.js", "model.js", "corrections.js", "wall.js", "viewer.js", "edit.js", "plots.js", "main.js")
"""Scripts of the page in the order in which they run. The first one is Chart.js (MIT, see chart.LICENSE)."""

MOST_SCANS = 20_000
"""Scans on a page: of more, those to look at first, as a browser takes a second for each 10,000."""


def render_page(entries: Sequence[Entry], about: About) -> bytes:
    """Build the page.

    Parameters
    ----------
    entries : sequence of Entry
        What it shows; what to look at first comes first.
    about : About
        What stands beside them.

    Returns
    -------
    bytes
        HTML in UTF-8.
    """
    from jinja2 import Environment  # slow to load: not for -h

    scripts = [_asset(name) for name in SCRIPTS]
    # Of all scripts only the page's own may run, and nothing may be fetched.
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    policy = (
        f"script-src {hashes}; connect-src 'none'; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-src 'none'"
    )
    template = Environment(autoescape=True, keep_trailing_newline=True).from_string(_asset("page.html.j2"))
    page = template.render(
        policy=policy,
        style=_asset("page.css"),
        scripts=scripts,
        title=about.dataset,
        about=about,
        citations=CITATIONS,
        data=_data(entries, about),
    )
    return page.encode("utf-8", "surrogateescape")


def _data(entries: Sequence[Entry], about: About) -> str:
    """Write what the scripts read, as JSON that cannot end its own element."""
    findings = judge(entries)
    order = sorted(range(len(entries)), key=lambda n: (-findings[n].urgency, entries[n].image))[:MOST_SCANS]
    shown = distinct_names([entries[n].image for n in order])
    scans = [
        vars(entries[n])  # asdict copies every number
        | {
            "name": name,
            "look": findings[n].reasons,
            "urgency": round(findings[n].urgency, 3),
            "angles": {name: round(degrees, 1) for name, degrees in angles(entries[n].points).items()},
        }
        for n, name in zip(order, shown, strict=True)
    ]
    data = {
        "program": f"deepspine_sct {__version__}",
        "dataset": about.dataset,
        "sure": SURE,
        "weak": UNLIKELY,
        "names": DISC_NAMES,
        "left_out": len(entries) - len(order),
        "scans": scans,
    }
    # A data block ends at the first "</script", wherever it stands.
    return json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _asset(name: str) -> str:
    return files(__package__).joinpath("assets", name).read_text(encoding="utf-8")
