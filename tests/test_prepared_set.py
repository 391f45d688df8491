"""The prepared set: what is in it is right, readable and repeatable, what is not has a reason."""

import json
import os
import shutil

import fake_sct
import numpy as np
import phantom
import pytest

from deepspine_sct.cli.prepare import main
from deepspine_sct.data.bids import find_scans
from deepspine_sct.data.preparation import prepare as prepare_set
from deepspine_sct.data.prepared_set import INDEX, read_set, slabs_file
from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.image.volume import Volume


def prepare(root, folder, *more: str) -> int:
    """Run the command."""
    return main(["-path-data", str(root), "-o", str(folder), *more])


@pytest.fixture
def data(tmp_path):
    """A BIDS data set of three subjects."""
    return phantom.write_bids(tmp_path / "data")


def label_path(data, subject="sub-aa01", contrast="T2w"):
    """Labels of one image."""
    name = f"{subject}_{contrast}_label-discs_dlabel.nii.gz"
    return data / "derivatives" / "labels" / subject / "anat" / name


def test_slabs_show_the_discs_where_the_points_are(data, tmp_path):
    """The brightest pixel around each disc is the one that its world position falls into."""
    assert prepare(data, tmp_path / "set") == 0
    made = read_set(tmp_path / "set")
    assert len(made.cases) == 6 and made.spacing_mm == 2.0
    for case in made.cases:
        slabs = case.load()
        assert slabs.grid.axcodes == ("L", "I", "P") and slabs.data.dtype == np.float32
        assert sorted(case.points) == [3, 4, 5, 6, 7]
        for xyz_mm in case.points.values():
            k, row, column = np.rint(slabs.grid.to_index(xyz_mm)).astype(int)
            window = slabs.data[k, row - 3 : row + 4, column - 3 : column + 4]
            assert np.unravel_index(window.argmax(), window.shape) == (3, 3)


def test_the_index_explains_itself(data, tmp_path):
    """Where things come from, how they were made and what the files hold is in set.json."""
    prepare(data, tmp_path / "set", "-split-by", "site", "-seed", "4", "-spacing", "1.5")
    index = json.loads((tmp_path / "set" / INDEX).read_text())
    assert "posterior tip" in index["about"] and index["spacing_mm"] == 1.5
    assert index["split"] == {"shares": [0.8, 0.1, 0.1], "by": "site", "seed": 4}
    case = index["cases"][0]
    assert case["image"] == "sub-aa01/anat/sub-aa01_T1w.nii.gz" and case["site"] == "aa"
    np.testing.assert_allclose(case["discs_xyz_mm"]["3"], phantom.discs()[3])
    with np.load(tmp_path / "set" / case["slabs"], allow_pickle=False) as arrays:
        assert sorted(arrays) == ["affine", "data"]


def test_no_subject_is_on_two_sides_and_contrasts_can_be_chosen(data, tmp_path):
    """Both images of a subject are in one part; -c t1 takes one of them."""
    prepare(data, tmp_path / "set")
    parts: dict[str, set[str]] = {}
    for case in read_set(tmp_path / "set").cases:
        parts.setdefault(case.subject, set()).add(case.part)
    assert all(len(part) == 1 for part in parts.values())
    assert {p for part in parts.values() for p in part} == {"train", "val", "test"}
    prepare(data, tmp_path / "t1", "-c", "t1")
    assert {case.contrast for case in read_set(tmp_path / "t1").cases} == {"T1w"}


def test_the_same_data_give_the_same_bytes(data, tmp_path):
    """Nothing in a set depends on when or where it was made."""
    for name in ("one", "two"):
        prepare(data, tmp_path / name)
    one, two = tmp_path / "one", tmp_path / "two"
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert len(files) == 7
    assert all((one / file).read_bytes() == (two / file).read_bytes() for file in files)


def _swap(points):
    return points | {4: points[5], 5: points[4]}


def _gap(points):
    return {value: point for value, point in points.items() if value != 5}


def _huddled(points):
    return {value: points[3] - [0, 0, 4.0 * (value - 3)] for value in points}


def _one(points):
    return {3: points[3]}


@pytest.mark.parametrize(
    ("change", "reason"),
    [(_swap, "two labels are swapped"), (_gap, "disc 5 is missing"), (_huddled, "mm apart"), (_one, "only 1 disc")],
)
def test_labels_that_cannot_be_are_left_out_with_the_reason(data, tmp_path, change, reason, capsys):
    """Out of order, with a gap, as no spine has them, and too few: the image is dropped, the others stay."""
    phantom.save(label_path(data), phantom.labels(change(phantom.discs())))
    assert prepare(data, tmp_path / "set") == 0
    (dropped,) = read_set(tmp_path / "set").description["dropped"]
    assert dropped["image"] == "sub-aa01/anat/sub-aa01_T2w.nii.gz" and reason in dropped["reason"]
    assert reason in capsys.readouterr().err


def test_a_disc_marked_twice_is_left_out_but_a_blob_is_one_mark(data, tmp_path):
    """Two places of one value contradict each other; touching voxels are one place."""
    marks = phantom.labels(phantom.discs())
    marks[3, 5, 5] = 4
    phantom.save(label_path(data), marks)
    blob = phantom.labels(phantom.discs())
    i, j, k = phantom.voxel(phantom.discs()[4])
    blob[i, j - 1 : j + 2, k] = 4
    phantom.save(label_path(data, contrast="T1w"), blob)
    prepare(data, tmp_path / "set")
    made = read_set(tmp_path / "set")
    assert ["2 places" in entry["reason"] for entry in made.description["dropped"]] == [True]
    case = next(case for case in made.cases if case.name == "sub-aa01_T1w")
    np.testing.assert_allclose(case.points[4], phantom.discs()[4])


def test_labels_of_another_image_are_left_out(data, tmp_path):
    """A disc outside of the image's grid: the labels belong to another scan."""
    points = phantom.discs()
    image = phantom.image(points)[:, :, :45]  # the upper end is cut off
    phantom.save(data / "sub-aa01" / "anat" / "sub-aa01_T2w.nii.gz", image)
    prepare(data, tmp_path / "set")
    (dropped,) = read_set(tmp_path / "set").description["dropped"]
    assert "disc 3 (C2/C3) lies outside of the image" in dropped["reason"]


def test_missing_labels_and_files_of_git_annex_are_left_out(data, tmp_path):
    """No labels names the options; a pointer, as link or as text, says git annex get."""
    label_path(data).unlink()
    link = label_path(data, contrast="T1w")
    link.unlink()
    link.symlink_to(".git/annex/objects/x")
    pointer = data / "sub-bb01" / "anat" / "sub-bb01_T1w.nii.gz"
    pointer.write_text("/annex/objects/SHA256E-s1--0.nii.gz\n")
    prepare(data, tmp_path / "set")
    reasons = [entry["reason"] for entry in read_set(tmp_path / "set").description["dropped"]]
    assert len(reasons) == 3 and "git annex get" in reasons[0] and "git annex get" in reasons[2]
    assert "no disc labels" in reasons[1] and "-label-suffix" in reasons[1]


def test_a_set_that_is_made_anew_is_no_set_until_it_is_finished(data, tmp_path, monkeypatch):
    """Stopped half-way, the old index does not describe the new slabs; a useless call keeps it."""
    prepare(data, tmp_path / "set")
    assert prepare(data, tmp_path / "set", "-label-suffix", "_nothing") == 1
    assert len(read_set(tmp_path / "set").cases) == 6

    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("deepspine_sct.data.preparation.write_index", stop)
    assert prepare(data, tmp_path / "set", "-spacing", "1.5") == 130
    with pytest.raises(DeepspineError, match="make the set"):
        read_set(tmp_path / "set")


def test_a_data_set_without_one_usable_image_is_an_error(data, tmp_path, capsys):
    """Exit 1 with the first reason, and no set."""
    assert prepare(data, tmp_path / "set", "-label-suffix", "_nothing") == 1
    assert "no image can be used" in capsys.readouterr().err
    with pytest.raises(DeepspineError, match="make the set with sct_deepspine_prepare"):
        read_set(tmp_path / "set")


def test_damaged_sets_are_named(data, tmp_path):
    """Another version, an incomplete case and a broken slab file are one line each."""
    prepare(data, tmp_path / "set")
    path = tmp_path / "set" / INDEX
    good = json.loads(path.read_text())
    path.write_text(json.dumps(good | {"version": 99}))
    with pytest.raises(DeepspineError, match="format 1"):
        read_set(tmp_path / "set")
    broken = dict(good["cases"][0])
    del broken["site"]
    path.write_text(json.dumps(good | {"cases": [broken]}))
    with pytest.raises(DeepspineError, match="incomplete"):
        read_set(tmp_path / "set")
    path.write_text("{")
    with pytest.raises(DeepspineError, match="cannot be read"):
        read_set(tmp_path / "set")
    path.write_text(json.dumps(good))
    case = read_set(tmp_path / "set").cases[0]
    (tmp_path / "set" / slabs_file(case.name)).write_bytes(b"PK nothing")
    with pytest.raises(DeepspineError, match="not a slab file"):
        case.load()


@pytest.mark.parametrize(
    "discs",
    [
        [],
        {"3": [0, 0, np.inf]},
        {"3": [0, 0, 0], "4": [0, 0, 17]},
        [[1, 2, 3]],
        {"30": [1, 2, 3]},
        {"3": [1, 2]},
        {"3": None},
        {"3": [0, 0, 9], "4": [0, 0, 8], "9": [0, 0, 7]},
    ],
)
def test_discs_that_are_none_are_refused_with_the_file_and_the_remedy(data, tmp_path, discs):
    """No disc, no place, the wrong order, a value that is none and impossible distances end in one line each."""
    prepare(data, tmp_path / "set")
    path = tmp_path / "set" / INDEX
    index = json.loads(path.read_text())
    index["cases"][0]["discs_xyz_mm"] = discs
    path.write_text(json.dumps(index))
    with pytest.raises(DeepspineError, match=r"set\.json: is incomplete or wrong .*; prepare the set again"):
        read_set(tmp_path / "set")


@pytest.mark.parametrize("changes", [{"data_set": 5}, {"part": "tain"}])
def test_an_index_that_was_edited_astray_is_refused(data, tmp_path, changes):
    """One line names it; a mark of bytes that an editor has put before it changes nothing."""
    prepare(data, tmp_path / "set")
    path = tmp_path / "set" / INDEX
    index = json.loads(path.read_text())
    path.write_text(json.dumps(index), encoding="utf-8-sig")
    assert len(read_set(tmp_path / "set").cases) == len(index["cases"])
    index["cases"][0] |= changes
    path.write_text(json.dumps(index | changes))
    with pytest.raises(DeepspineError, match=r"set\.json: is incomplete or wrong"):
        read_set(tmp_path / "set")


def test_straightened_images_are_cut_and_their_discs_go_with_them(data, tmp_path):
    """What the straightening returns is what is prepared; discs that it loses drop the image."""

    def shift(scan, points):
        volume = read_volume(scan.image)
        affine = volume.grid.affine + np.array([[0, 0, 0, 0], [0, 0, 0, 5], [0, 0, 0, -3], [0] * 4])
        moved = {value: xyz_mm + (0, 5, -3) for value, xyz_mm in points.items()}
        if scan.contrast == "T1w":
            del moved[5]
        return Volume(volume.data, Grid(volume.grid.shape, affine)), moved

    made = prepare_set(find_scans(data), tmp_path / "set", straighten=shift)
    assert made.description["straightened"] and {c.contrast for c in made.cases} == {"T2w"}
    assert all("disc 5 is missing" in entry["reason"] for entry in made.description["dropped"])
    case = made.cases[0]
    np.testing.assert_allclose(case.points[3], phantom.discs()[3] + (0, 5, -3))
    k, row, column = np.rint(case.load().grid.to_index(case.points[3])).astype(int)
    window = case.load().data[k, row - 3 : row + 4, column - 3 : column + 4]
    assert np.unravel_index(window.argmax(), window.shape) == (3, 3)


def test_a_set_finds_the_scans_that_it_was_cut_from(data, tmp_path):
    """Also when both have moved together; not a scan that is gone, nor one that was straightened first."""
    shutil.copytree(data, tmp_path / "old" / "data")
    assert prepare(tmp_path / "old" / "data", tmp_path / "old" / "made" / "set") == 0
    (tmp_path / "old").rename(tmp_path / "new")
    made = read_set(tmp_path / "new" / "made" / "set")
    for case in made.cases:
        assert made.original(case).resolve() == (tmp_path / "new" / "data" / case.path).resolve()
    (tmp_path / "new" / "data" / made.cases[0].path).unlink()
    assert made.original(made.cases[0]) is None and made.original(made.cases[1]) is not None
    made.description["straightened"] = True
    assert made.original(made.cases[1]) is None


def test_the_command_straightens_along_the_segmentation_by_the_labels(data, tmp_path, monkeypatch):
    """A stand-in for SCT slides every slice sideways: the discs go along, by millimetres."""
    fake_sct.install(tmp_path / "bin")
    monkeypatch.setenv("FAKE_SCT_CALLS", str(tmp_path / "calls.txt"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    for case in ("sub-aa01_T1w", "sub-aa01_T2w"):
        cord = label_path(data).with_name(f"{case}_seg.nii.gz")
        phantom.save(cord, phantom.labels(phantom.discs()))
    assert prepare(data, tmp_path / "set", "-straighten", "_seg") == 0
    made = read_set(tmp_path / "set")
    assert made.description["straightened"] and len(made.description["dropped"]) == 4
    assert "no such segmentation" in made.description["dropped"][0]["reason"]
    assert {case.subject for case in made.cases} == {"sub-aa01"}
    for value, xyz_mm in phantom.discs().items():
        moved = xyz_mm - (fake_sct.bend_mm(xyz_mm[2]), 0, 0)
        np.testing.assert_allclose(made.cases[0].points[value], moved, atol=0.2)


def test_straightening_without_sct_says_so(data, tmp_path, capsys, monkeypatch):
    """One line, exit 1, and no set."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SCT_DIR", raising=False)
    assert prepare(data, tmp_path / "set", "-straighten", "_seg") == 1
    assert "install the Spinal Cord Toolbox" in capsys.readouterr().err


@pytest.mark.parametrize("split", ["0.8,0.2", "a,b,c", "0.9,0.2,-0.1"])
def test_a_split_that_is_none_is_a_usage_error(tmp_path, split):
    """Exit 2, before anything is read."""
    with pytest.raises(SystemExit) as end:
        prepare(tmp_path, tmp_path / "set", "-split", split)
    assert end.value.code == 2
