"""The way in from Python: a file or an array in, named discs out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .anatomy import check_values
from .errors import DeepspineError
from .image.arrays import as_volume
from .image.grid import Grid
from .image.sform_qform import geometry_warnings_of
from .labeling.predictor import Predictor
from .scan.contrasts import CONTRASTS
from .scan.contrasts import contrast as contrast_named
from .scan.inputs import read_inputs
from .scan.label_scan import Labelled, label_scan
from .scan.request import ScanRequest, Straightening


def label(
    image: str | os.PathLike[str] | Any,
    contrast: str,
    *,
    predictor: Predictor | None = None,
    values: Sequence[int] | None = None,
    pins: Mapping[int, Sequence[float]] | None = None,
    threshold: float | None = None,
    cord: str | os.PathLike[str] | None = None,
    straighten: bool = False,
) -> Labelled:
    """Find and name the discs of a scan. No file is written.

    Parameters
    ----------
    image : path, nibabel image, SCT's Image or Volume
        The scan, in any orientation, with voxels of at most 6 mm seen from the side.
    contrast : str
        ``t1``, ``t2``, ``t2s``, ``pd``, ``stir``, ``psir`` or ``other``; ``T1w`` and ``T2w`` are
        accepted as well. The network looks at every contrast in the same way; there is a caution
        about those that it was not tested on.
    predictor : Predictor, optional
        Network to use. Load it once for many scans; by default the installed one is loaded.
    values : sequence of int, optional
        Disc values to look for, 1 (top of C1) to 25 (L5/S1); all by default.
    pins : mapping of int to (3,) sequence of float, optional
        World RAS+ position [mm] of discs that are known; the names of all others follow.
    threshold : float, optional
        Least probability of a disc, between 0 and 1; the network's by default.
    cord : path, optional
        Segmentation of the spinal cord, whose levels are then in ``cord_labels``.
    straighten : bool
        Look twice, the second time with the spine slid into one plane: for a scoliosis.

    Returns
    -------
    Labelled
        ``discs`` has each disc with its value, name, world RAS+ position and confidence.

    Raises
    ------
    DeepspineError
        When the image or the request cannot be used.
    NoDiscFound
        When the image holds no disc.
    ValueError
        When the threshold is no number between 0 and 1.

    Examples
    --------
    >>> from deepspine_sct import label, write_discs
    >>> labelled = label("t2.nii.gz", "t2")  # doctest: +SKIP
    >>> write_discs("discs.nii.gz", labelled.volume.grid, labelled.points, like="t2.nii.gz")  # doctest: +SKIP
    """
    if threshold is not None and not (isinstance(threshold, int | float | np.floating) and 0 < threshold < 1):
        raise ValueError(f"threshold must be a number between 0 and 1, not {threshold!r}")
    if cord is not None and not isinstance(cord, str | os.PathLike):
        raise DeepspineError(f"cord: give the path of a file, not a {type(cord).__name__}")
    if isinstance(predictor, str | os.PathLike | type):
        raise DeepspineError(f"predictor: load the network first, with Predictor.load(path), in place of {predictor!r}")
    if not isinstance(straighten, bool | np.bool_):  # 1 means another way of straightening to the command
        raise DeepspineError(f"straighten: give True or False, not {straighten!r}; True is what -straighten 2 does")
    path = Path(image) if isinstance(image, str | os.PathLike) else None
    request = ScanRequest(
        name=str(path) if path else "the image",
        image=path,
        contrast=_checked_contrast(contrast),
        values=None if values is None else _checked_values(values),
        threshold=threshold,
        cord=Path(cord) if cord is not None else None,
        straighten=Straightening.BY_DISCS if straighten else Straightening.NONE,
    )
    inputs = read_inputs(request, None if path else as_volume(image))
    if path is None:
        inputs = replace(inputs, cautions=(*inputs.cautions, *geometry_warnings_of(image)))
    if pins is not None:
        inputs = replace(inputs, pins=_checked_pins(pins, request, inputs.volume.grid))
    return label_scan(request, predictor or Predictor.load(), inputs)


def _checked_contrast(contrast: str) -> str:
    known = contrast_named(contrast) if isinstance(contrast, str) else None
    if known not in CONTRASTS:
        raise DeepspineError(f"contrast: {contrast!r} is not known; give one of {', '.join(CONTRASTS)}")
    return known


def _checked_values(values: Sequence[int]) -> tuple[int, ...]:
    try:
        checked = check_values(values)
    except TypeError as error:  # a number, or a list of lists
        raise DeepspineError(f"values: {values!r} is no list of disc values; give for example [3, 4, 5]") from error
    if not checked:
        raise DeepspineError("values: there is no disc among them; leave them out to look for all discs")
    return checked


def _checked_pins(pins: Mapping[int, Sequence[float]], request: ScanRequest, grid: Grid) -> dict[int, np.ndarray]:
    """World positions of known discs, as arrays; refused where they contradict the image or the values."""
    from .image.labels import check_distances
    from .scan.starting_point import check_pins

    if not isinstance(pins, Mapping):
        raise DeepspineError(f"pins: give each disc value with its position, as in {{4: (x, y, z)}}, not {pins!r}")
    check_values(pins)
    check_pins(pins, request.values)
    try:
        points = {value: np.asarray(xyz_mm, dtype=float) for value, xyz_mm in pins.items()}
    except (TypeError, ValueError) as error:
        raise DeepspineError(f"pins: a position is three numbers in world RAS+ mm ({error})") from error
    for value, xyz_mm in points.items():
        if xyz_mm.shape != (3,) or not grid.contains(grid.to_index(xyz_mm)):
            raise DeepspineError(f"pins: disc {value} does not lie in the image; give its position in world RAS+ mm")
    check_distances("pins", points)
    return points
