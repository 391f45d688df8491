"""The detour through a straight image: find the discs there, and bring them back into the scan."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..anatomy import Points, disc_name
from ..caution import Caution
from ..errors import DeepspineError
from ..image.reformation import reform
from ..image.straight import Straight, carry
from ..image.volume import Volume
from ..labeling.predictor import Result
from ..sct.environment import segment_cord
from ..sct.straightening import straighten
from .request import ScanRequest, Straightening


def find_straightened(predict: Callable[[Volume, Points], Result], straight: Straight, pins: Points) -> Result:
    """Find the discs of a scan in a straight image of it.

    Parameters
    ----------
    predict : callable
        Finds the discs of an image, given known ones, if any.
    straight : Straight
        The straight image.
    pins : mapping of int to (3,) array
        Known discs, in the scan; may be empty.

    Returns
    -------
    Result
        Its discs are those of the scan; its slabs and prediction are those of the straight image.
        Discs without a way back are left out and named in a warning.

    Raises
    ------
    DeepspineError
        When a known disc has no place in the straight image.
    """
    known = carry(straight.from_scan, pins)
    try:
        result = predict(straight.image, known)
    except DeepspineError as error:
        raise type(error)(f"{error} (in the straightened image; try -straighten 0)") from error
    labeling = result.labeling
    points = carry(straight.to_scan, labeling.points, strict=False)
    discs = [replace(disc, xyz_mm=points[disc.value]) for disc in labeling.discs if disc.value in points]
    lost = [value for value in labeling.points if value not in points]
    warnings = [
        Caution(
            "no_way_back",
            f"found in the straightened image, but without a position in the scan: {value} ({disc_name(value)})",
        )
        for value in lost
    ]
    labeling = replace(labeling, discs=discs, warnings=[*labeling.warnings, *warnings])
    return replace(result, labeling=labeling)


def make_straight(request: ScanRequest, volume: Volume, first: Result | None) -> Straight:
    """Straighten a scan as a request asks.

    Parameters
    ----------
    request : ScanRequest
        The request; SCT's files are left in the folder of the label file.
    volume : Volume
        The scan.
    first : Result or None
        Of a first look at it, which `Straightening.BY_DISCS` needs.

    Returns
    -------
    Straight

    Raises
    ------
    DeepspineError
        When SCT is asked for and is not found, or fails, or the scan is no file.
    """
    if request.straighten == Straightening.BY_DISCS and first is not None:
        return reform(volume, np.array(list(first.labeling.points.values())))
    if request.image is None:
        raise DeepspineError(
            f"{request.name}: SCT straightens only files; write the image to a file first, or use -straighten 2"
        )
    image = request.image.resolve()
    with temporary_folder(request.keep_temporary) as work:
        folder = request.outputs.discs.parent.resolve() if request.outputs.discs else work
        folder.mkdir(parents=True, exist_ok=True)
        cord = request.cord.resolve() if request.cord else work / "cord.nii.gz"
        if not request.cord:
            segment_cord(image, cord, work)
        return straighten(image, cord, work, [Path.cwd(), folder])


@contextmanager
def temporary_folder(keep: bool) -> Iterator[Path]:
    """Make a folder for temporary files; remove it at the end, or say on stderr where it stays."""
    folder = Path(tempfile.mkdtemp(prefix="deepspine_"))
    try:
        yield folder
    finally:
        if keep:
            print(f"Temporary files are kept in {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
