"""Count the lines and modules of every room: ``python docs/count_rooms.py`` renews the first table of rooms.md."""

import argparse
import re
from pathlib import Path

DOCS = Path(__file__).resolve().parent
PACKAGE = DOCS.parent / "deepspine_sct"


def counted(row: re.Match) -> str:
    """Return a row of the table with the numbers of today."""
    modules = [path for path in (PACKAGE / row["room"]).glob("*.py") if path.name != "__init__.py"]
    n_lines = sum(len(path.read_text().splitlines()) for path in modules)
    return f"| `{row['room']}/` | {row['what']} | {n_lines} | {len(modules)} |"


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__).parse_args()
    page = DOCS / "rooms.md"
    before, heading, after = page.read_text().partition("## Before the redesign")
    table = re.sub(r"^\| `(?P<room>\w+)/` \| (?P<what>[^|]*) \| \d+ \| \d+ \|$", counted, before, flags=re.M)
    page.write_text(table + heading + after)
