"""The picture files of one scan: its sagittal plane, a thumbnail, and what the network saw.

Discs are not drawn into them: the page draws them as vectors over the picture, where they can be
corrected. All pictures cover a rectangle that is known in voxels, so they may have any resolution.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass

import numpy as np

from ..image.volume import Volume
from ..model.output import Prediction
from .plane import Plane, draw_plane

LONGEST_PX = 1200
"""A picture with more rows or columns is reduced: no screen shows more."""

THUMBNAIL_PX = 320
THUMBNAIL_QUALITY = 80  # of JPEG: about 10 kB

KNOWN_NAMES = frozenset({"slice.png", "thumb.jpg", "attention.png", "heatmaps.png"})
"""Every file that is drawn of a scan."""

CAPTIONS = {
    "attention": (
        "Attention: what the last attention gate of the network lets pass, compared with the median of this picture. "
        "Orange: more than that, blue: less. The gate itself ranges from {low:.2f} to {high:.2f} here."
    ),
    "heatmaps": "Disc probability: the sum of the heatmaps of all discs, up to {high:.2f}. The stronger, the likelier.",
}
"""What the user reads below each layer."""

_MORE, _LESS, _LIKELY = (255, 170, 0), (60, 120, 255), (0, 200, 255)
_MOST_OPACITY = 0.6


@dataclass(frozen=True)
class Picture:
    """A picture file and what it covers.

    Attributes
    ----------
    name : of the file, such as "slice.png"
    content : the file
    box : first row, first column, number of rows and of columns that it covers, in voxels of the
        scan in (L, I, P); voxel 0 begins at -0.5
    caption : what it shows; "" for the scan itself
    """

    name: str
    content: bytes
    box: tuple[float, float, float, float]
    caption: str = ""


def draw_pictures(volume: Volume, plane: Plane, prediction: Prediction | None = None) -> dict[str, Picture]:
    """Draw all pictures of a scan.

    Parameters
    ----------
    volume : Volume
        The scan.
    plane : Plane
        The plane to show of it.
    prediction : Prediction, optional
        What the network answered on this very scan; without it there are no layers.

    Returns
    -------
    dict of str to Picture
        "slice", "thumb" and the layers "attention" and "heatmaps".
    """
    from PIL import Image  # slow to load: only where something is drawn

    _, n_rows, n_columns = plane.grid.shape
    box = (-0.5, -0.5, float(n_rows), float(n_columns))
    image = Image.fromarray(draw_plane(volume, plane))
    pixel_mm = plane.grid.zooms_mm[1:]
    pictures = {
        "slice": Picture("slice.png", _png(_reduced(image, LONGEST_PX)), box),
        "thumb": Picture("thumb.jpg", _jpeg(_reduced(image, THUMBNAIL_PX, pixel_mm)), box),
    }
    if prediction is not None:
        for kind, maps in _layers(prediction).items():
            pictures[kind] = _draw_layer(kind, maps, prediction, plane)
    return pictures


def _layers(prediction: Prediction) -> dict[str, np.ndarray]:
    """Return the maps (N, h, w) in [0, 1] that can be laid over the picture."""
    layers = {"heatmaps": prediction.any_disc}
    if prediction.has_attention:
        layers["attention"] = prediction.attention
    return layers


def _draw_layer(kind: str, maps: np.ndarray, prediction: Prediction, plane: Plane) -> Picture:
    """Draw a map along the plane: one colour that is the more opaque the higher the value."""
    from PIL import Image

    n, n_rows, n_columns = maps.shape
    corners = plane.grid.to_index(prediction.grid.to_world([[0, -0.5, -0.5], [0, n_rows - 0.5, n_columns - 0.5]]))
    (top, left), (bottom, right) = corners[:, 1:].tolist()
    rows = np.arange(n_rows)
    scan_rows = plane.grid.to_index(prediction.grid.to_world(np.stack([rows * 0, rows, rows * 0], axis=1)))[:, 1]
    on_plane = plane.grid.to_world(np.stack([plane.slice_at(scan_rows), scan_rows, scan_rows * 0], axis=1))
    at = np.clip(prediction.grid.to_index(on_plane)[:, 0], 0, n - 1)
    values = maps[np.rint(at).astype(int), rows]
    pixels = _diverging(values) if kind == "attention" else _coloured(values, _LIKELY)
    caption = CAPTIONS[kind].format(low=values.min(), high=values.max())
    return Picture(f"{kind}.png", _png(Image.fromarray(pixels)), (top, left, bottom - top, right - left), caption)


def _diverging(values: np.ndarray) -> np.ndarray:
    """Colour a map (h, w) by how far it is from its median, either way: (h, w, 4) uint8.

    The values of a gate lie close to one another, so each side is scaled to its own range.
    """
    middle = np.median(values)
    above = np.clip((values - middle) / max(values.max() - middle, 1e-6), 0, 1)
    below = np.clip((middle - values) / max(middle - values.min(), 1e-6), 0, 1)
    return np.where((values < middle)[..., None], _coloured(below, _LESS), _coloured(above, _MORE))


def _coloured(opacity: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Paint a map (h, w) in [0, 1] in one colour, the more opaque the higher: (h, w, 4) uint8."""
    pixels = np.empty((*opacity.shape, 4), dtype=np.uint8)
    pixels[..., :3] = colour
    pixels[..., 3] = np.rint(255 * _MOST_OPACITY * opacity)
    return pixels


def _reduced(image, longest_px: int, pixel_mm: np.ndarray | None = None):
    """Reduce an image so that its longer side is at most this long; square pixels where a size is given."""
    from PIL import Image

    width, height = image.size
    if pixel_mm is not None:
        smallest_mm = pixel_mm.min()
        width, height = width * pixel_mm[1] / smallest_mm, height * pixel_mm[0] / smallest_mm
    scale = min(1.0, longest_px / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return image if size == image.size else image.resize(size, Image.Resampling.BOX if scale < 1 else 2)


def _png(image) -> bytes:
    content = io.BytesIO()
    image.save(content, format="PNG", compress_level=6, compress_type=zlib.Z_RLE)  # as small, in a third of the time
    return content.getvalue()


def _jpeg(image) -> bytes:
    content = io.BytesIO()
    image.save(content, format="JPEG", quality=THUMBNAIL_QUALITY)
    return content.getvalue()
