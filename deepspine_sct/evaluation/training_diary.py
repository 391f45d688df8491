"""How a training went: its learning curves, and the same images after every epoch."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from deepspine_sct.data.labelled_image import LabelledImage
from deepspine_sct.files.atomic import atomic_path
from deepspine_sct.labeling.predictor import Result
from deepspine_sct.pictures.figure import new_figure, require_matplotlib, to_png
from deepspine_sct.pictures.matplotlib_settings import own_settings

FRAME_MS = 400  # how long the animation shows an epoch
_LAST_FRAME_MS = 2000
_N_SHOWN = 3  # images in a picture, the first of the validation
_PANELS = (
    ("loss", "loss", ("loss", "discs", "level")),
    ("share", "validation", ("images_all_named", "naming_rate", "identification_rate", "fpr")),
    ("mm", "validation: distance", ("distance_mean_mm", "distance_median_mm")),
)


@own_settings()
def render_curves(rows: Sequence[Mapping[str, float]]) -> bytes:
    """Draw the log of a training, one point per epoch, as a PNG file."""
    panels = [panel for panel in _PANELS if any(name in row for name in panel[2] for row in rows)]
    figure = new_figure(4.2 * max(1, len(panels)), 3.4)  # nothing to draw, where nothing was learnt yet
    for n, (unit, title, names) in enumerate(panels):
        axes = figure.add_subplot(1, len(panels), n + 1)
        for name in names:
            points = [(row["step"], row[name]) for row in rows if name in row]
            if points:
                axes.plot(*zip(*points, strict=True), marker=".", label=name.replace("_", " "))
        axes.set(xlabel="step", ylabel=unit, title=title)
        axes.set_ylim(bottom=0, top=1.02 if unit == "share" else None)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    return to_png(figure)


@own_settings()
def render_frame(cases: Sequence[LabelledImage], results: Sequence[Result], title: str) -> bytes:
    """Draw what the network makes of some images, side by side, as a PNG file.

    Red is the probability of any disc, dots are the discs it named, circles the true ones.
    """
    figure = new_figure(2.8 * len(cases), 3.6, dpi=80)
    figure.suptitle(title, fontsize=9)
    for n, (case, result) in enumerate(zip(cases, results, strict=True)):
        axes = figure.add_subplot(1, len(cases), n + 1)
        axes.set_axis_off()
        _draw_answer(axes, case, result)
    return to_png(figure)


def _draw_answer(axes, case: LabelledImage, result: Result) -> None:
    slab = case.middle_slab()
    image = result.slabs.data[slab]
    height, width = image.shape
    axes.imshow(image, cmap="gray", vmin=-1.5, vmax=3)
    discs = result.prediction.any_disc[slab]
    area = (-0.5, width - 0.5, height - 0.5, -0.5)  # a heatmap pixel covers a block of image pixels
    axes.imshow(discs, cmap="autumn", alpha=0.8 * discs, extent=area, vmin=0, vmax=1)
    axes.set(xlim=area[:2], ylim=area[2:])
    grid = result.slabs.grid
    for value, xyz_mm in case.points.items():
        _, row, column = grid.to_index(xyz_mm)
        axes.plot(column, row, "o", mfc="none", mec="deepskyblue", ms=7)
        axes.text(column - 5, row, str(value), color="deepskyblue", fontsize=6, ha="right")
    for value, xyz_mm in result.labeling.points.items():
        _, row, column = grid.to_index(xyz_mm)
        axes.plot(column, row, ".", color="yellow", ms=4)
        axes.text(column + 5, row, str(value), color="yellow", fontsize=6)


def write_animation(frames: Sequence[Path], path: Path) -> None:
    """Join pictures of one size into an endless GIF, whole or not at all."""
    from PIL import Image  # comes with matplotlib

    pictures = []
    for frame in frames:
        with Image.open(frame) as picture:
            # All frames of a training are joined after every epoch: the octree is 17 times as fast.
            pictures.append(picture.convert("RGB").quantize(64, Image.Quantize.FASTOCTREE))
    times_ms = [FRAME_MS] * (len(pictures) - 1) + [_LAST_FRAME_MS]
    with atomic_path(path) as temporary:
        pictures[0].save(temporary, save_all=True, append_images=pictures[1:], duration=times_ms, loop=0)


class Diary:
    """Pictures of a training in a folder, renewed after every epoch.

    ``frames/`` gets one picture per epoch, ``convergence.gif`` shows them one after the other, and
    ``curves.png`` the log. A training that is resumed goes on with the pictures that are there.

    Parameters
    ----------
    folder : folder of the training
    """

    def __init__(self, folder: Path):
        require_matplotlib()
        self.folder = folder
        self.frames = folder / "frames"

    def add(
        self,
        step: int,
        cases: Sequence[LabelledImage],
        results: Sequence[Result],
        scores: Mapping[str, float],
    ) -> None:
        """Keep a picture of what the network answered after ``step`` steps."""
        self.frames.mkdir(parents=True, exist_ok=True)
        rate = scores["identification_rate"]
        shown = "none" if math.isnan(rate) else f"{100 * rate:.0f} %"
        title = f"step {step}: identification rate {shown}"
        frame = render_frame(cases[:_N_SHOWN], results[:_N_SHOWN], title)
        with atomic_path(self._frame(step)) as path:
            path.write_bytes(frame)

    def close_epoch(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Renew the curves and the animation from all epochs so far."""
        with atomic_path(self.folder / "curves.png") as path:
            path.write_bytes(render_curves(rows))
        frames = [self._frame(int(row["step"])) for row in rows]
        frames = [frame for frame in frames if frame.exists()]
        if frames:
            write_animation(frames, self.folder / "convergence.gif")

    def _frame(self, step: int) -> Path:
        return self.frames / f"step_{step:07d}.png"
