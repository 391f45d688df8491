"""What is read of a scan before anything slow runs, and checked against one another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..caution import Caution
from ..errors import DeepspineError
from ..files.provenance import other_source
from ..image.ahead import ReadAhead
from ..image.grid import Grid
from ..image.nifti import read_volume
from ..image.volume import Volume
from ..labeling.pins import Height
from .request import ScanRequest


@dataclass(frozen=True, eq=False)
class ScanInputs:
    """The images of a request, in memory.

    Attributes
    ----------
    volume : Volume
        The scan.
    cord : Volume or None
        Segmentation of its cord.
    pins : mapping of int to (3,) array
        World RAS+ mm of the discs that are known.
    height : Height or None
        A disc of which the axial slice is known.
    cautions : tuple of Caution
        What was found amiss.
    """

    volume: Volume
    cord: Volume | None = None
    pins: Mapping[int, np.ndarray] = field(default_factory=dict)
    height: Height | None = None
    cautions: tuple[Caution, ...] = ()


def read_inputs(request: ScanRequest, volume: Volume | None = None, ahead: ReadAhead | None = None) -> ScanInputs:
    """Read what a request names.

    Parameters
    ----------
    request : ScanRequest
        The request.
    volume : Volume, optional
        The scan, where it was read before.
    ahead : ReadAhead, optional
        Of the scan's file.

    Returns
    -------
    ScanInputs

    Raises
    ------
    DeepspineError
        When a file cannot be used, or a known disc contradicts the image or the values asked for.
    ValueError
        When there is neither an image file nor a volume.
    """
    if volume is None:
        if request.image is None:
            raise ValueError("a request without an image file needs its volume")
        volume = read_volume(request.image, lazy=True, ahead=ahead)
    cord: Volume | None = None
    cautions: tuple[Caution, ...] = ()
    if request.cord:
        from ..labeling.cord_segmentation import read_cord

        try:
            cord = read_cord(request.cord, volume.grid)
        except DeepspineError as error:
            if not request.cord_may_fail:
                raise
            cautions = (no_cord_levels(str(error).replace(str(request.cord), request.named(request.cord))),)
    _check_companions(request)
    cautions = (*cautions, *_replaced(request))
    pins, height = _read_start(request, volume.grid)
    return ScanInputs(volume, cord, pins, height, cautions)


def _check_companions(request: ScanRequest) -> None:
    """Refuse other scans that are missing, or are the image itself or each other."""
    known = [request.image] if request.image else []
    for path in request.beside:
        if not path.exists():
            raise DeepspineError(f"{path}: no such file; check -with")
        if any(path.samefile(other) for other in known):
            raise DeepspineError(f"{path}: is given twice; name each scan of the session once")
        known.append(path)


def _replaced(request: ScanRequest) -> list[Caution]:
    """Warn of an output that holds the labels of another image, which the run is going to replace."""
    labels = request.outputs.label_files if request.outputs.has_sidecars else ()
    for path in labels:
        if request.image and (other := other_source(path, request.image)):
            text = f"{path}: held the labels of {other}, which are replaced; give every scan its own -o or -ofolder"
            return [Caution("other_scan_replaced", text)]
    return []


def _read_start(request: ScanRequest, grid: Grid) -> tuple[dict[int, np.ndarray], Height | None]:
    """Read the discs that are known, by their place or by the slice of one of them."""
    if not (request.initlabel or request.initz):
        return {}, None
    from .starting_point import check_pins, height_of_slice, pins_from_file

    pins = pins_from_file(request.initlabel, grid) if request.initlabel else {}
    height = height_of_slice(*request.initz, grid) if request.initz else None
    check_pins([height.value] if height else pins, request.values)
    return pins, height


def no_cord_levels(fault: DeepspineError | str) -> Caution:
    """Warn of a segmentation of the cord that cannot be used or found, where that is no refusal."""
    return Caution("no_cord_levels", f"no levels of the cord: {fault}")
