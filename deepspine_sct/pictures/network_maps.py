"""What the network looked at: its maps on the input's own grid, and as pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from deepspine_sct.caution import Caution
from deepspine_sct.files.atomic import atomic_path
from deepspine_sct.image.grid import CANONICAL, Grid
from deepspine_sct.image.nifti import write_volume
from deepspine_sct.image.straight import Straight, bring_back
from deepspine_sct.image.volume import Volume, reorient
from deepspine_sct.model.output import Prediction
from deepspine_sct.pictures.figure import new_figure, to_png
from deepspine_sct.pictures.matplotlib_settings import drawable, own_settings
from deepspine_sct.pictures.overlay import sagittal_image

KINDS = ("attention", "heatmaps")
NO_ATTENTION = Caution("no_attention", "this network has no attention, so its map is 1 everywhere")


def explanation(prediction: Prediction, kind: str) -> np.ndarray:
    """Return a map (N, h, w) in [0, 1] of what the network answered.

    Parameters
    ----------
    prediction : the answer
    kind : "attention", what the last hourglass was multiplied with, or "heatmaps", the probability
        of any disc, which is the sum of the heatmaps of all discs
    """
    if kind == "attention":
        return prediction.attention
    return prediction.any_disc


def on_grid(maps: np.ndarray, source: Grid, target: Grid) -> Volume:
    """Bring maps to another grid with the same directions, such as the input's.

    Parameters
    ----------
    maps : (N, h, w) on ``source``, in (L, I, P)
    source, target : grids whose axes are parallel, in any order

    Returns
    -------
    Volume of float32 on ``target``, linear between the pixels, zero outside of them

    Raises
    ------
    ValueError
        Where the axes are not parallel.
    """
    upright = target.reoriented(CANONICAL)
    step = np.linalg.inv(source.affine) @ upright.affine
    scale = np.diag(step)[:3]
    if np.abs(step[:3, :3] - np.diag(scale)).max() > 1e-4 * np.abs(scale).max():
        raise ValueError("the two grids have different directions")
    across, down, back = (
        _linear(scale[axis] * np.arange(upright.shape[axis]) + step[axis, 3], maps.shape[axis]) for axis in range(3)
    )
    data = np.tensordot(across, down @ maps.astype(np.float32) @ back.T, 1)
    native = reorient(Volume(data, upright), target.axcodes)
    return Volume(np.ascontiguousarray(native.data), target)


def _linear(positions: np.ndarray, n: int) -> np.ndarray:
    """(len(positions), n) weights of linear interpolation; all zero beyond the outermost pixels."""
    inside = (positions >= -0.5) & (positions <= n - 0.5)
    at = np.clip(positions, 0, n - 1)
    weights = np.maximum(1 - np.abs(at[:, None] - np.arange(n)), 0)
    return (weights * inside[:, None]).astype(np.float32)


@own_settings()
def render_map(image: Volume, shown: Volume, points_xyz: np.ndarray, title: str = "") -> bytes:
    """Draw a map over the mid-sagittal image, as a PNG file.

    Parameters
    ----------
    image, shown : on one grid
    points_xyz : (n, 3) world RAS+ mm of the discs, which set the slice and are drawn as circles
    title : text above the picture
    """
    background, points_rc, (row_mm, column_mm) = sagittal_image(image, points_xyz)
    colour, _, _ = sagittal_image(shown, points_xyz)
    height_mm, width_mm = background.shape[0] * row_mm, background.shape[1] * column_mm
    figure = new_figure(max(3.0, 7 * width_mm / height_mm) + 0.8, 7.4)
    axes = figure.add_subplot()
    axes.set_axis_off()
    low, high = np.percentile(background, (1, 99.5))
    aspect = row_mm / column_mm
    axes.imshow(background, cmap="gray", vmin=low, vmax=high, aspect=aspect)
    seen = colour[colour > 0]  # the network did not look elsewhere
    low, high = np.percentile(seen, (1, 99.8)) if seen.size else (0, 1)  # which the scale shows
    high = max(high, low + 1e-3)
    scale = axes.imshow(colour, cmap="inferno", vmin=low, vmax=high, aspect=aspect)
    figure.colorbar(scale, ax=axes, shrink=0.6)
    scale.set_alpha(0.65 * np.clip((colour - low) / (high - low), 0, 1))
    axes.set_autoscale_on(False)
    axes.plot(points_rc[:, 1], points_rc[:, 0], "o", mfc="none", mec="deepskyblue", ms=6)
    axes.set_title(drawable(title), fontsize=9, parse_math=False)
    return to_png(figure)


def write_explanation(
    path: Path,
    picture: Path,
    image: Volume,
    prediction: Prediction,
    kind: str,
    points_xyz: Sequence[np.ndarray],
    straight: Straight | None = None,
    like: Path | None = None,
) -> None:
    """Write a map on the grid of ``image`` as NIfTI, and as a picture with the discs.

    ``straight`` is the image that the network looked at, where it is another one; ``like`` is the file
    of ``image``, as for `write_volume`.

    Raises
    ------
    DeepspineError
        When a file cannot be written or matplotlib is not installed.
    """
    seen = image.grid if straight is None else straight.image.grid
    shown = on_grid(explanation(prediction, kind), prediction.grid, seen)
    if straight is not None:
        shown = bring_back(shown, straight, image.grid)
    write_volume(path, shown, like)
    content = render_map(image, shown, np.reshape(points_xyz, (-1, 3)), f"{kind}: {path.name}")
    with atomic_path(picture) as temporary:
        temporary.write_bytes(content)
