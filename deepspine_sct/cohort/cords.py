"""Where the segmented spinal cord of a scan lies, under any of the names that are in use, or why there is none."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from deepspine_sct.data.bids import Scan

CORD_NAMES = "_seg, _label-SC_seg, _label-SC_mask, _desc-sc_seg, _label-cord_mask"
"""What may follow a scan's name, for help and messages."""

_CORD = r"(sc|cord|spinalcord|spinal)"
_ENDING = re.compile(rf"(_(?P<entity>label|desc)-{_CORD})?_(seg|mask|dseg)(-manual)?\.nii(\.gz)?", re.IGNORECASE)


@dataclass(frozen=True)
class Cord:
    """The segmentation of a scan's cord, or why it is not used.

    Attributes
    ----------
    path : None where there is none, or several that could be meant
    fault : why not; "" where there is one
    is_hidden : whether it could not be seen if there is one
    """

    path: Path | None
    fault: str = ""
    is_hidden: bool = False


def find_cord(folder: Path, scan: Scan) -> Cord:
    """Find the segmented cord of a scan.

    Parameters
    ----------
    folder : Path
        Root of the segmentations, laid out as the data set.
    scan : Scan
        The scan.

    Returns
    -------
    Cord
        Of several, the one that says that it is the cord's counts, and one that was corrected by hand
        before one that was not.
    """
    place = folder / scan.folder
    try:
        names = sorted(name for name in os.listdir(place) if not name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return Cord(None, f"there is no folder {scan.folder} of segmentations")
    except OSError as error:
        fault = f"the folder {scan.folder} of segmentations cannot be read ({error.strerror}); check its permissions"
        return Cord(None, fault, is_hidden=True)
    endings = {name: _ENDING.fullmatch(name.removeprefix(scan.stem)) for name in names if name.startswith(scan.stem)}
    matches = {name: ending for name, ending in endings.items() if ending}
    best = max((_rank(ending) for ending in matches.values()), default=None)
    chosen = [name for name, ending in matches.items() if _rank(ending) == best]
    if len(chosen) == 1:
        return Cord(place / chosen[0])
    if chosen:
        return Cord(None, f"{' and '.join(chosen)} could both be the cord; keep only one")
    segmented = [name for name in names if re.search(r"_(d?seg|mask)(-manual)?\.nii", name)]
    seen = f"; {segmented[0]} has another name" if segmented else ""
    return Cord(None, f"{scan.folder} holds no segmentation {scan.stem} with an ending such as {CORD_NAMES}{seen}")


def _rank(ending: re.Match[str]) -> tuple[bool, bool]:
    """Order of preference among the names of one scan's segmentations."""
    return ending["entity"] is not None, "-manual" in ending.string
