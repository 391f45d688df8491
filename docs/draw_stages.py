"""Draw what every stage makes of a scan: ``python docs/draw_stages.py [FOLDER]``, for how_it_works.md."""

import sys
from pathlib import Path

import numpy as np

from deepspine_sct import Predictor, read_volume
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.pictures.figure import new_figure, to_png
from deepspine_sct.stopwatch import Stopwatch

ROOT = Path(__file__).resolve().parent.parent
SCAN = ROOT / "data_test" / "t2_sim.nii.gz"


def main(folder: Path) -> None:
    """Label the scan once and draw the four stages that can be seen."""
    predictor = Predictor.load()
    volume = read_volume(SCAN)
    look = predictor.look(volume, Stopwatch())
    candidates = predictor.candidates(look)
    labeling = predictor.predict(volume).labeling
    slabs, prediction = look.seen
    best = int(prediction.heatmaps.sum(axis=(1, 2, 3)).argmax())
    pictures = {
        "stage_1_slabs": _draw_slabs(canonical(volume), slabs, best),
        "stage_2_network": _draw_maps(prediction, best),
        "stage_3_candidates": _draw_points(slabs, best, candidates.xyz_mm, [f"{p:.2f}" for p in candidates.strength]),
        "stage_4_order": _draw_points(
            slabs,
            best,
            np.array([disc.xyz_mm for disc in labeling.discs]),
            [f"{disc.value} {disc.name}, {disc.confidence:.2f}" for disc in labeling.discs],
        ),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, png in pictures.items():
        (folder / f"{name}.png").write_bytes(png)


def _draw_slabs(upright, slabs, best: int) -> bytes:
    figure = new_figure(10.0, 3.6)
    middle = upright.data[upright.grid.shape[0] // 2]
    _, row_mm, column_mm = upright.grid.zooms_mm
    panels = [("a slice of the scan", middle, row_mm / column_mm)]
    panels += [(f"slab {k + 1} of {len(slabs.data)}", slabs.data[k], 1.0) for k in (0, best, len(slabs.data) - 1)]
    for n, (title, image, aspect) in enumerate(panels, start=1):
        axes = figure.add_subplot(1, len(panels), n)
        axes.imshow(image, cmap="gray", aspect=aspect, vmax=np.percentile(image, 99.5))
        axes.set_title(title, fontsize=9)
        axes.set_axis_off()
    return to_png(figure)


def _draw_maps(prediction, best: int) -> bytes:
    figure = new_figure(9.0, 4.0)
    maps = {
        "probability of any disc": (prediction.any_disc[best], "inferno"),
        "level [mm along the template]": (prediction.level_mm[best], "viridis"),
        "attention": (prediction.attention[best], "inferno"),
    }
    for n, (title, (values, colours)) in enumerate(maps.items(), start=1):
        axes = figure.add_subplot(1, len(maps), n)
        shown = axes.imshow(values, cmap=colours)
        figure.colorbar(shown, ax=axes, fraction=0.05)
        axes.set_title(title, fontsize=9)
        axes.set_axis_off()
    return to_png(figure)


def _draw_points(slabs, best: int, points_xyz_mm: np.ndarray, texts: list[str]) -> bytes:
    figure = new_figure(4.6, 5.0)
    axes = figure.add_subplot()
    axes.imshow(slabs.data[best], cmap="gray", vmin=-1.5, vmax=3)
    for (_, row, column), text in zip(slabs.grid.to_index(points_xyz_mm), texts, strict=True):
        axes.plot(column, row, ".", color="yellow", ms=5)
        axes.text(column + 14, row, text, color="yellow", fontsize=7, va="center")
    axes.set_axis_off()
    return to_png(figure)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images")
