"""The stress on real scans: what is done to an image is done to its true points."""

import numpy as np
import pytest

from benchmarks.acceptance.real_cases import GROUPS, deal_out, select
from benchmarks.acceptance.real_changes import (
    coarsened,
    cut_above,
    cut_below,
    darkened,
    doubled,
    inverted,
    repainted,
    shrunk,
    turned,
    window,
)
from benchmarks.acceptance.real_score import score
from benchmarks.acceptance.real_sources import RealScan
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.volume import Volume
from deepspine_sct.labeling.discs import Disc, Labeling
from deepspine_sct.training.folds import SHIPPED, deal

SHAPE = (8, 160, 90)
ROWS = {value: 12 + 17 * (value - 17) for value in range(17, 26)}


def scan() -> RealScan:
    """Nine bright discs that bend along a column of bone, in front of a brighter canal."""
    affine = np.array([[-1.0, 0, 0, 5], [0, 0, -1.2, 40], [0, -1.2, 0, 300], [0, 0, 0, 1]])
    grid = Grid(SHAPE, affine)
    assert grid.axcodes == ("L", "I", "P")
    data, tissue = np.full(SHAPE, 10, np.float32), np.zeros(SHAPE, np.uint8)
    places = {value: (4, row, 45 + (row - 80) ** 2 // 600) for value, row in ROWS.items()}
    for row in range(SHAPE[1]):
        column = 45 + (row - 80) ** 2 // 600
        tissue[2:7, row, column - 15 : column + 1], tissue[2:7, row, column + 3 : column + 8] = 1, 3
    for _, row, column in places.values():
        tissue[2:7, row - 1 : row + 2, column - 15 : column + 1] = 2
    for value, brightness in ((1, 60), (2, 20), (3, 200)):
        data[tissue == value] = brightness
    for _, row, column in places.values():  # what the tests look for: the tip itself
        data[3:6, row, column] = 9000
    return RealScan("made up", Volume(data, grid), {v: grid.to_world(ijk) for v, ijk in places.items()}, tissue)


GEOMETRIC = {
    "turned": turned(20), "shrunk": shrunk(0.65),
    "coarse": coarsened(None, 1.5, 1.5), "thick": coarsened(3, None, None),
    "doubled": doubled, "cut above": cut_above(20), "cut below": cut_below(24, 5), "window": window(60.0),
    "square": window(60.0, 60.0),
}  # fmt: skip


@pytest.mark.parametrize("name", GEOMETRIC)
def test_the_points_go_where_the_image_goes(name):
    """Around every true point that is left, the brightest pixel is the tip, to a pixel."""
    changed = GEOMETRIC[name](scan(), np.random.default_rng(3))
    assert len(changed.truth) >= 2
    data = changed.volume.data
    middle = data.max(axis=0)
    for xyz_mm in changed.truth.values():
        _, row, column = changed.volume.grid.to_index(xyz_mm)
        low_r, low_c = max(0, round(row) - 3), max(0, round(column) - 3)
        near = middle[low_r : round(row) + 4, low_c : round(column) + 4]
        at = np.unravel_index(near.argmax(), near.shape)
        assert abs(at[0] + low_r - row) <= 1 and abs(at[1] + low_c - column) <= 1


def test_cuts_keep_the_discs_that_they_promise():
    """Above the sacrum five are left, from a disc on all below it; what lies at the edge need not be found."""
    below = cut_below(24, 5)(scan(), np.random.default_rng())
    assert sorted(below.truth) == [20, 21, 22, 23, 24] and 25 in below.edge
    above = cut_above(20)(scan(), np.random.default_rng())
    assert sorted(above.truth) == [20, 21, 22, 23, 24, 25] and 19 in above.edge


def test_a_child_is_smaller_in_every_direction():
    """Distances between discs are 0.65 of what they were, and so are the voxels."""
    before, after = scan(), shrunk(0.65)(scan(), np.random.default_rng())
    assert after.volume.grid.zooms_mm == pytest.approx(0.65 * before.volume.grid.zooms_mm)
    step = np.linalg.norm(after.truth[20] - after.truth[19]) / np.linalg.norm(before.truth[20] - before.truth[19])
    assert step == pytest.approx(0.65)


@pytest.mark.parametrize("contrast", ["t1", "stir", "water", "fat"])
def test_repainting_reverses_the_order_of_the_tissues(contrast):
    """Fluid is dark on T1w and fat images; marrow is darker than fluid with fat suppressed; the truth stays."""
    before = scan()
    after = repainted(contrast)(before, np.random.default_rng(0))
    bone, canal = (np.median(after.volume.data[before.tissue == kind]) for kind in (1, 3))
    assert (bone > 1.5 * canal) if contrast in ("t1", "fat") else (canal > 1.5 * bone)
    assert after.truth is before.truth


def test_darkness_grows_along_the_spine_and_inversion_reverses_all():
    """One end is ninety times darker than it was; the brightest voxel becomes the darkest."""
    before = scan()
    share = darkened(before, np.random.default_rng(0)).volume.data[0, :, 0] / before.volume.data[0, :, 0]
    assert max(share) == pytest.approx(1) and min(share) == pytest.approx(np.exp(-4.5))
    after = inverted(before, np.random.default_rng(0)).volume.data
    dark, bright = before.volume.data == 10, before.volume.data == 200
    assert after[dark].min() > after[bright].max()


def test_a_case_is_scored_by_names_places_and_what_was_said():
    """Right, out of place, misnamed, stray, at the edge and beyond the marked discs: each counts as what it is."""
    before = scan()
    truth = {v: before.truth[v] for v in (20, 21, 22, 23)}
    edge = {24: before.truth[24]}
    found = {
        19: before.truth[19],  # above the marked ones: nobody knows
        20: truth[20],
        21: truth[21] + [0, 7.0, 0],  # out of place, yet it is the disc
        22: truth[23],  # misnamed
        23: truth[23] + [0, 40.0, 0],  # in the belly
        24: edge[24],  # at the edge: right, and no fault had it been missed
    }
    worth = score(Labeling([Disc(v, xyz_mm, 0.95) for v, xyz_mm in found.items()], 0.97), truth, edge)
    assert sorted(worth.distance_mm) == [20, 21] and worth.seen == {20, 21, 23}
    assert worth.off_level == [22] and worth.ghost == [23] and worth.sure and not worth.all_named
    assert {value: right for value, _, right in worth.said} == {20: True, 21: True, 22: False, 23: False, 24: True}
    right = score(Labeling([Disc(v, xyz_mm, 0.95) for v, xyz_mm in truth.items()], 0.97), truth, edge)
    assert right.all_named and right.all_placed


@pytest.mark.parametrize(
    ("away_mm", "has_own", "is_fault"), [(8.6, True, False), (8.6, False, True), (3.0, True, True)]
)
def test_the_unmarked_neighbour_of_a_marked_disc_is_no_fault(away_mm, has_own, is_fault):
    """C1/C2 above a marked C2/C3 of a child; where no other disc has that place, or on top of it, it is one."""
    truth = {v: np.array([0, 0, 200 - 9.0 * v]) for v in (3, 4, 5)}
    found = {v: truth[v] for v in ((3, 4, 5) if has_own else (4, 5))} | {2: truth[3] + [0, 0, away_mm]}
    worth = score(Labeling([Disc(v, xyz_mm, 0.95) for v, xyz_mm in found.items()], 0.97), truth, {})
    assert worth.off_level == ([2] if is_fault else [])
    assert worth.all_named is (not is_fault)


def test_every_family_of_scans_is_known():
    """A typing error in the table of cases would leave scans out in silence."""
    assert {family for family, _ in GROUPS.values()} == {"lumbar", "neck", "volume"}


def test_every_lumbar_subject_goes_to_the_network_that_never_saw_it(tmp_path):
    """Cross-validation: each case once, the neck with the shipped network."""
    (tmp_path / "lumbar").mkdir()
    names = [f"spider{n:03d}" for n in range(11)]
    for name in names:
        (tmp_path / "lumbar" / f"{name}_T2w.nii.gz").touch()
    keys = select(tmp_path, ["lumbar", "lumbar_t1", "volume"], [])
    dealt = deal_out(tmp_path, keys)
    assert sorted(key.name for of in dealt.values() for key in of) == sorted(key.name for key in keys)
    folds = deal(names)
    for fold, of in dealt.items():
        assert all(folds.get(key.name, SHIPPED) == fold for key in of)
    assert len(dealt) == 4
