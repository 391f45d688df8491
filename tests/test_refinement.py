"""The second look moves discs by the rule and touches nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from deepspine_sct.image.grid import Grid
from deepspine_sct.image.volume import Volume
from deepspine_sct.labeling.discs import Disc, Labeling
from deepspine_sct.labeling.heatmap import Candidates
from deepspine_sct.labeling.refinement import discs_of_slabs, fine_pixel_mm, refine, rows_of_discs, surroundings
from deepspine_sct.labeling.settings import DEFAULTS


def oblique_grid(shape=(9, 120, 100), zooms_mm=(3.0, 2.0, 1.5)):
    """A (L, I, P) grid, turned by 12 degrees about the left-right axis."""
    turn = np.deg2rad(12)
    directions = np.array([[-1, 0, 0], [0, np.sin(turn), -np.cos(turn)], [0, -np.cos(turn), -np.sin(turn)]])
    affine = np.eye(4)
    affine[:3, :3] = directions * zooms_mm
    affine[:3, 3] = (11.0, -7.0, 40.0)
    return Grid(shape, affine)


def labeling_at(grid, indices_ijk):
    """One disc a voxel index, values from 3 on."""
    discs = [Disc(3 + n, grid.to_world(ijk), 0.5 + n / 10) for n, ijk in enumerate(indices_ijk)]
    return Labeling(discs, 0.8, 2.0, ["kept"])


def candidates_at(grid, indices_ijk):
    """Candidates of no name at voxel indices."""
    n = len(indices_ijk)
    xyz_mm = grid.to_world(np.reshape(indices_ijk, (n, 3)).astype(float))
    return Candidates(xyz_mm, np.ones(n), np.full((n, 25), 0.04), np.full(n, np.nan))


def test_a_disc_moves_half_way_in_its_slab():
    """In the plane a disc ends half-way to the second look's candidate; left-right it stays."""
    grid = oblique_grid()
    labeling = labeling_at(grid, [(4, 30, 50), (5, 40, 52)])
    second = candidates_at(grid, [(2, 30.5, 51), (7, 39.5, 51)])
    moved = refine(labeling, second, grid)
    got_ijk = grid.to_index([disc.xyz_mm for disc in moved.discs])
    np.testing.assert_allclose(got_ijk, [(4, 30.25, 50.5), (5, 39.75, 51.5)], atol=1e-9)


def test_no_distance_makes_a_disc_jump():
    """As the second candidate goes away, the disc follows without a step, and comes back to its place."""
    grid = oblique_grid()
    labeling = labeling_at(grid, [(4, 30, 50)])
    apart_mm = np.linspace(0, 6, 601)
    moved = [refine(labeling, candidates_at(grid, [(4, 30 + mm / 2, 50)]), grid).discs[0] for mm in apart_mm]
    moved_mm = np.array([grid.to_index(disc.xyz_mm)[1] - 30 for disc in moved]) * 2
    assert np.abs(np.diff(moved_mm)).max() < 0.02  # for 0.01 mm
    np.testing.assert_allclose(
        moved_mm[apart_mm <= DEFAULTS.same_mm], apart_mm[apart_mm <= DEFAULTS.same_mm] / 2, atol=1e-9
    )
    assert np.abs(moved_mm[apart_mm >= DEFAULTS.not_same_mm]).max() < 1e-9


@pytest.mark.parametrize(("gap_mm", "pixel_mm"), [(12, 1.4), (16, 1.4), (18, 1.6), (25, 1.7), (36, 1.7)])
def test_long_vertebrae_are_looked_at_on_coarser_pixels(gap_mm, pixel_mm):
    """The distance from a disc to the next decides, also over a missing one; a single disc gets the finest pixels."""
    grid = oblique_grid()
    labeling = labeling_at(grid, [(4, 30 + n * gap_mm / 2, 50) for n in (0, 1, 2, 4)])
    discs = [replace(disc, value=3 + n) for disc, n in zip(labeling.discs, (0, 1, 2, 4), strict=True)]
    assert fine_pixel_mm(replace(labeling, discs=discs)) == pytest.approx(pixel_mm)
    assert fine_pixel_mm(replace(labeling, discs=discs[:1])) == 1.4


def test_nothing_is_renamed_and_far_candidates_do_not_count():
    """Names, confidences, warnings and a disc without a near candidate stay as they were."""
    grid = oblique_grid()
    labeling = labeling_at(grid, [(4, 30, 50), (4, 40, 50)])
    moved = refine(labeling, candidates_at(grid, [(4, 24, 50), (4, 40, 51)]), grid)
    assert [(d.value, d.confidence) for d in moved.discs] == [(3, 0.5), (4, 0.6)]
    assert (moved.level_confidence, moved.level_margin, moved.warnings) == (0.8, 2.0, ["kept"])
    np.testing.assert_array_equal(moved.discs[0].xyz_mm, labeling.discs[0].xyz_mm)  # 12 mm away


def test_two_looks_that_disagree_cost_confidence_unless_the_user_named_the_disc():
    """A second candidate 4 to 10 mm away, and no nearer one, takes a tenth; a named disc keeps what it has."""
    grid = oblique_grid()
    labeling = labeling_at(grid, [(4, 30, 50), (4, 60, 50), (4, 90, 50)])  # values 3, 4 and 5
    second = candidates_at(grid, [(4, 33, 50), (4, 61, 50), (4, 93, 50)])  # 6, 2 and 6 mm away
    doubted = refine(labeling, second, grid, named=[5])
    assert [d.confidence for d in doubted.discs] == pytest.approx([0.45, 0.6, 0.7])


def test_without_candidates_all_stays():
    """A second look that sees nothing changes nothing."""
    grid = oblique_grid()
    labeling = labeling_at(grid, [(4, 30, 50)])
    assert refine(labeling, candidates_at(grid, []), grid) is labeling


@pytest.mark.parametrize("rows", [(2, 20), (60, 118)])
def test_the_surroundings_hold_every_voxel_near_the_discs(rows):
    """The crop holds each voxel within the margin of the discs' box, with its value in its place."""
    grid = oblique_grid()
    rng = np.random.default_rng(0)
    image = Volume(rng.normal(size=grid.shape), grid)
    discs_ijk = np.array([(1, rows[0], 60), (7, rows[1], 40)])
    near = surroundings(image, labeling_at(grid, discs_ijk))
    assert near.grid.shape[0] == grid.shape[0]
    margin = DEFAULTS.surroundings_mm / grid.zooms_mm
    ijk = np.indices(grid.shape).reshape(3, -1).T
    inside = (ijk >= discs_ijk.min(0) - margin) & (ijk <= discs_ijk.max(0) + margin)
    ijk = ijk[inside[:, 1:].all(axis=1)]
    at = np.rint(near.grid.to_index(grid.to_world(ijk))).astype(int)
    np.testing.assert_array_equal(near.data[tuple(at.T)], image.data[tuple(ijk.T)])


def test_each_disc_belongs_to_the_slab_that_it_lies_in():
    """The discs are dealt out to the nearest slabs, one beyond the outermost slab to that, and none is lost."""
    grid = oblique_grid()
    labeling = labeling_at(grid, [(2.4, 10, 50), (5.6, 30, 50), (2.2, 50, 50), (-0.9, 70, 50)])
    parts = discs_of_slabs(grid, labeling)
    assert {slab: [d.value for d in part.discs] for slab, part in parts.items()} == {0: [6], 2: [3, 5], 6: [4]}
    first, last = rows_of_discs(grid, parts[2])
    assert (first, last) == pytest.approx((10 - DEFAULTS.surroundings_mm / 2, 50 + DEFAULTS.surroundings_mm / 2))


def test_a_disc_that_the_user_gave_in_the_air_is_looked_at_from_the_border():
    """Farther from the image than the margin, it leaves the nearest part of the image to look at."""
    grid = oblique_grid()
    near = surroundings(Volume(np.zeros(grid.shape), grid), labeling_at(grid, [(4, -200, 50)]))
    assert near.grid.shape[0] == grid.shape[0] and near.grid.to_index(grid.to_world((0, 0, 50)))[1] == pytest.approx(0)
