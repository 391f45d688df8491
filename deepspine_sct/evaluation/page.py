"""A quality-control page without a server: one HTML file beside the pictures it shows.

Every scan leaves two files in ``<folder>/deepspine/``, a JSON entry and a PNG picture of the same
name; the page ``<folder>/deepspine.html`` is rebuilt from all of them. Nothing on it comes from
outside of the folder, so it opens from a file on a machine without a network, and the folder can be
moved as a whole. SCT's own report may live in the same folder; its files are not touched.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from html import escape
from pathlib import Path
from urllib.parse import quote

from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.atomic import atomic_path

PAGE_NAME = "deepspine.html"
ENTRIES_NAME = "deepspine"
LOCK_TIMEOUT_S = 60.0  # as long as SCT waits for its own report

_STYLE = """\
:root { color-scheme: light dark; }
body { font: 15px/1.5 sans-serif; margin: 2em auto; max-width: 90em; padding: 0 1em; }
summary { cursor: pointer; padding: .4em; border-top: 1px solid #8888; }
.doubt { color: #e33; font-weight: bold; }
.scan { display: flex; gap: 2em; padding: 1em; }
.scan > * { flex: 1 1 0; min-width: 0; }
img { align-self: start; max-height: 90vh; object-fit: contain; }
table { border-collapse: collapse; }
th, td { padding: .1em .8em; text-align: right; }
th:nth-child(2), td:nth-child(2) { text-align: left; }
"""

DOUBT_BELOW = 0.9
"""Confidence below which a number is set in red."""


def default_identity(image: str | Path) -> dict[str, str]:
    """Name data set, subject and contrast after the folders of an image, as SCT's report does.

    Parameters
    ----------
    image : str or Path
        Path of the image, for example ``<dataset>/<subject>/<contrast>/t2.nii.gz``.

    Returns
    -------
    dict of str to str
        `dataset`, `subject` and `contrast`; empty where the path has no such folder.
    """
    parents = [folder.name for folder in Path(image).absolute().parents]
    contrast, subject, dataset = (parents + ["", "", ""])[:3]
    return {"dataset": dataset, "subject": subject, "contrast": contrast}


def add_entry(
    folder: str | Path,
    identity: Mapping[str, str],
    report: Mapping,
    picture_png: bytes,
    when: datetime | None = None,
) -> Path:
    """Add one scan to the page, also while other processes add theirs.

    Parameters
    ----------
    folder : str or Path
        Folder of the page; made when missing.
    identity : mapping
        `dataset`, `subject` and `contrast`.
    report : mapping
        What `sct_deepspine_label -json` writes.
    picture_png : bytes
        Picture of the scan.
    when : datetime, optional
        Date of the entry, by default now.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    DeepspineError
        When the folder cannot be written, or another process keeps the page locked.
    """
    folder = Path(folder)
    entries = folder / ENTRIES_NAME
    entries.mkdir(parents=True, exist_ok=True)
    with _locked(entries / ".lock"):
        when = _free_date(entries, when or datetime.now())
        entry = {**identity, "date": when.isoformat(sep=" ", timespec="seconds"), "report": report}
        # The picture first: an entry whose writer was killed in between is no entry yet.
        with atomic_path(entries / f"{_stem(when)}.png") as path:
            path.write_bytes(picture_png)
        with atomic_path(entries / f"{_stem(when)}.json") as path:
            path.write_text(json.dumps(entry, allow_nan=False))
        page = folder / PAGE_NAME
        with atomic_path(page) as path:
            path.write_bytes(render_page(entries))
    return page


def render_page(entries: Path) -> bytes:
    """Build the page from the files of its entries, newest first.

    Parameters
    ----------
    entries : Path
        Folder with a JSON and a PNG file for each entry.

    Returns
    -------
    bytes
        HTML in plain ASCII. An entry that cannot be read is named on the page and does no harm.
    """
    scans = [_scan_html(path) for path in sorted(entries.glob("*.json"), reverse=True)]
    body = "\n".join(scans)
    page = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="script-src 'none'">
<title>Disc labels</title>
<style>
{_STYLE}</style>
</head>
<body>
<h1>Disc labels</h1>
<p>{len(scans)} scans, newest first. Confidence below {DOUBT_BELOW} is red.</p>
{body}
</body>
</html>
"""
    return page.encode("ascii", "xmlcharrefreplace")


def _scan_html(path: Path) -> str:
    """Show one entry, folded: its title line, its picture and its table of discs."""
    try:
        entry = json.loads(path.read_text())
        report = entry["report"]
        names = [entry[key] for key in ("dataset", "subject", "contrast")]
        names.append(Path(report["inputs"]["image"]).name)
        title = " / ".join(escape(str(name)) for name in names if name)
        table = _table_html(report["discs"])
        warnings = "".join(f"<p>{escape(str(warning))}</p>" for warning in report["warnings"])
        level = _confidence_html(float(report["level_confidence"]), "span")
        date = escape(str(entry["date"]))
        summary = f"{len(report['discs'])} discs, level confidence {level}, {date}"
    except (OSError, ValueError, KeyError, TypeError):
        return f"<p>Entry {escape(path.name)} cannot be read.</p>"
    picture = f"{ENTRIES_NAME}/{quote(path.stem)}.png"
    return f"""<details>
<summary>{title} &mdash; {summary}</summary>
<div class="scan">
<img src="{picture}" loading="lazy" alt="The discs on the mid-sagittal image">
<div>{warnings}
{table}
</div>
</div>
</details>"""


def _table_html(discs: Sequence[Mapping]) -> str:
    """Lay out the discs of a report, one line each."""
    rows = "\n".join(
        f"<tr><td>{escape(str(disc['value']))}</td><td>{escape(str(disc['name']))}</td>"
        f"<td>{_numbers(disc['voxel'], 0)}</td><td>{_numbers(disc['world_mm'], 1)}</td>"
        f"{_confidence_html(float(disc['confidence']), 'td')}</tr>"
        for disc in discs
    )
    return (
        "<table><tr><th>disc</th><th>name</th><th>voxel</th><th>world RAS+ [mm]</th>"
        f"<th>confidence</th></tr>\n{rows}</table>"
    )


def _numbers(values: Sequence[float], digits: int) -> str:
    return " ".join(f"{float(value):.{digits}f}" for value in values)


def _confidence_html(confidence: float, tag: str) -> str:
    doubt = ' class="doubt"' if confidence < DOUBT_BELOW else ""
    return f"<{tag}{doubt}>{confidence:.2f}</{tag}>"


def _stem(when: datetime) -> str:
    """Name the files of an entry so that their order is that of their dates, as SCT does."""
    return when.strftime("%Y_%m_%d_%H%M%S.%f")


def _free_date(entries: Path, when: datetime) -> datetime:
    """Move a date on by microseconds until no entry has it. Call it under the lock."""
    while (entries / f"{_stem(when)}.json").exists():
        when += timedelta(microseconds=1)
    return when


@contextmanager
def _locked(path: Path, timeout_s: float = LOCK_TIMEOUT_S) -> Iterator[None]:
    """Hold a lock file; the system lets go of it when its process ends, however that happens."""
    import fcntl  # only where there is a page to lock: it does not exist on Windows

    deadline_s = time.monotonic() + timeout_s
    with open(path, "w") as stream:
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > deadline_s:
                    raise DeepspineError(
                        f"{path}: another process has locked the page for {timeout_s:.0f} s; "
                        "try again when it has ended"
                    ) from error
            time.sleep(0.05)
        yield
