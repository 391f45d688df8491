"""The two geometries that a NIfTI header can hold, and whether they tell the same."""

from __future__ import annotations

import os
from pathlib import Path

from ..caution import Caution
from ..errors import DeepspineError
from .grid import Grid
from .nifti import disagreement, read_header, refusing

_TEMPLATE_CODE = 3  # from here on an sform leads into a template, where a qform need not
_TOLERANCE = 1.0  # voxels: a quaternion cannot shear, so that a tilted gantry leaves some


def geometry_warnings(path: str | os.PathLike[str]) -> list[Caution]:
    """Say so where the sform and the qform of a header contradict each other.

    The sform is what counts. Other programs may look at the qform, and one of the two is wrong.

    Parameters
    ----------
    path : path
        Image that `nifti.read_volume` reads.

    Returns
    -------
    list of Caution
        One sentence, or none.
    """
    path = Path(path)
    header = read_header(path)
    if not (0 < header["sform_code"] < _TEMPLATE_CODE and header["qform_code"] > 0):
        return []
    try:
        with refusing(path):
            shape = tuple(int(n) for n in header.get_data_shape()[:3])
            sform, qform = Grid(shape, header.get_sform()), Grid(shape, header.get_qform())
    except DeepspineError:
        return []  # a qform without a rotation, which no program can follow
    apart = disagreement(sform, qform.affine)
    if apart <= _TOLERANCE:
        return []
    said, other = ("".join(grid.axcodes) for grid in (sform, qform))
    how = f"sform {said}, qform {other}" if said != other else f"up to {apart:.0f} voxels apart"
    text = (
        f"the header holds two geometries, sform and qform, that contradict each other ({how}); the"
        " sform was used: check the discs by eye"
    )
    return [Caution("two_geometries", text)]
