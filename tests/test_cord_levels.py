"""Vertebral levels of a segmented cord: the rule by brute force, and against the real SCT."""

import csv
import shutil
import subprocess

import nibabel as nib
import numpy as np
import pytest

from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.nifti import write_discs, write_volume
from deepspine_sct.image.volume import Volume, reorient
from deepspine_sct.labeling.cord_levels import centreline, label_cord
from deepspine_sct.labeling.cord_segmentation import read_cord

ZOOMS_MM = (1.2, 0.9, 1.6)
SHAPE = (26, 40, 50)
DISCS_MM = {3: 68.0, 4: 50.0, 5: 34.0, 7: 8.0}
"""Height of each disc; disc 6 is missing."""

ORIENTATIONS = [("L", "A", "S"), ("R", "A", "S"), ("P", "S", "R"), ("I", "R", "P"), ("L", "I", "P")]

NO_SCT = "no SCT on the PATH: its own output is not compared"


def middle(z_mm):
    """Where the bent cord runs (x, y) at a height, in mm from the grid's corner."""
    z_mm = np.asarray(z_mm, dtype=float)
    return np.stack([16 + 5 * np.sin(z_mm / 28), 18 + 0.0035 * (z_mm - 40) ** 2], axis=-1)


def bent_cord(tilt_deg: float = 8.0) -> Volume:
    """Segment a tube of 4 mm radius around `middle`, on a tilted grid."""
    angle = np.deg2rad(tilt_deg)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(ZOOMS_MM)
    affine[:3, 3] = (-12.0, 30.0, -41.0)
    x, y, z = (np.arange(n) * zoom for n, zoom in zip(SHAPE, ZOOMS_MM, strict=True))
    centre = middle(z)
    away = np.hypot(x[:, None, None] - centre[:, 0], y[None, :, None] - centre[:, 1])
    data = (away <= 4) & (z > 3) & (z < 74)
    # The grid's first axis runs to the right; SCT's upright one runs to the left.
    return Volume(data.astype(np.uint8), Grid(SHAPE, affine))


def disc_points(cord: Volume, anterior_mm: float = 9.0) -> dict[int, np.ndarray]:
    """World positions of the discs, in front of the cord."""
    points = {}
    for value, z_mm in DISCS_MM.items():
        local_mm = np.append(middle(z_mm) + (0, anterior_mm), z_mm)
        points[value] = cord.grid.to_world(local_mm / ZOOMS_MM)
    return points


def brute_force_levels(cord: Volume, points) -> np.ndarray:
    """Name every voxel of the cord after the exact line, 0.02 mm by 0.02 mm; NaN near a boundary."""
    z_mm = np.arange(3, 74, 0.02)
    line = cord.grid.to_world(np.column_stack([middle(z_mm), z_mm]) / ZOOMS_MM)
    height = {v: z_mm[np.linalg.norm(line - xyz, axis=1).argmin()] for v, xyz in points.items()}
    levels = np.zeros(cord.data.shape)
    for ijk in np.argwhere(cord.data):
        away_mm = np.linalg.norm(line - cord.grid.to_world(ijk), axis=1)
        z = z_mm[away_mm.argmin()]
        above = [v for v in sorted(height) if height[v] >= z]
        level = above[-1] if above else min(height) - 1
        near = min(abs(z - other) for other in height.values())
        levels[tuple(ijk)] = np.nan if near < 1.5 * ZOOMS_MM[2] else level
    return levels


def test_the_line_runs_through_the_middle_of_the_cord():
    """One point a slice, from the lowest to the highest, within half a millimetre of the truth."""
    cord = bent_cord()
    line = centreline(cord)
    marked = np.flatnonzero(cord.data.any(axis=(0, 1)))
    assert line[:, 2].tolist() == list(range(marked[0], marked[-1] + 1))
    away_mm = np.linalg.norm((line * ZOOMS_MM)[:, :2] - middle(line[:, 2] * ZOOMS_MM[2]), axis=1)
    assert away_mm.max() < 0.5


def test_the_line_crosses_unmarked_slices():
    """A gap in the segmentation is bridged by the curve."""
    cord = bent_cord()
    data = cord.data.copy()
    data[:, :, 20:26] = 0
    gap = centreline(Volume(data, cord.grid))
    whole = centreline(cord)
    assert gap.shape == whole.shape
    assert np.abs(gap - whole).max() < 0.5


def test_levels_are_those_of_the_exact_line():
    """Away from the boundaries every voxel has the vertebra that brute force gives it."""
    cord = bent_cord()
    points = disc_points(cord)
    found = label_cord(cord, points)
    truth = brute_force_levels(cord, points)
    known = np.isfinite(truth)
    assert known.mean() > 0.95 and set(np.unique(truth[known])) == {0, 2, 3, 4, 5, 7}
    assert np.array_equal(found.levels.data[known], truth[known])
    assert np.array_equal(found.levels.data > 0, cord.data > 0)
    assert found.levels.data.dtype == np.uint8 and found.warnings == []


def test_discs_lie_on_the_line_at_a_right_angle():
    """One voxel a disc, the one whose centre is nearest to the foot of the perpendicular."""
    cord = bent_cord()
    points = disc_points(cord)
    found = label_cord(cord, points).discs
    assert sorted(found.data[found.data > 0].tolist()) == sorted(points)
    z_mm = np.arange(3, 74, 0.02)
    line = cord.grid.to_world(np.column_stack([middle(z_mm), z_mm]) / ZOOMS_MM)
    for value, xyz in points.items():
        foot = line[np.linalg.norm(line - xyz, axis=1).argmin()]
        (voxel,) = np.argwhere(found.data == value)
        assert np.abs(cord.grid.to_index(foot) - voxel).max() < 1.1


@pytest.mark.parametrize("axcodes", ORIENTATIONS)
def test_orientation_changes_nothing_but_a_voxel_at_the_boundaries(axcodes):
    """Any order and direction of the axes gives the same levels, one slice at each disc aside."""
    cord = bent_cord()
    points = disc_points(cord)
    plain = label_cord(cord, points).levels
    turned = label_cord(reorient(cord, axcodes), points).levels
    back = reorient(turned, plain.grid.axcodes)
    differ = (back.data != plain.data)[cord.data > 0]
    assert differ.mean() < 0.05


def test_of_discs_beyond_the_cord_the_nearest_one_names_its_end():
    """The others are left out with a warning; the cord above disc 5 is vertebra 4, not 2."""
    cord = bent_cord()
    data = cord.data.copy()
    data[:, :, 27:] = 0  # the cord ends between disc 5 and disc 4
    found = label_cord(Volume(data, cord.grid), disc_points(cord))
    assert set(np.unique(found.levels.data[data > 0])) == {4, 5, 7}
    lost, cut_short = found.warnings
    assert lost == "beyond the ends of the segmented cord and left out of its labels: 3 (C2/C3)"
    assert cut_short.startswith("beyond the ends of the segmented cord, so that") and "4 (C3/C4, 8 mm)" in cut_short
    assert found.whole == ()  # the one disc that is beside the cord and has a neighbour there is 7, below a missing one


def test_above_the_top_of_c1_is_nothing():
    """Cord above disc 1 belongs to no vertebra."""
    cord = bent_cord()
    found = label_cord(cord, {1: disc_points(cord)[4]})
    assert set(np.unique(found.levels.data[cord.data > 0])) == {0, 1}


def test_discs_far_from_the_cord_are_refused():
    """Another scan's segmentation may overlap the image and still be the wrong one."""
    cord = bent_cord()
    points = {value: xyz + (55.0, 0, 0) for value, xyz in disc_points(cord).items()}
    with pytest.raises(DeepspineError, match="mm beside the discs; give a segmentation of the same scan"):
        label_cord(cord, points)


def test_a_cord_that_ends_above_most_of_the_discs_is_labelled():
    """As in a lumbar scan: two discs beside the cord, six up to 200 mm below its end, which name no voxel of it."""
    cord = bent_cord()
    beside = {18: disc_points(cord)[4], 19: disc_points(cord)[5]}
    low_xyz = beside[19] + cord.grid.affine[:3, 2] / ZOOMS_MM[2] * -30
    below = {20 + i: low_xyz - cord.grid.affine[:3, 2] / ZOOMS_MM[2] * 34 * i for i in range(6)}
    found = label_cord(cord, beside | below)
    assert {18, 19} <= set(np.unique(found.discs.data)) and found.warnings[0].code == "beyond_cord"


@pytest.mark.parametrize("anterior_mm", [20.0, 30.0])
def test_discs_far_in_front_of_the_cord_are_refused(anterior_mm):
    """A canal may be 20 mm deep, but no canal is 30 mm deep."""
    cord = bent_cord()
    points = disc_points(cord, anterior_mm)
    if anterior_mm < 25:
        assert not label_cord(cord, points).warnings
        return
    with pytest.raises(DeepspineError, match="mm beside the discs; give a segmentation of the same scan"):
        label_cord(cord, points)


@pytest.mark.parametrize("axcodes", ORIENTATIONS)
def test_a_piece_beside_the_cord_is_named_and_one_of_the_cord_is_not(axcodes):
    """A small ball 30 mm in front of the cord is said, with its voxels; the half of the cord below a gap is not."""
    cord = bent_cord(tilt_deg=0)
    data = cord.data.copy()
    data[:, :, 20:23] = 0
    assert "cord_pieces" not in {w.code for w in label_cord(Volume(data, cord.grid), disc_points(cord)).warnings}
    shape = (data.shape[0], data.shape[1] + 40, data.shape[2])
    wide = np.zeros(shape, np.uint8)
    wide[:, : data.shape[1]] = cord.data
    row = int(np.argwhere(cord.data)[:, 1].mean() + 32 / ZOOMS_MM[1])
    wide[10:12, row : row + 2, 15:18] = 1
    found = label_cord(reorient(Volume(wide, Grid(shape, cord.grid.affine)), axcodes), disc_points(cord))
    (text,) = (w for w in found.warnings if w.code == "cord_pieces")
    assert text.startswith("12 voxels of the segmented cord lie beside its largest piece, up to 3")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda data: data[...].fill(0), "marks no voxel as spinal cord"),
        (lambda data: data[...].fill(1), "which is too large for a spinal cord"),
        (lambda data: data[:, :, 9:].fill(0), "in one axial slice only"),
        (lambda data: data[:, :, 20:].__imul__(2), r"2 values from 1 to 2, .* -uthr 1 -o cord.nii.gz"),
    ],
)
def test_a_file_that_marks_no_cord_is_refused(tmp_path, edit, message):
    """Empty, the whole image, a single slice, several tissues: each with its own sentence that names the file."""
    cord = bent_cord(tilt_deg=0)
    data = cord.data.copy()
    data[:, :, :8] = 0
    edit(data)
    write_volume(tmp_path / "seg.nii.gz", Volume(data, cord.grid))
    with pytest.raises(DeepspineError, match=f"seg.nii.gz: .*{message}"):
        read_cord(tmp_path / "seg.nii.gz", cord.grid)


def test_a_disc_label_file_is_no_cord(tmp_path):
    """A voxel every 12 mm marks no cord, and the line says what the file is instead."""
    cord = bent_cord(tilt_deg=0)
    data = np.zeros_like(cord.data)
    for value, k in enumerate(range(2, cord.grid.shape[2], 12), start=3):
        data[20, 20, k] = value
    write_volume(tmp_path / "discs.nii", Volume(data, cord.grid))
    with pytest.raises(DeepspineError, match=r"discs.nii: marks \d+ of the \d+ slices .* as disc labels do"):
        read_cord(tmp_path / "discs.nii", cord.grid)


@pytest.mark.parametrize("value", [1, 255])
def test_a_soft_cord_and_one_of_another_value_are_cords(tmp_path, value):
    """Shares of a voxel between 0 and 1, and 255 in place of 1."""
    cord = bent_cord(tilt_deg=0)
    data = value * cord.data.astype(np.float32)
    if value == 1:
        data[data > 0] = np.linspace(0.2, 1.04, int(cord.data.sum()), dtype=np.float32)
    write_volume(tmp_path / "seg.nii.gz", Volume(data, cord.grid))
    read = read_cord(tmp_path / "seg.nii.gz", cord.grid)
    assert np.array_equal(read.data > 0, cord.data > 0)


def test_a_foreign_segmentation_is_refused(tmp_path):
    """It lies elsewhere in the world."""
    cord = bent_cord()
    affine = cord.grid.affine.copy()
    affine[:3, 3] += (0, 500, 0)
    write_volume(tmp_path / "seg.nii", cord)
    with pytest.raises(DeepspineError, match="lies outside of the image"):
        read_cord(tmp_path / "seg.nii", Grid(SHAPE, affine))


def sct(*command) -> None:
    """Run one of SCT's commands; what it printed is shown when it fails."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


@pytest.mark.skipif(shutil.which("sct_label_vertebrae") is None, reason=NO_SCT)
@pytest.mark.parametrize("axcodes", ORIENTATIONS[1:4])
def test_the_real_sct_writes_the_same_files(tmp_path, axcodes):
    """`sct_label_vertebrae -discfile` and `sct_label_utils -project-centerline`, voxel by voxel."""
    upright = bent_cord()
    cord = reorient(upright, axcodes)
    image = upright.grid.resampled((30, 38, 60), (1.1, 1.0, 1.4)).reoriented(("P", "I", "R"))
    noise = np.random.default_rng(0).normal(100, 9, image.shape).astype(np.float32)
    write_volume(tmp_path / "t2.nii.gz", Volume(noise, image))
    write_volume(tmp_path / "seg.nii.gz", cord)
    voxels = write_discs(tmp_path / "discs.nii.gz", image, disc_points(upright))
    assert set(voxels) == set(DISCS_MM)
    found = label_cord(cord, {v: image.to_world(ijk) for v, ijk in voxels.items()})
    sct(
        "sct_label_vertebrae", "-i", tmp_path / "t2.nii.gz", "-s", tmp_path / "seg.nii.gz",
        "-c", "t2", "-discfile", tmp_path / "discs.nii.gz", "-ofolder", tmp_path / "out",
    )  # fmt: skip
    sct(
        "sct_label_utils", "-i", tmp_path / "seg.nii.gz", "-project-centerline",
        tmp_path / "discs.nii.gz", "-o", tmp_path / "out" / "line.nii.gz",
    )  # fmt: skip
    for name, ours in (
        ("seg_labeled", found.levels), ("seg_labeled_discs", found.discs), ("line", found.discs)
    ):  # fmt: skip
        theirs = np.asarray(nib.load(tmp_path / "out" / f"{name}.nii.gz").dataobj)
        assert np.array_equal(ours.data, theirs), name


@pytest.mark.skipif(shutil.which("sct_process_segmentation") is None, reason=NO_SCT)
def test_the_real_sct_measures_by_our_disc_file(tmp_path):
    """`sct_process_segmentation -discfile` finds the levels that our labeled cord holds, a slice aside."""
    cord = reorient(bent_cord(tilt_deg=0), ("L", "A", "S"))
    write_volume(tmp_path / "seg.nii.gz", cord)
    voxels = write_discs(tmp_path / "discs.nii.gz", cord.grid, disc_points(cord))
    found = label_cord(cord, {v: cord.grid.to_world(ijk) for v, ijk in voxels.items()}).levels.data
    sct(
        "sct_process_segmentation", "-i", tmp_path / "seg.nii.gz", "-discfile", tmp_path / "discs.nii.gz",
        "-vert", "3:5", "-perlevel", "1", "-o", tmp_path / "csa.csv",
    )  # fmt: skip
    with open(tmp_path / "csa.csv", newline="") as stream:
        slices = {int(row["VertLevel"]): row["Slice (I->S)"].split(":") for row in csv.DictReader(stream)}
    assert sorted(slices) == [3, 4, 5]
    for value, (first, last) in slices.items():
        own = np.flatnonzero((found == value).any(axis=(0, 1)))
        middle = np.median(own)
        assert int(first) <= middle <= int(last) and abs((int(last) - int(first)) - np.ptp(own)) <= 6
