"""What a file really is, by its first bytes: a name says what somebody hoped for."""

from __future__ import annotations

from pathlib import Path

SAMPLE_BYTES = 512
"""Bytes from the start of a file that `fault_of_content` wants to see."""

_GZIP = b"\x1f\x8b"
_HEADER_SIZES = {n.to_bytes(4, order) for n in (348, 540) for order in ("little", "big")}

_STARTS = (
    (b"version https://git-lfs", "is only a pointer of Git LFS; fetch the content with: git lfs pull"),
    (b"PK\x03\x04", "is a zip archive; unpack it"),
    (b"BZh", "is compressed by bzip2; unpack it (bunzip2)"),
    (b"\xfd7zXZ\x00", "is compressed by xz; unpack it (unxz)"),
    (b"\x28\xb5\x2f\xfd", "is compressed by Zstandard; unpack it (unzstd)"),
    (b"\x89HDF", "is an HDF5 or MINC file; convert the image to NIfTI"),
    (b"CDF", "is a MINC file; convert the image to NIfTI"),
    (b"NRRD", "is an NRRD file; convert the image to NIfTI"),
    (b"ObjectType", "is a MetaImage header; convert the image to NIfTI"),
    (b"\x89PNG", "is a PNG picture; give the scan itself"),
    (b"\xff\xd8\xff", "is a JPEG picture; give the scan itself"),
    (b"\x00\x05\x16\x07", "is a companion file of macOS, not the image; give the file without ._ before its name"),
)
_WEB_PAGES = (b"<!doctype", b"<html", b"<?xml")


def fault_of_content(path: Path, start: bytes) -> str:
    """Say what is wrong with a file that should be a NIfTI image of its suffix.

    Parameters
    ----------
    path : Path
        Its name decides whether it should be compressed.
    start : bytes
        Its first `SAMPLE_BYTES`, or all of it.

    Returns
    -------
    str
        What it is and the remedy; "" where nothing speaks against it.
    """
    compressed = path.name.lower().endswith(".gz")
    if b"annex/objects/" in start:
        return f"is only a pointer; fetch it with: git annex get {path}"
    for sign, fault in _STARTS:
        if start.startswith(sign):
            return fault
    if start.lstrip()[:9].lower().startswith(_WEB_PAGES):
        return "is a web page or XML, perhaps the answer of a server that wanted a login; download the image again"
    if start[128:132] == b"DICM":
        return "is a DICOM file; convert it to NIfTI (dcm2niix)"
    if not start.strip(b"\0"):
        return "holds nothing but zeros at its start, as an interrupted copy does; copy it again"
    if compressed and start[:4] in _HEADER_SIZES:
        return f"is not compressed although its name ends in .gz; rename it to {path.name[: -len('.gz')]}"
    if not compressed and start.startswith(_GZIP):
        return f"is compressed by gzip although its name does not end in .gz; rename it to {path.name}.gz"
    return ""
