"""Rows to files: CSV for a spreadsheet, JSON for a program, which is read back here, too."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deepspine_sct.files.atomic import atomic_path


def write_csv(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows under a header of all their keys; nothing and NaN are empty, and what is no UTF-8 is spelt out."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8", errors="backslashreplace")


def write_json(path: Path, content: object) -> None:
    """Write JSON that any reader takes: NaN becomes null."""
    with atomic_path(path) as temporary:
        text = json.dumps(_plain(content), indent=1, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Read JSON, also with the mark at its start that editors under Windows write.

    Raises
    ------
    OSError
        When the file cannot be read.
    ValueError
        When it is no JSON, or its brackets are nested so deeply that no program wrote it, or it is a device, such as
        /dev/zero, that may never end.
    """
    if path.is_char_device():
        raise ValueError("it is a device")
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except RecursionError as error:
        raise ValueError("too many brackets in each other") from error


def read_entries(path: Path) -> dict[str, Any]:
    """Read the entries of a JSON file; {} where it is not there, cannot be read or is no JSON object."""
    try:
        content = read_json(path)
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _cell(value: object) -> object:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.5g}" if isinstance(value, float) else value


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
