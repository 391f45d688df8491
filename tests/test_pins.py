"""A disc that is known by its slice alone: it is the disc of the spine that lies nearest to the slice."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.labels import read_labels
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.labeling.discs import Disc, Labeling
from deepspine_sct.labeling.heatmap import Candidates
from deepspine_sct.labeling.pins import SLICE_REACH_MM, Height, locate
from deepspine_sct.labeling.predictor import Predictor

DATA = Path(__file__).resolve().parent.parent / "data_test"

ANGLE = np.deg2rad(15)
TURN = np.array([[1, 0, 0], [0, np.cos(ANGLE), -np.sin(ANGLE)], [0, np.sin(ANGLE), np.cos(ANGLE)]])


def oblique_grid() -> Grid:
    """Slices of 3 mm, tilted by 15 degrees, counted upwards."""
    affine = np.eye(4)
    affine[:3, :3] = TURN @ np.diag([-2.0, 1.5, 3.0])
    affine[:3, 3] = (20, -40, -60)
    return Grid((20, 60, 50), affine)


def world(slice_index: float, j: float = 30.0) -> np.ndarray:
    """Point of a slice on the middle of the spine, without the code under test."""
    return TURN @ np.diag([-2.0, 1.5, 3.0]) @ (10, j, slice_index) + (20, -40, -60)


def labeling(slices) -> Labeling:
    """Discs in some slices, from the head down."""
    ordered = sorted(slices, reverse=True)
    return Labeling([Disc(6 + i, world(z), 0.9) for i, z in enumerate(ordered)])


def spots(*points_xyz, strength=0.05) -> Candidates:
    """Faint candidates."""
    n = len(points_xyz)
    strengths = np.broadcast_to(strength, n).astype(float)
    return Candidates(np.reshape(points_xyz, (n, 3)), strengths, np.full((n, 25), 0.04), np.zeros(n))


@given(st.lists(st.floats(2, 48), min_size=1, max_size=7, unique=True), st.integers(0, 49))
def test_the_nearest_disc_is_meant_whatever_its_name(slices, z):
    """Distances are those to the tilted slice; equally near ones may be either."""
    gaps_mm = 3 * np.abs(np.array(slices) - z)
    if gaps_mm.min() > SLICE_REACH_MM - 1e-6:
        return
    meant = locate(Height(3, z, oblique_grid()), labeling(slices), spots())
    own_mm = 3 * abs((np.linalg.inv(TURN) @ (meant - (20, -40, -60)))[2] / 3 - z)
    assert own_mm == pytest.approx(gaps_mm.min(), abs=1e-6)


def test_a_disc_that_was_missed_is_a_faint_spot_near_the_line_else_on_it():
    """Two discs 13 slices apart: the faint spot between them wins, one far off the line does not."""
    height = Height(4, 24, oblique_grid())
    seen = labeling((30.5, 17.5))
    spot, off = world(25, j=33), world(24, j=58)
    assert np.allclose(locate(height, seen, spots(off, spot, strength=(0.14, 0.05))), spot)
    assert np.allclose(locate(height, seen, spots(off)), world(24))


def test_without_any_disc_the_strongest_spot_near_the_slice_is_meant():
    """Where nothing was found without the user's help, what is faint will do."""
    height = Height(4, 24, oblique_grid())
    near, nearer, far = world(22), world(24, j=50), world(35)
    found = locate(height, Labeling(), spots(near, nearer, far, strength=(0.12, 0.04, 0.14)))
    assert np.allclose(found, near)


@pytest.mark.parametrize("seen", [Labeling(), labeling((40, 46))])
def test_a_slice_away_from_the_spine_is_refused_with_the_remedy(seen):
    """No disc, no spot and no line there: the message says where the spine is, and what to do."""
    with pytest.raises(
        DeepspineError, match=r"near slice 12 \(0 = lowest\) there is no disc that could be C3/C4"
    ) as refused:
        locate(Height(4, 12, oblique_grid()), seen, spots(world(30)))
    assert str(refused.value).endswith("give the position of the disc with -initlabel")
    assert ("from slice 40 to 46" in str(refused.value)) == bool(seen.discs)


@pytest.fixture(scope="module")
def predictor():
    """The shipped network, which counts its runs."""
    predictor = Predictor.load()
    run = predictor.runtime.run
    predictor.n_images = 0

    def counting(images):
        predictor.n_images += len(images)
        return run(images)

    predictor.runtime.run = counting
    return predictor


def cost(predictor, scan, **request) -> tuple[int, dict]:
    """Images that the network looked at, and discs."""
    before = predictor.n_images
    points = predictor.predict(scan, **request).labeling.points
    return predictor.n_images - before, points


@pytest.mark.parametrize("threshold", [None, 0.999])
def test_a_slice_names_the_spine_without_a_second_look(predictor, threshold):
    """A shift by one level is obeyed at no cost; also where nothing passes the user's threshold."""
    scan = read_volume(DATA / "t2_sim.nii.gz")
    truth = read_labels(DATA / "t2_sim_labels.nii.gz")
    plain, free = cost(predictor, scan)
    upright = scan.grid.reoriented(("L", "A", "S"))
    value = sorted(truth)[len(truth) // 2]
    z = int(np.rint(upright.to_index(truth[value])[2])) + 1
    images, found = cost(predictor, scan, threshold=threshold, height=Height(value + 1, z, upright))
    assert images <= plain
    assert np.linalg.norm(found[value + 1] - truth[value]) < 5
    if threshold is None:
        assert list(found) == [v + 1 for v in free if v < 25]


def test_a_slice_between_two_discs_makes_no_name_sure(predictor):
    """Half way between two discs the names are doubted, and both slices are said; on a disc they are not."""
    scan = read_volume(DATA / "t2_sim.nii.gz")
    truth = read_labels(DATA / "t2_sim_labels.nii.gz")
    upright = scan.grid.reoriented(("L", "A", "S"))
    heights = [float(upright.to_index(truth[value])[2]) for value in (6, 7)]
    for z, doubted in ((round(heights[0]), False), (round(sum(heights) / 2), True)):
        labeling = predictor.predict(scan, height=Height(6, z, upright)).labeling
        said = [warning for warning in labeling.warnings if warning.code == "given_between_discs"]
        assert len(said) == doubted and (labeling.level_confidence <= 0.5) == doubted
    shown = [int(z) for z in said[0].split("in slices ")[1].split(";")[0].split(" and ")]
    assert np.abs(np.subtract(shown, sorted(heights))).max() <= 2
