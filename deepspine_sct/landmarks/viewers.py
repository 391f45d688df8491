"""The discs in files that other viewers show: 3D Slicer's landmarks, balls instead of single voxels, and colours.

A label of one voxel can hardly be seen in a viewer. The balls can, in FSLeyes and ITK-SNAP alike, and
the two colour tables give their values the names of the discs.
"""

from __future__ import annotations

import colorsys
import json

import numpy as np

from ..anatomy import DISC_NAMES, disc_name
from ..image.grid import Grid
from ..image.volume import Volume
from .curvature import Points

BALL_MM = 3.0
"""Radius of a ball: half of the least distance between two discs of a child."""

_MARKUPS_SCHEMA = (
    "https://raw.githubusercontent.com/Slicer/Slicer/main/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)


LABELS = "labels"
"""Entry of a point list that says which label file it was made of. Slicer's schema allows further entries."""


def slicer_markups(points: Points, labels: str) -> str:
    """Write the discs as a point list of 3D Slicer (``.mrk.json``), in world RAS mm.

    Parameters
    ----------
    points : mapping of int to (3,) sequence
        World RAS+ mm of each disc value.
    labels : str
        Name of the label file that they come from.
    """
    content = {
        "@schema": _MARKUPS_SCHEMA,
        LABELS: labels,
        "markups": [
            {
                "type": "Fiducial",
                "coordinateSystem": "RAS",
                "coordinateUnits": "mm",
                "labelFormat": "%N-%d",
                "controlPoints": [
                    {
                        "id": str(value),
                        "label": disc_name(value),
                        "description": f"disc {value}, posterior tip",
                        "position": [round(float(x), 4) for x in points[value]],
                        "selected": True,
                        "locked": False,
                        "visibility": True,
                        "positionStatus": "defined",
                    }
                    for value in sorted(points)
                ],
            }
        ],
    }
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def draw_balls(grid: Grid, points: Points) -> Volume:
    """Draw a ball of `BALL_MM` around each disc, valued with the disc value.

    Parameters
    ----------
    grid : Grid
        Of the image.
    points : mapping of int to (3,) sequence
        World RAS+ mm of each disc value.

    Returns
    -------
    Volume
        uint8. Where two balls meet, each voxel belongs to the nearer disc. Every disc within the
        grid has at least the voxel that it lies in.
    """
    data = np.zeros(grid.shape, dtype=np.uint8)
    nearest_mm = np.full(grid.shape, np.inf, dtype=np.float32)
    last = np.array(grid.shape) - 1
    reach = np.ceil(BALL_MM * np.abs(np.linalg.inv(grid.affine[:3, :3])).sum(axis=1)).astype(int)
    for value in sorted(points):
        centre = np.rint(grid.to_index(points[value])).astype(int)
        low, high = np.clip(centre - reach, 0, last + 1), np.clip(centre + reach + 1, 0, last + 1)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        ijk = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij"), axis=-1)
        if not ijk.size:
            continue
        far_mm = np.linalg.norm(grid.to_world(ijk) - np.asarray(points[value]), axis=-1)
        own = (far_mm <= BALL_MM) | (ijk == centre).all(axis=-1)
        closer = own & (far_mm < nearest_mm[box])
        data[box][closer] = value
        nearest_mm[box][closer] = far_mm[closer]
    return Volume(data, grid)


def itksnap_labels() -> str:
    """Write the names and colours of all disc values as ITK-SNAP reads them (a label description file)."""
    lines = ["# ITK-SNAP label description: index, red, green, blue, opacity, visible, in 3-D, name", _SNAP.format(
        0, 0, 0, 0, 0, 0, 0, "Clear Label")]  # fmt: skip
    for value, name in DISC_NAMES.items():
        red, green, blue = (round(255 * x) for x in _colour(value))
        lines.append(_SNAP.format(value, red, green, blue, 1, 1, 1, name))
    return "\n".join(lines) + "\n"


_SNAP = '{:>5} {:>5} {:>4} {:>4} {:>8} {:>3} {:>2}    "{}"'


def fsleyes_lut() -> str:
    """Write the names and colours of all disc values as FSLeyes reads them (a lookup table, ``.lut``)."""
    lines = (
        f"{value} {' '.join(f'{part:.4f}' for part in _colour(value))} {name}" for value, name in DISC_NAMES.items()
    )
    return "\n".join(lines) + "\n"


def _colour(value: int) -> tuple[float, float, float]:
    """Colour of a disc value in [0, 1]: neighbours differ by a third of the colour circle and more."""
    return colorsys.hsv_to_rgb(value * 0.381966 % 1, 0.85 if value % 2 else 0.6, 1.0)
