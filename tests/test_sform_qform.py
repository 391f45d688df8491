"""What is said of a header whose two geometries contradict each other."""

import nibabel as nib
import numpy as np
import pytest

from deepspine_sct.cli import label
from deepspine_sct.image.sform_qform import geometry_warnings

AFFINE = np.array([[0.0, 0, -3, 9], [-1, 0, 0, 20], [0, 2, 0, -30], [0, 0, 0, 1]])
DATA = np.arange(60, dtype=np.int16).reshape(3, 4, 5)


def write(path, qform, codes=(1, 1)):
    """Write a file with `AFFINE` as sform and another qform."""
    image = nib.Nifti1Image(DATA, None)
    image.set_sform(AFFINE, codes[0])
    image.set_qform(qform, codes[1])
    nib.save(image, path)
    return path


def test_equal_geometries_and_a_single_one_are_silent(tmp_path):
    """Nothing is said where both tell the same, and where one has no code."""
    flipped = AFFINE @ np.diag([1, -1, 1, 1])
    for number, (qform, codes) in enumerate(
        [(AFFINE, (1, 1)), (AFFINE, (2, 1)), (AFFINE, (4, 1)), (flipped, (1, 0)), (flipped, (0, 1))]
    ):
        assert geometry_warnings(write(tmp_path / f"{number}.nii", qform, codes)) == []


def test_a_reversed_axis_is_named(tmp_path):
    """A qform that turns the image over is told with the axes of both."""
    (said,) = geometry_warnings(write(tmp_path / "a.nii.gz", AFFINE @ np.diag([1, -1, 1, 1])))
    assert "(sform PSL, qform PIL): SCT and this program use the sform" in said and "\n" not in said


@pytest.mark.parametrize(("shift_mm", "warned"), [(0.9, False), (1.1, True), (20.0, True)])
def test_a_shift_counts_from_half_a_voxel_on(tmp_path, shift_mm, warned):
    """Rounding is no contradiction; what moves a disc into another voxel of 2 mm is."""
    moved = AFFINE.copy()
    moved[2, 3] += shift_mm
    said = geometry_warnings(write(tmp_path / "a.nii", moved))
    assert bool(said) == warned and (not warned or f"(up to {shift_mm:.0f} mm apart)" in said[0])


@pytest.mark.parametrize("quaternion", [(2, 0, 0), (np.nan, 0, 0)])
def test_a_qform_that_is_no_rotation_is_passed_over(tmp_path, quaternion):
    """It says nothing that another program could follow, and raises nothing here."""
    path = write(tmp_path / "a.nii", AFFINE)
    content = bytearray(path.read_bytes())
    content[256:268] = np.array(quaternion, "<f4").tobytes()
    path.write_bytes(content)
    assert geometry_warnings(path) == []


def test_the_command_warns(tmp_path, capsys, monkeypatch):
    """The labels are written, and what contradicts them is said on stderr."""
    from fake_predictor import FakePredictor, known_discs, write_scan

    monkeypatch.setattr(label, "load_predictor", lambda args: FakePredictor(known_discs()))
    scan = tmp_path / "t2.nii.gz"
    write_scan(scan)
    image = nib.load(scan)
    image.set_qform(image.affine @ np.diag([-1, 1, 1, 1]), 1)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), None, image.header), scan)
    assert label.main(["-i", str(scan), "-c", "t2", "-ofolder", str(tmp_path / "out")]) == 0
    assert f"Warning: {scan}: the header holds two geometries" in capsys.readouterr().err
