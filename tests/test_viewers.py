"""The discs in the files of other viewers, read by another library."""

import json

import nibabel as nib
import numpy as np
import pytest
from fake_predictor import VOXELS, oblique_affine, world, write_scan

from deepspine_sct.anatomy import DISC_NAMES
from deepspine_sct.cli import measure
from deepspine_sct.image.grid import Grid
from deepspine_sct.landmarks.viewers import BALL_MM, draw_balls, fsleyes_lut, itksnap_labels, slicer_markups


def test_slicers_points_are_the_discs_in_ras():
    """One named control point for each disc, from the top downwards."""
    points = {value: world(ijk) for value, ijk in VOXELS.items()}
    (markup,) = json.loads(slicer_markups(points, "a/discs.nii.gz"))["markups"]
    assert (markup["type"], markup["coordinateSystem"], markup["coordinateUnits"]) == ("Fiducial", "RAS", "mm")
    assert [point["label"] for point in markup["controlPoints"]] == [DISC_NAMES[value] for value in VOXELS]
    for point, xyz in zip(markup["controlPoints"], points.values(), strict=True):
        assert np.allclose(point["position"], xyz, atol=1e-3)
    assert markup["controlPoints"][0]["description"].startswith(f"disc {min(VOXELS)},")


def test_balls_are_balls_around_the_discs():
    """Compared with a brute-force distance from every voxel to every disc."""
    grid = Grid((30, 44, 9), oblique_affine())
    points = {value: world(ijk) + 0.4 for value, ijk in VOXELS.items()}
    drawn = draw_balls(grid, points).data
    centres = np.stack(np.meshgrid(*map(np.arange, grid.shape), indexing="ij"), axis=-1)
    xyz = centres @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    far_mm = np.stack([np.linalg.norm(xyz - point, axis=-1) for point in points.values()])
    expected = np.where(far_mm.min(axis=0) <= BALL_MM, np.array(list(points))[far_mm.argmin(axis=0)], 0)
    for value, point in points.items():
        expected[tuple(np.rint(grid.to_index(point)).astype(int))] = value
    assert np.array_equal(drawn, expected)
    assert (np.bincount(drawn.ravel())[list(VOXELS)] > 5).all()


@pytest.mark.parametrize("place", [(-3, 5, 5), (400, 5, 5)])
def test_a_disc_outside_of_the_image_has_no_ball(place):
    """And does no harm to the others."""
    grid = Grid((30, 44, 9), oblique_affine())
    drawn = draw_balls(grid, {4: world(place) * 3, 5: world((14, 19, 4))}).data
    assert set(np.unique(drawn)) == {0, 5}


def test_the_colour_tables_name_every_value_once():
    """As ITK-SNAP and FSLeyes lay them out; no two neighbours look alike."""
    snap = [line.split(maxsplit=7) for line in itksnap_labels().splitlines() if not line.startswith("#")]
    assert [int(line[0]) for line in snap] == [0, *DISC_NAMES]
    assert [line[7].strip('"') for line in snap[1:]] == list(DISC_NAMES.values())
    lut = [line.split(" ", 4) for line in fsleyes_lut().splitlines()]
    assert {int(line[0]): line[4] for line in lut} == DISC_NAMES
    colours = np.array([[float(x) for x in line[1:4]] for line in lut])
    assert ((colours >= 0) & (colours <= 1)).all()
    assert np.linalg.norm(np.diff(colours, axis=0), axis=1).min() > 0.4


@pytest.fixture
def labels(tmp_path, monkeypatch):
    """Write a label file on the oblique scan, and work beside it."""
    monkeypatch.chdir(tmp_path)
    scan = nib.load(write_scan(tmp_path / "t2.nii.gz"))
    data = np.zeros(scan.shape, np.uint8)
    for value, ijk in VOXELS.items():
        data[ijk] = value
    nib.save(nib.Nifti1Image(data, scan.affine, scan.header), tmp_path / "t2_discs.nii.gz")
    return tmp_path / "t2_discs.nii.gz"


def test_the_command_writes_a_table_and_the_files(labels, capsys):
    """Each row is the distance or the angle that the voxels have; the balls lie on the grid of the labels."""
    assert measure.main(["-i", labels.name, "-landmarks", "views"]) == 0
    rows = [line.split("\t") for line in (labels.parent / "t2_discs_measures.tsv").read_text().splitlines()]
    assert rows[0] == ["measure", "level", "value", "unit", "labels"]
    distance = np.linalg.norm(world(VOXELS[3]) - world(VOXELS[4]))
    assert rows[1] == ["disc_distance", "C2/C3 to C3/C4", f"{distance:.4g}", "mm", "t2_discs.nii.gz"]
    assert {row[0] for row in rows[1:]} == {"disc_distance", "disc_angle"}
    names = {path.name for path in (labels.parent / "views").iterdir()}
    assert names == {"t2_discs.mrk.json", "t2_discs_balls.nii.gz", "discs_itksnap.txt", "discs_fsleyes.lut"}
    balls = nib.load(labels.parent / "views" / "t2_discs_balls.nii.gz")
    assert np.allclose(balls.affine, oblique_affine(), atol=1e-5)
    assert "Wrote views/t2_discs_balls.nii.gz" in capsys.readouterr().out


def test_the_levels_of_a_cord_are_measured(labels):
    """A straight cord of 3 x 3 voxels: vertebra 4 is as long as its discs are apart, and as thick as it was drawn."""
    cord = np.zeros((30, 44, 9), np.uint8)
    cord[:, 24:27, 3:6] = 1
    nib.save(nib.Nifti1Image(cord, oblique_affine()), labels.parent / "cord.nii.gz")
    assert measure.main(["-i", labels.name, "-s", "cord.nii.gz", "-o", "new/out.tsv", "-v", "0"]) == 0
    lines = (labels.parent / "new" / "out.tsv").read_text().splitlines()[1:]
    rows = {tuple(line.split("\t")[:2]): float(line.split("\t")[2]) for line in lines}
    assert rows["cord_length", "C4"] == pytest.approx(5 * 3.0, abs=3.1)  # slices 9 to 14, of 3 mm
    assert rows["cord_area", "C4"] == pytest.approx(9 * 1.5 * 2.0, rel=0.21)
    assert rows["cord_highest_slice", "C4"] - rows["cord_lowest_slice", "C4"] == pytest.approx(4, abs=1)
    assert ("cord_length", "C3") in rows and ("cord_length", "C7") not in rows


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "t2_discs.nii.gz"], "a table is written as .tsv"),
        (["-o", "link.tsv"], "is an input and would be overwritten"),
        (["-o", "new.tsv", "-landmarks", "t2_discs.nii.gz"], "is a file, not a folder"),
        (["-o", "new.tsv", "-landmarks", "t2_discs.nii.gz/x"], "is not a folder"),
    ],
)
def test_nothing_is_lost_or_left_behind(labels, capsys, arguments, message):
    """An output that would replace an input, or cannot be written, is refused before anything is."""
    (labels.parent / "link.tsv").symlink_to(labels)
    before = {path.name: path.read_bytes() for path in labels.parent.iterdir()}
    assert measure.main(["-i", labels.name, *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert {path.name: path.read_bytes() for path in labels.parent.iterdir()} == before


@pytest.mark.parametrize("missing", [slice(0, 11), slice(17, 30), slice(10, 13)])
def test_a_level_that_the_cord_does_not_cover_is_not_measured(labels, capsys, missing):
    """Cut off within a level, or interrupted in it: its length would be wrong, and a warning says so."""
    cord = np.zeros((30, 44, 9), np.uint8)
    cord[:, 24:27, 3:6] = 1
    nib.save(nib.Nifti1Image(cord, oblique_affine()), labels.parent / "whole.nii.gz")
    cord[missing] = 0
    nib.save(nib.Nifti1Image(cord, oblique_affine()), labels.parent / "cut.nii.gz")
    measured = {}
    for name in ("whole", "cut"):
        assert measure.main(["-i", labels.name, "-s", f"{name}.nii.gz", "-o", f"{name}.tsv", "-v", "0"]) == 0
        lines = (labels.parent / f"{name}.tsv").read_text().splitlines()
        measured[name] = {line.split("\t")[1]: float(line.split("\t")[2]) for line in lines if "cord_length" in line}
        assert ("Warning: cut.nii.gz: " in capsys.readouterr().err) == (name == "cut")
    assert set(measured["cut"]) < set(measured["whole"])
    for level, mm in measured["cut"].items():
        assert mm == pytest.approx(measured["whole"][level], abs=3.1)


@pytest.mark.parametrize(("times", "unit", "refused"), [(1, "mm", False), (1, "micron", False), (0.1, "mm", True),
                                                        (1000, "micron", True), (0.001, "meter", True)])  # fmt: skip
def test_lengths_that_no_spine_has_are_not_measured(labels, capsys, times, unit, refused):
    """Labels in micrometres gave distances of 15,000 mm: the unit is said, and such distances are refused."""
    image = nib.load(labels)
    scaled = nib.Nifti1Image(np.asarray(image.dataobj), np.diag([times, times, times, 1]) @ image.affine)
    scaled.header.set_xyzt_units(unit)
    nib.save(scaled, "scaled.nii")
    assert measure.main(["-i", "scaled.nii", "-v", "0"]) == (1 if refused else 0)
    said = capsys.readouterr().err
    assert ("Warning: scaled.nii: the header gives its lengths in mi" in said) == (unit == "micron")
    assert ("mm apart, where an adult has about" in said) == refused
    assert (labels.parent / "scaled_measures.tsv").exists() == (not refused)
