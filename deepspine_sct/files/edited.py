"""Whether a label file is still the one that this program wrote, by what the JSON file beside it says.

A viewer such as FSLeyes saves an edited file in the place of the old one and leaves the JSON file as it is.
"""

from __future__ import annotations

import gzip
import zlib
from hashlib import sha256
from pathlib import Path

from deepspine_sct.files.names import sidecar_of
from deepspine_sct.files.outputs import make_folders
from deepspine_sct.files.tables import read_entries, write_json

CHECKSUM = "LabelChecksum"
"""Entry of the JSON file: sixteen digits that stand for the bytes of the label file as it was written."""


def as_written(label: Path) -> dict[str, str]:
    """Describe a label file that was just written, for the JSON file beside it."""
    return {CHECKSUM: _checksum(label)}


def edited_since(label: Path) -> bool:
    """Tell whether somebody has saved another image in the place of a label file of this program.

    Parameters
    ----------
    label : Path
        The label file.

    Returns
    -------
    bool
        False also where nothing says what was written, as beside files of older versions, and where the file is not
        there or is damaged: that is nobody's work.
    """
    written = read_entries(sidecar_of(label)).get(CHECKSUM)
    try:
        return bool(written) and label.is_file() and _checksum(label) != written and has_content(label)
    except OSError:  # it is there, and who has saved it cannot be known
        return True


def about_to_write(label: Path) -> None:
    """Make the folder of a label file, and forget what was written there before.

    So whoever is killed before the JSON file is written leaves no edited file.
    """
    make_folders([label])
    sidecar = sidecar_of(label)
    told = read_entries(sidecar)
    if told.pop(CHECKSUM, None):
        write_json(sidecar, told)


def _checksum(label: Path) -> str:
    return sha256(label.read_bytes()).hexdigest()[:16]


def has_content(label: Path) -> bool:
    """Tell a label file that holds something from an empty one, and from a compressed one that was cut off."""
    is_compressed = label.name.lower().endswith(".gz")
    try:
        with gzip.open(label) if is_compressed else open(label, "rb") as stream:
            return bool(stream.read())
    except (gzip.BadGzipFile, EOFError, zlib.error):
        return False
