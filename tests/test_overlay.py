"""The picture: every disc is drawn where it lies in the image, whatever the scan's orientation."""

import io

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.image import imread

from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.volume import Volume
from deepspine_sct.labeling.discs import Disc
from deepspine_sct.pictures import figure
from deepspine_sct.pictures.overlay import DOTS_PER_IN, HEIGHT_IN, draw_overlay, render_overlay, sagittal_image

# Columns of the affine [mm]: the world direction in which each axis grows.
ORIENTATIONS = {
    "LIP": [(-2, 0, 0), (0, 0, -1), (0, -1.5, 0)],
    "RAS": [(2, 0, 0), (0, 1.5, 0), (0, 0, 1)],
    "SLA": [(0, 0, 1), (-2, 0, 0), (0, 1.5, 0)],
    "PSR": [(0, -1.5, 0), (0, 0, 1), (2, 0, 0)],
}
EXTENT_MM = np.array([18.0, 60.0, 90.0])  # left-right, front-back, head-foot


def make_volume(orientation: str, bright_mm=(), fill: float = 0.0) -> Volume:
    """Fill a box around the world's origin, with a bright 5 mm ball at each of some points."""
    affine = np.eye(4)
    affine[:3, :3] = np.array(ORIENTATIONS[orientation]).T
    shape = np.rint(np.abs(np.linalg.inv(affine[:3, :3])) @ EXTENT_MM).astype(int)
    affine[:3, 3] = -affine[:3, :3] @ (shape - 1) / 2
    ijk = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    xyz_mm = ijk @ affine[:3, :3].T + affine[:3, 3]
    data = np.full(shape, fill, np.float32)
    for point_mm in bright_mm:
        data[((xyz_mm - point_mm) ** 2).sum(axis=-1) < 25] = 100
    return Volume(data, Grid(tuple(shape), affine))


def spots(picture: bytes, is_spot) -> np.ndarray:
    """Find the middle row and column of the pixels of one kind, below the title."""
    pixels = imread(io.BytesIO(picture))[..., :3]
    inside = np.zeros(pixels.shape[:2], bool)
    inside[60:-20, 20:-20] = True
    return np.argwhere(is_spot(pixels) & inside).mean(axis=0)


def is_yellow(pixels) -> np.ndarray:
    """Mark the dot of a confident disc."""
    return (pixels[..., 0] > 0.8) & (pixels[..., 1] > 0.8) & (pixels[..., 2] < 0.3)


def is_red(pixels) -> np.ndarray:
    """Mark the dot of a doubtful disc."""
    return (pixels[..., 0] > 0.8) & (pixels[..., 1] < 0.3) & (pixels[..., 2] < 0.3)


def is_blue(pixels) -> np.ndarray:
    """Mark the circle of a true disc."""
    return (pixels[..., 0] < 0.3) & (pixels[..., 2] > 0.6)


def test_a_disc_is_drawn_on_its_place_in_the_image():
    """The dot covers the ball that the image shows at the same world point, to half a mm."""
    point_mm = np.array([2.0, 11.0, -17.0])
    without = imread(io.BytesIO(render_overlay(make_volume("PSR"), [])))[..., :3]
    ball = spots(
        render_overlay(make_volume("PSR", [point_mm]), []),
        lambda pixels: np.abs(pixels - without).max(axis=-1) > 0.5,
    )
    dot = spots(render_overlay(make_volume("PSR"), [Disc(4, point_mm, 1.0)]), is_yellow)
    pixels_per_mm = 0.93 * HEIGHT_IN * DOTS_PER_IN / EXTENT_MM[2]
    assert np.abs(ball - dot).max() < 0.5 * pixels_per_mm


def test_the_picture_is_upright_and_keeps_proportions():
    """Head up, face to the left, and a millimetre as long across as along."""
    volume = make_volume("SLA")
    centre, up, front = (
        spots(render_overlay(volume, [Disc(4, np.array(point_mm), 1.0)]), is_yellow)
        for point_mm in ((0, 0, 0), (0, 0, 20), (0, 20, 0))
    )
    (rows_up, columns_up), (rows_front, columns_front) = centre - up, centre - front
    assert rows_up > 0 and abs(columns_up) < 1
    assert columns_front > 0 and abs(rows_front) < 1
    assert rows_up == pytest.approx(columns_front, rel=0.02)


def test_the_picture_does_not_depend_on_the_orientation_of_the_scan():
    """The same box of the world, stored along other axes, gives the same picture."""
    point_mm = np.array([2.0, 11.0, -17.0])
    discs, truth = [Disc(4, point_mm, 0.4)], {4: point_mm + (0, 3, 3)}
    pictures = [
        imread(io.BytesIO(render_overlay(make_volume(name, [point_mm]), discs, truth))) for name in ORIENTATIONS
    ]
    for picture in pictures[1:]:
        assert np.abs(picture - pictures[0]).max() < 0.01


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_slice_is_the_one_of_the_discs(orientation):
    """A spine beside the middle of the volume is shown, averaged over the slices around it."""
    volume = make_volume(orientation, [(6.0, 10.0, 20.0)])
    image, points_rc, zooms_mm = sagittal_image(volume, np.array([[6.0, 10.0, 20.0]]))
    assert zooms_mm == (1.0, 1.5)
    assert image.shape == (90, 40)
    row, column = np.unravel_index(image.argmax(), image.shape)
    assert image[row, column] == 100
    assert np.abs(np.argwhere(image > 50).mean(axis=0) - points_rc[0]).max() < 0.5
    middle, _, _ = sagittal_image(volume, np.zeros((0, 3)))
    assert middle.max() == 0


def test_the_average_is_as_wide_as_asked_and_stays_in_the_volume():
    """Slices of 2 mm: 6 mm are the middle one and its neighbours; at the edge fewer are left."""
    volume = make_volume("LIP")
    volume.data[:] = np.arange(9)[:, None, None]  # slice number, left-right is the first axis
    centre_mm = volume.grid.to_world((4, 0, 0))
    for thickness_mm, expected in (
        (2.0, [4]),
        (5.9, [4]),
        (6.0, [3, 4, 5]),
        (10.0, [2, 3, 4, 5, 6]),
    ):
        image, _, _ = sagittal_image(volume, centre_mm[None], thickness_mm)
        assert (image == np.mean(expected)).all()
    for outside, expected in ((-30, [0, 1]), (30, [7, 8])):
        point_mm = volume.grid.to_world((outside, 0, 0))
        image, _, _ = sagittal_image(volume, point_mm[None], 6.0)
        assert (image == np.mean(expected)).all()


def test_colours_tell_confidence_and_truth():
    """A doubtful disc is red, a certain one yellow, a true one a blue circle around its place."""
    volume = make_volume("RAS")
    doubtful = render_overlay(volume, [Disc(4, np.zeros(3), 0.02)])
    certain = render_overlay(volume, [Disc(4, np.zeros(3), 0.99)])
    both = render_overlay(volume, [Disc(4, np.zeros(3), 0.99)], truth={4: np.zeros(3)})
    assert np.abs(spots(doubtful, is_red) - spots(certain, is_yellow)).max() < 1.5
    pixels = imread(io.BytesIO(both))
    assert is_blue(pixels).sum() > 50
    assert is_blue(imread(io.BytesIO(certain))).sum() == 0


def test_the_picture_tells_no_doubtful_disc_as_a_sure_one(monkeypatch):
    """The number beside a name is below 0.90 wherever it is written, and none stands beside a sure name."""
    texts = []
    annotate = Axes.annotate
    monkeypatch.setattr(Axes, "annotate", lambda self, text, *args, **how: [texts.append(text), annotate(
        self, text, *args, **how)][1])  # fmt: skip
    render_overlay(make_volume("RAS"), [Disc(4, np.zeros(3), 0.8999), Disc(5, np.array([0, 0, -20.0]), 0.9)])
    assert texts == ["4  C3/C4  0.89", "5  C4/C5"]


def test_a_flat_or_empty_picture_can_be_drawn():
    """No disc, no contrast and a title that looks like mathematics are no reason to fail."""
    assert render_overlay(make_volume("PSR", fill=3.0), [], title="$a_$b").startswith(b"\x89PNG")


def test_the_file_is_the_picture(tmp_path):
    """`draw_overlay` writes what `render_overlay` returns, and the same input the same bytes."""
    volume, discs = make_volume("SLA"), [Disc(5, np.zeros(3), 0.5)]
    draw_overlay(tmp_path / "a.png", volume, discs)
    assert (tmp_path / "a.png").read_bytes() == render_overlay(volume, discs)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_without_matplotlib_the_remedy_is_named(monkeypatch):
    """It is an extra of the installation, so the message says how to get it."""
    monkeypatch.setattr(figure, "find_spec", lambda name: None)
    with pytest.raises(DeepspineError, match="pip install matplotlib"):
        render_overlay(make_volume("RAS"), [])
