"""What surrounds the command in `make fuzz`: environments, streams, and report folders that others wrote into."""

import json
import os
from pathlib import Path

VARIABLES = {
    "MPLBACKEND": ("module://matplotlib_inline.backend_inline", "nonsense", "module://x.y", "TkAgg", ""),
    "HOME": ("/dev/null", "/nowhere", ""),
    "TMPDIR": ("/nowhere", "/dev/null"),
    "MPLCONFIGDIR": ("/dev/null/x",),
    "XDG_CACHE_HOME": ("/dev/null",),
    "LC_ALL": ("C", "POSIX", "xx_XX.UTF-8", "de_DE.ISO-8859-1"),
    "PYTHONUTF8": ("0", "1"),
    "PYTHONCOERCECLOCALE": ("0",),
    "PYTHONIOENCODING": ("ascii:strict", "latin-1", "utf-16"),
    "PYTHONWARNINGS": ("error", "always", "default"),
    "PYTHONOPTIMIZE": ("1", "2"),
    "OMP_NUM_THREADS": ("none", "-1", "", "3"),
    "COLUMNS": ("wide", "0", "7"),
    "TERM": ("", "dumb"),
    "TZ": ("Mars/Base",),
    "SCT_PROGRESS_BAR": ("off", "maybe"),
    "SCT_DIR": ("/nowhere", ""),
    "SOURCE_DATE_EPOCH": ("x", "9" * 25, "-1"),
}

SETTINGS = (
    "text.usetex: True\n",
    "savefig.dpi: 7\nfigure.facecolor: red\n",
    "no such: thing\n",
    "font.family: nowhere\n",
    "image.cmap: jet\naxes.grid: True\n",
    "savefig.bbox: tight\nsvg.hashsalt: x\n",
    "figure.dpi: huge\n",
)

REDIRECTIONS = ("", ">&-", "2>&-", "<&-", ">&- 2>&-", "<&- >&- 2>&-", "> /dev/full", "2> /dev/full")


def surroundings(rng, folder: Path) -> tuple[dict[str, str], str]:
    """Choose variables and a redirection; a matplotlibrc may go into the folder."""
    names = rng.choice(list(VARIABLES), rng.integers(0, 5), replace=False)
    variables = {str(name): str(rng.choice(VARIABLES[name])) for name in names}
    if rng.random() < 0.4:
        (folder / "matplotlibrc").write_text(str(rng.choice(SETTINGS)))
    return variables, str(rng.choice(REDIRECTIONS))


def litter(rng, report: Path) -> None:
    """Leave in a report folder what SCT, other programs, killed writers and file systems leave there."""
    entries, ours = report / "_json", report / "deepspine"
    for place in (entries, report / "js", ours):
        place.mkdir(parents=True, exist_ok=True)
    good = {"backgroundImage": "a.png", "overlayImage": "b.png", "subject": "theirs", "command": "sct_deepseg"}
    files = {
        entries / "qc_2026_01_01_000000.000001.json": json.dumps(good)[: rng.integers(0, 90)].encode(),
        entries / "qc_2026_01_01_000000.000002.json": b"\xff\xfe" + rng.bytes(30),
        entries / "qc_2026_01_01_000000.000003.json": rng.choice(("[]", "null", "3", "{}", '"x"')).encode(),
        entries / "._qc_2026_01_01_000000.000004.json": b"\x00\x05\x16\x07" + rng.bytes(40),
        entries / "notes.json": json.dumps({"my": "notes"}).encode(),
        report / "js" / "datasets.js": rng.choice((b"", b"window.SCT_QC_UUID = '", b"\xff\xfe\x00", rng.bytes(50))),
        ours / "2026_01_01_000000.000001.json": rng.bytes(60),
        ours / "._2026_01_01_000000.000002.json": b"\x00\x05\x16\x07",
        ours / "2026_01_01_000000.000003.json": b'{"report": {"discs": [{}]}}',
        report / "deepspine.html": rng.bytes(20),
        report / ".DS_Store": rng.bytes(20),
    }
    for path, content in files.items():
        if rng.random() < 0.5:
            path.write_bytes(bytes(content))
    for lock in (entries / ".lock", ours / ".lock"):
        how = rng.integers(6)
        if how == 0:
            lock.mkdir()
        elif how == 1:
            os.mkfifo(lock)
        elif how == 2:
            lock.symlink_to("nowhere/lock")
        elif how == 3:
            lock.write_text("held by nobody")
            lock.chmod(0o444)
    if rng.random() < 0.2:
        (entries / "folder.json").mkdir()
    if rng.random() < 0.2:
        (ours / "2026_01_01_000000.000009").mkdir()
