"""Files that appear complete or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import DeepspineError


@contextmanager
def atomic_path(path: str | os.PathLike) -> Iterator[Path]:
    """Write a file under a temporary name and give it its own name only when it is complete.

    Parameters
    ----------
    path : path
        File to create or replace; its folder must exist.

    Yields
    ------
    pathlib.Path
        Name to write to, in the same folder and with the same suffixes. Whatever happens in the
        ``with`` block, no file of this name is left.

    Raises
    ------
    DeepspineError
        When the folder is missing or cannot be written, or the disk is full. An existing file of
        that name is then unchanged.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise DeepspineError(f"{path}: cannot be written, there is no such folder; create it first")
    # Not tempfile: its files are private to the user, and the mode would survive the renaming.
    temporary = path.with_name(f".{secrets.token_hex(4)}.{path.name}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        if error.filename not in (None, str(temporary), temporary):
            raise  # about another file that the block touched
        reason = error.strerror or str(error)
        raise DeepspineError(
            f"{path}: cannot be written ({reason}); check the folder's permissions and free space"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
