"""A checksum inside of the file that it is of: a network that was damaged on its way is not run.

Both formats of a network hold named texts. One of them, `KEY`, is the SHA-256 of the whole file as it
was with zeros in the checksum's place. This finds damage; it is no signature, as whoever changes a
file on purpose can seal it again.
"""

import hashlib
import re

KEY = "content_sha256"
UNSEALED = "0" * 64
"""Text to store under `KEY` before the file is sealed."""

# As JSON in the header of safetensors, or as two fields of a protocol buffer in ONNX.
_SEAL = re.compile(KEY.encode() + rb'(?:": ?"|\x12\x40)([0-9a-f]{64})')


def seal(content: bytes) -> bytes:
    """Put the checksum into a file's content.

    Parameters
    ----------
    content : bytes
        The whole file, with `UNSEALED` under `KEY`.

    Returns
    -------
    bytes
        The file to write, of the same length.

    Raises
    ------
    ValueError
        When there is no place for the checksum.
    """
    place = _SEAL.search(content)
    if place is None:
        raise ValueError(f"the file has no {KEY}")
    start, end = place.span(1)
    digest = hashlib.sha256(content[:start] + UNSEALED.encode() + content[end:]).hexdigest()
    return content[:start] + digest.encode() + content[end:]


def is_intact(content: bytes) -> bool:
    """Tell whether a file's content is what was sealed; one that was never sealed is taken as it is."""
    return _SEAL.search(content) is None or seal(content) == content
