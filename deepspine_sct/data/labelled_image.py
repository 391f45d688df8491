"""An image and where its discs truly are: what is trained on, validated and scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from deepspine_sct.anatomy import Points
from deepspine_sct.image.volume import Volume


@dataclass(frozen=True, eq=False)
class LabelledImage:
    """One image with its true discs.

    The image itself is read only when it is asked for, so that a list of these describes a data set of any size.

    Attributes
    ----------
    name : str
        What to call it; the file name without its suffix, where it comes from a file.
    points : mapping of int to (3,) array
        World RAS+ position [mm] of each disc value.
    load : callable
        Reads the image, or its slabs.
    subject, session, site, contrast : str
        Where it comes from, as in `bids.Scan`; "" where that is not known.
    part : str
        "train", "val" or "test" in a prepared set, else "".
    path : str
        Path of the image below its data set, else "".
    image : path, optional
        File of the image, where `load` reads it.
    label : path, optional
        File of the true discs, where they have one of their own.
    has_slabs : bool
        Whether `load` gives sagittal slabs (N, H, W) in (L, I, P), cut for a network, instead of the scan.
    """

    name: str
    points: Points
    load: Callable[[], Volume]
    subject: str = ""
    session: str = ""
    site: str = ""
    contrast: str = ""
    part: str = ""
    path: str = ""
    image: Path | None = None
    label: Path | None = None
    has_slabs: bool = False

    @property
    def folder(self) -> str:
        """Folder of the image below its data set, such as "sub-amu01/anat"; "" where that is not known."""
        return str(PurePosixPath(self.path).parent) if self.path else ""

    @property
    def person(self) -> str:
        """Whose image it is; where that is not known, it stands for a person of its own."""
        return self.subject or self.name

    def in_memory(self) -> LabelledImage:
        """Read the image now, once, and return it with what was read."""
        volume = self.load()
        return replace(self, load=lambda: volume)

    def middle_slab(self) -> int:
        """Index of the slab, or of the slice of a scan in (L, I, P), that is nearest to the true discs."""
        volume = self.load()
        offsets = [volume.grid.to_index(xyz_mm)[0] for xyz_mm in self.points.values()]
        return int(np.clip(np.rint(np.median(offsets)), 0, len(volume.data) - 1))
