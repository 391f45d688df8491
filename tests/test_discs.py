"""Named discs: values, names and points of an answer."""

from dataclasses import replace

import numpy as np
import pytest

from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.grid import Grid
from deepspine_sct.labeling.confidence import HALF_SEEN_MM, HALF_SEEN_SD_MM, within_image
from deepspine_sct.labeling.discs import Disc, Labeling
from deepspine_sct.labeling.prior import SkeletonPrior


def test_a_disc_knows_its_anatomical_name():
    """Value 3 is C2/C3 and value 8 is C7/T1, as in SCT; 26 is no disc."""
    assert Disc(3, np.zeros(3), 1.0).name == "C2/C3"
    assert Disc(8, np.zeros(3), 1.0).name == "C7/T1"
    with pytest.raises(DeepspineError):
        _ = Disc(26, np.zeros(3), 1.0).name


def test_points_map_each_value_to_its_place_in_order():
    """The points of a labeling are what `write_discs` and `score_case` take."""
    discs = [Disc(v, np.array([1.0, 2.0, -20.0 * v]), 0.9) for v in (3, 4, 6)]
    points = Labeling(discs, 0.95, 4.0).points
    assert list(points) == [3, 4, 6]
    assert all((points[disc.value] == disc.xyz_mm).all() for disc in discs)


def test_an_empty_labeling_claims_nothing():
    """Without discs there are no points, no confidence and no warnings shared between answers."""
    one, other = Labeling(), Labeling()
    one.warnings.append("something")
    assert one.points == {} and one.level_confidence == 0 and other.warnings == []


def test_only_discs_within_the_image_stay():
    """On a turned grid a disc stays when its voxel exists up to the left-right border, or when it is to be kept."""
    angle = 0.4
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.array([[-3.0, 0, 0], [0, 0, -1.0], [0, -2.0, 0]])
    affine[:3, 3] = 5, -7, 40
    grid = Grid((4, 50, 30), affine)
    places_ijk = {1: (1, -0.6, 3), 2: (1, -0.4, 3), 3: (-2, 9, 9), 4: (2, 30, 29.4), 5: (2, 35, 29.6), 6: (2, 49.6, 3)}
    kept, asked = [], []
    for value, ijk in places_ijk.items():  # each alone, since several let each other be expected elsewhere
        disc = Labeling([Disc(value, grid.to_world(np.array(ijk)), 0.9)])
        kept += within_image(disc, grid, SkeletonPrior()).points
        asked += within_image(disc, grid, SkeletonPrior(), keep=[2, 6]).points
    assert kept == [2, 3, 4] and asked == [2, 3, 4, 6]


def test_a_disc_at_the_border_is_in_the_image_as_often_as_it_is_sure_to_be():
    """Of tips found at some distance from the border, with a Gaussian error, that share lies within the image."""
    grid = Grid((3, 100, 80), np.array([[-3.0, 0, 0, 0], [0, 0, -2, 0], [0, -1, 0, 0], [0, 0, 0, 1]]))
    error_mm = np.random.default_rng(0).normal(0, 1.5, 50_000)
    for found_mm in (0.0, 0.7, 1.5, 3.0, 20.0):
        disc = Disc(5, grid.to_world(np.array([1, 40, found_mm / 2 - 0.5])), 1.0)
        (said,) = within_image(Labeling([disc]), grid, SkeletonPrior()).discs
        assert said.confidence == pytest.approx(np.mean(found_mm + error_mm > 0), abs=0.01)


def border_chain(to_border_mm: float, gap_mm: float, prior: SkeletonPrior) -> list[Disc]:
    """Discs 21 to 25 of the prior's distances, the last one `gap_mm` below L4/L5 and so far from the lower border."""
    up_mm = np.append(0, gap_mm + np.append(0, np.cumsum(prior.spacing_mm[22:19:-1])))
    return [Disc(25 - k, np.array([0.0, 0.0, to_border_mm + z]), 0.9) for k, z in enumerate(up_mm)][::-1]


@pytest.mark.parametrize(("spread", "usual_mm", "stays"), [(0.09, 34, False), (0.4, 34, True), (0.09, 27, True)])
def test_the_lowest_disc_is_expected_by_its_own_distance_and_spread(spread, usual_mm, stays):
    """Drawn 7 mm up to the border, L5/S1 goes, unless it lies anywhere in people, or is usually as near as that."""
    prior = SkeletonPrior()
    prior = replace(prior, spread=(*prior.spread[:-1], spread), spacing_mm=(*prior.spacing_mm[:-1], usual_mm))
    grid = Grid((1, 100, 80), np.array([[-5.0, 0, 0, 0], [0, 0, -2, 80], [0, -2, 0, 199], [0, 0, 0, 1]]))
    kept = within_image(Labeling(border_chain(1.0, 27.0, prior)), grid, prior)
    assert (25 in kept.points) == stays


def test_of_discs_beyond_the_image_alone_nothing_is_said():
    """Neither a confidence nor what was said of the discs is left when none is."""
    grid = Grid.sagittal((1, 100, 80), (5.0, 2.0, 2.0))
    discs = [Disc(v, grid.to_world(np.array([0, 110.0 + 10 * v, 40])), 0.95) for v in (1, 2)]
    empty = within_image(Labeling(discs, level_confidence=0.95, warnings=["only 2 discs found"]), grid, SkeletonPrior())
    assert empty.discs == [] and empty.level_confidence == 0
    assert [warning.code for warning in empty.warnings] == ["no_disc"]


def test_a_disc_that_is_seen_in_part_is_placed_where_it_is_on_average():
    """Tips lie where their neighbours let them be expected, and are seen, each with an error: said is the mean."""
    prior, rng, n = SkeletonPrior(), np.random.default_rng(3), 40_000
    grid = Grid.sagittal((3, 120, 80), (3.0, 1.0, 1.0))
    gap_mm = prior.spacing_mm[9]
    true_mm = gap_mm * (1 + prior.spread[9] * rng.standard_normal(n))  # of disc 10, above disc 11 at ``top_mm``
    seen_mm = true_mm + HALF_SEEN_SD_MM * rng.standard_normal(n)
    for top_mm in gap_mm + np.array([-3.0, 0.0, 2.0]):
        below_mm = top_mm + np.append(0, np.cumsum(prior.spacing_mm[10:13]))
        for to_border_mm in np.arange(-2.75, HALF_SEEN_MM, 0.5):
            near = np.abs(top_mm - seen_mm - to_border_mm) < 0.2
            mean_mm = np.mean(top_mm - true_mm[near])
            rows = np.append(to_border_mm, below_mm) - 0.5
            discs = [Disc(10 + k, grid.to_world(np.array([1, row, 40])), 0.9) for k, row in enumerate(rows)]
            points = within_image(Labeling(discs), grid, prior).points
            if abs(mean_mm) > 0.2:
                assert (10 in points) == (mean_mm > 0), (top_mm, to_border_mm, mean_mm)
            if 10 in points:
                assert grid.to_index(points[10])[1] + 0.5 == pytest.approx(mean_mm, abs=0.25)
