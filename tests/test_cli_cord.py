"""The command with -s and -straighten: the labeled cord, and the detour through a straight image."""

import json

import fake_sct
import nibabel as nib
import numpy as np
import pytest
from fake_predictor import SHAPE, VOXELS, oblique_affine, write_scan

from deepspine_sct.cli import label


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    """Work in a folder that holds the scan and a segmentation of its cord on a finer grid."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SCT_DIR", raising=False)
    write_scan(tmp_path / "t2.nii.gz")
    affine = oblique_affine() @ np.diag([0.5, 1, 1, 1])
    cord = np.zeros((2 * SHAPE[0], *SHAPE[1:]), np.uint8)
    cord[3:57, 25:30, 3:6] = 1
    nib.save(nib.Nifti1Image(cord, affine), tmp_path / "t2_seg.nii")
    return tmp_path


def run(*arguments: str) -> int:
    """Run the command on the scan."""
    return label.main(["-i", "t2.nii.gz", "-c", "t2", *arguments])


def test_s_writes_the_labeled_cord_beside_the_label_file(in_folder, predictor, capsys):
    """Named after the segmentation and on its grid: every voxel of the cord, and a voxel a disc."""
    assert run("-s", "t2_seg.nii", "-ofolder", "new") == 0
    seg = nib.load("t2_seg.nii")
    levels, discs = (nib.load(f"new/t2_seg_labeled{end}.nii") for end in ("", "_discs"))
    for image in (levels, discs):
        assert image.get_data_dtype() == np.uint8 and image.shape == seg.shape
        assert np.allclose(image.affine, seg.affine, atol=1e-4)
    data = np.asarray(levels.dataobj)
    assert np.array_equal(data > 0, np.asarray(seg.dataobj) > 0)
    # The first axis runs downwards, two voxels of the segmentation to one of the scan.
    assert [int(data[2 * i, 27, 4]) for i in (2, 6, 11, 16, 21, 27)] == [2, 3, 4, 5, 6, 7]
    found = np.asarray(discs.dataobj)
    assert {int(found[tuple(ijk)]) for ijk in np.argwhere(found)} == set(VOXELS)
    assert "Wrote new/t2_seg_labeled.nii\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-s", "none.nii.gz"), "none.nii.gz"),
        (("-s", "t2.nii.gz", "-o", "d.nii"), "t2.nii.gz: is the image itself"),
        (("-s", "t2.nii.gz"), "t2.nii.gz: is the image itself"),
        (("-s", "t2_seg.nii", "-o", "t2_seg_labeled.nii"), "two outputs"),
        (("-straighten", "1"), "sct_deepseg: not found; install the Spinal Cord Toolbox"),
        (("-straighten", "1", "-s", "t2_seg.nii"), "sct_version: not found; install"),
    ],
)
def test_what_cannot_work_is_said_and_nothing_is_written(in_folder, predictor, capsys, arguments, message):
    """One line with the remedy, exit status 1, and no file but the inputs."""
    assert run(*arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert sorted(path.name for path in in_folder.iterdir()) == ["t2.nii.gz", "t2_seg.nii"]


def test_a_segmentation_beside_the_discs_is_named(in_folder, predictor, capsys):
    """It meets the image, but not the spine in it."""
    seg = nib.load("t2_seg.nii")
    affine = seg.affine.copy()
    affine[:3, 3] += 82 * affine[:3, 0] / np.linalg.norm(affine[:3, 0])
    nib.save(nib.Nifti1Image(np.asarray(seg.dataobj), affine), "far.nii")
    before = set(in_folder.rglob("*"))
    assert run("-s", "far.nii") == 1
    assert "far.nii: the segmented cord runs" in capsys.readouterr().err
    assert set(in_folder.rglob("*")) == before


def test_straighten_2_looks_twice_without_sct(in_folder, predictor):
    """The second look is at a reformation, and its discs come back to the scan."""
    images = []
    first = predictor.predict

    def predict(volume, **request):
        images.append(volume)
        return first(volume, **request)

    predictor.predict = predict
    assert run("-straighten", "2", "-o", "d.nii.gz") == 0
    scan, straight = images
    assert scan.grid.shape == SHAPE and straight.grid.axcodes == ("L", "I", "P")
    data = np.asarray(nib.load("d.nii.gz").dataobj)
    for value, ijk in VOXELS.items():
        (voxel,) = np.argwhere(data == value)
        # The fake predictor answers in the scan's world; the way back slides it along the bend only.
        assert voxel[:2].tolist() == list(ijk[:2]) and abs(voxel[2] - ijk[2]) <= 2


def test_a_slice_is_found_in_the_scan_and_its_disc_given_to_the_straight_image(in_folder, predictor):
    """Two looks, not three; the first one at all discs, as it is there for the shape of the spine."""
    assert run("-straighten", "2", "-initz", "20,4", "-discs", "3:5") == 0
    first, second = predictor.calls
    assert first["height"].value == 4 and first["pins"] is None and first["values"] is None
    assert second["height"] is None and set(second["pins"]) == {4} and second["values"] == (3, 4, 5)


@pytest.mark.parametrize(("given", "confidence"), [("20,4", 0.97), ("18,4", 0.485)])
def test_a_slice_between_two_discs_is_doubted_in_the_straight_image_too(
    in_folder, predictor, capsys, given, confidence
):
    """The disc that is taken for it lies on a disc of the straight image: only the slice shows the doubt."""
    assert run("-straighten", "2", "-initz", given, "-json", "r.json") == 0
    report = json.loads((in_folder / "r.json").read_text())
    assert {disc["confidence"] for disc in report["discs"]} == {confidence}
    doubted = "slice 18, which was given for C3/C4, lies about half way" in capsys.readouterr().err
    assert doubted == (given == "18,4")


def test_straighten_1_goes_through_sct_and_leaves_its_cache(in_folder, predictor, monkeypatch, capsys):
    """SCT is called once, its files stay for its next command, and temporary ones go, or stay with -r 0."""
    fake_sct.install(in_folder / "bin")
    monkeypatch.setenv("PATH", f"{in_folder / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("FAKE_SCT_CALLS", str(in_folder / "calls.txt"))
    monkeypatch.setenv("TMPDIR", str(in_folder / "tmp"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (in_folder / "tmp").mkdir()
    assert run("-straighten", "1", "-s", "t2_seg.nii", "-ofolder", "out") == 0
    assert list((in_folder / "tmp").iterdir()) == []
    assert (in_folder / "out" / "straightening.cache").exists()
    assert run("-straighten", "1", "-s", "t2_seg.nii", "-ofolder", "out", "-r", "0") == 0
    (kept,) = (in_folder / "tmp").iterdir()
    assert f"Temporary files are kept in {kept}" in capsys.readouterr().err
    calls = (in_folder / "calls.txt").read_text()
    assert calls.count("sct_straighten_spinalcord") == 1
