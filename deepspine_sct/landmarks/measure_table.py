"""The table of `sct_deepspine_measure`: every row says which label file was measured.

So it is known which rows are an earlier answer to the same labels, and may be replaced. All others stay.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path

from ..errors import DeepspineError
from ..files.atomic import atomic_path
from ..files.lock import locked
from ..files.provenance import way
from .measures import COLUMNS, Measure, lines_of

_HEAD = "\t".join([*COLUMNS, "labels"])


def label_name(table: Path, labels: Path) -> str:
    """Name a label file as it is seen from the folder of a table, without what would end a cell or a line."""
    name = way(table, labels).encode("utf-8", "backslashreplace").decode()
    return name.translate({ord(character): repr(character)[1:-1] for character in "\t\n\r"})


def write_table(path: Path, labels: Path, rows: Iterable[Measure], append: bool) -> None:
    """Write the measures of a label file, in place of the earlier ones of the same file.

    Parameters
    ----------
    path : Path
        The table.
    labels : Path
        The label file.
    rows : iterable of Measure
        What was measured.
    append : bool
        Whether the table may hold, and keeps, the measures of other label files. Several processes may append to one.

    Raises
    ------
    DeepspineError
        As `rows_of_others`, or when the table cannot be written.
    """
    name = label_name(path, labels)
    with locked(path.with_name(f".{path.name}.lock")) if append else nullcontext():
        lines = [_HEAD, *rows_of_others(path, labels, append), *(f"{line}\t{name}" for line in lines_of(rows))]
        with atomic_path(path) as temporary:
            temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def rows_of_others(path: Path, labels: Path, append: bool) -> list[str]:
    """Read the rows of a table that measure other label files than one.

    Raises
    ------
    DeepspineError
        When there are such rows and nothing is to be appended, or the file is another one than such a table.
    """
    if not path.is_file():
        return []
    try:
        head, *lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except OSError as error:
        raise DeepspineError(f"{path}: cannot be read ({error.strerror}); check the permissions") from error
    except UnicodeError:
        head, lines = "no text", []
    if (head or lines) and (head != _HEAD or any(line.count("\t") != len(COLUMNS) for line in lines)):
        raise DeepspineError(
            f"{path}: is there and is no table that says which labels it measures, so it is not replaced; remove it, or"
            " give another name with -o"
        )
    name = label_name(path, labels)
    others = [line for line in lines if _whose(line) != name]
    if others and not append:
        raise DeepspineError(
            f"{path}: holds measures of {_whose(others[0])}, which would be lost; keep them with -append 1, or give"
            " another name with -o"
        )
    return others


def _whose(line: str) -> str:
    return line.rpartition("\t")[2]
