"""The command itself: what it writes and prints when all goes well."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from fake_predictor import (
    SPACE_CODE,
    VOXELS,
    FakePredictor,
    known_discs,
    oblique_affine,
    world,
    write_scan,
)

from deepspine_sct.cli import label
from deepspine_sct.labeling.discs import Disc


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    """Work in an empty folder that holds the scan alone, with no viewer on the PATH."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    write_scan(tmp_path / "t2.nii.gz")
    return tmp_path


def run(*arguments: str) -> int:
    """Run the command on the scan."""
    return label.main(["-i", "t2.nii.gz", "-c", "t2", *arguments])


def read_voxels(path) -> dict[int, tuple[int, ...]]:
    """List the voxels of a label file by value, with nibabel alone."""
    data = np.asarray(nib.load(path).dataobj)
    return {int(data[tuple(ijk)]): tuple(ijk.tolist()) for ijk in np.argwhere(data)}


def test_writes_one_voxel_a_disc_on_the_grid_of_the_image(in_folder, predictor):
    """Every disc comes back to its own voxel, in uint8, under SCT's name, in the current folder."""
    assert run() == 0
    assert sorted(path.name for path in in_folder.iterdir()) == [
        "t2.nii.gz",
        "t2_labeled_discs.json",
        "t2_labeled_discs.nii.gz",
    ]
    image = nib.load("t2_labeled_discs.nii.gz")
    assert image.get_data_dtype() == np.uint8
    assert image.shape == nib.load("t2.nii.gz").shape
    assert np.allclose(image.affine, oblique_affine(), atol=1e-5)
    assert np.allclose(image.get_qform(), image.get_sform(), atol=1e-4)
    assert image.header["sform_code"] == image.header["qform_code"] == SPACE_CODE
    assert read_voxels("t2_labeled_discs.nii.gz") == VOXELS


def test_o_names_the_file_and_ofolder_the_folder(in_folder, predictor):
    """-o is taken as it stands; -ofolder is made, and the name in it is the default one."""
    assert run("-o", "discs.nii") == 0
    assert run("-ofolder", "new/folder") == 0
    assert read_voxels("discs.nii") == VOXELS
    assert read_voxels("new/folder/t2_labeled_discs.nii.gz") == VOXELS
    assert not (in_folder / "t2_labeled_discs.nii.gz").exists()


def test_a_second_run_overwrites_without_asking(in_folder, predictor):
    """As SCT's commands do, and the second answer stands, not a mixture."""
    assert run() == 0
    predictor.labeling.discs[:] = predictor.labeling.discs[:2]
    assert run() == 0
    assert read_voxels("t2_labeled_discs.nii.gz") == {3: VOXELS[3], 4: VOXELS[4]}


def test_labels_that_a_person_has_corrected_are_not_replaced(in_folder, predictor, capsys):
    """As SCT's manual-correction notes it in their JSON file; under another name the scan is labelled."""
    assert run() == 0
    origin = json.loads(Path("t2_labeled_discs.json").read_text())
    origin["GeneratedBy"].append({"Name": "Manual", "Author": "A. Expert"})
    Path("t2_labeled_discs.json").write_text(json.dumps(origin))
    before = Path("t2_labeled_discs.nii.gz").read_bytes()
    predictor.labeling.discs[:] = predictor.labeling.discs[:2]
    assert run() == 1
    assert "holds labels that A. Expert has made or corrected (see t2_labeled_discs.json)" in capsys.readouterr().err
    assert Path("t2_labeled_discs.nii.gz").read_bytes() == before
    assert run("-o", "other.nii.gz") == 0


def test_prints_a_table_of_the_discs(in_folder, predictor, capsys):
    """A line a disc, from head to foot, with value, name, voxel, world mm and confidence."""
    run()
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["disc", "name", "voxel", "world", "RAS+", "[mm]", "confidence"]
    names = ("C2/C3", "C3/C4", "C4/C5", "C5/C6", "C6/C7")
    for line, (value, ijk), name in zip(lines[:5], VOXELS.items(), names, strict=True):
        words = line.split()
        assert words[:5] == [str(value), name, *(str(i) for i in ijk)]
        assert np.allclose([float(word) for word in words[5:8]], world(ijk), atol=0.051)
        assert words[8:] == ["0.97"]
    assert lines[5] == "Confidence of the level assignment: 0.93"
    assert lines[6:] == ["Wrote t2_labeled_discs.nii.gz", "Wrote t2_labeled_discs.json"]


def test_report_holds_the_run(in_folder, predictor):
    """-json writes strict JSON with every disc, the confidences, versions, checksum and seconds."""
    assert run("-json", "t2.json", "-thr", "0.3", "-discs", "3:7,9") == 0
    text = (in_folder / "t2.json").read_text()
    report = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert [disc["value"] for disc in report["discs"]] == [3, 4, 5, 6, 7]
    for disc in report["discs"]:
        assert tuple(disc["voxel"]) == VOXELS[disc["value"]]
        assert np.allclose(disc["world_mm"], world(disc["voxel"]), atol=1e-3)
        assert disc["confidence"] == 0.97
    assert report["discs"][0]["name"] == "C2/C3"
    assert report["level_confidence"] == 0.93
    assert report["level_margin"] is None  # infinite
    assert report["model"] == {"file": "installed", "sha256": predictor.checksum}
    assert {"deepspine_sct", "python", "numpy", "nibabel", "torch"} <= set(report["versions"])
    assert {"read", "load", "network", "write"} == set(report["seconds"])
    assert report["inputs"]["values"] == [3, 4, 5, 6, 7, 9]
    assert report["outputs"] == {
        "discs": "t2_labeled_discs.nii.gz",
        "discs_sidecar": "t2_labeled_discs.json",
        "json": "t2.json",
    }


def test_requests_reach_the_predictor(in_folder, predictor):
    """-thr and -discs are handed on, and without them the model decides."""
    run()
    run("-thr", "0.25", "-discs", "3:5,8")
    free, asked = predictor.calls
    assert set(free.values()) == {None}
    assert asked == free | {"threshold": 0.25, "values": (3, 4, 5, 8)}


def test_warnings_go_to_stderr_whatever_the_verbosity(in_folder, monkeypatch, capsys):
    """Gaps, doubtful discs, discs outside of the image and untested contrasts are all named."""
    discs = [
        *known_discs(),
        Disc(8, world((29, 22, 3)), 0.21),
        Disc(9, world((40, 22, 3)), 0.9),
    ]
    fake = FakePredictor(discs, warnings=("the disc between C2/C3 and C4/C5 is missing",))
    monkeypatch.setattr(label, "load_predictor", lambda args: fake)
    assert label.main(["-i", "t2.nii.gz", "-c", "t2s", "-v", "0", "-json", "r.json"]) == 0
    streams = capsys.readouterr()
    assert streams.out == ""
    lines = streams.err.splitlines()
    assert lines[0] == "Warning: t2.nii.gz: the disc between C2/C3 and C4/C5 is missing"
    assert lines[1] == "Warning: t2.nii.gz: outside of the image and not written: 9 (T1/T2)"
    assert lines[2] == "Warning: t2.nii.gz: low confidence, check by eye: 8 (C7/T1, 0.21)"
    assert lines[3].startswith("Warning: t2.nii.gz: the network was tested on t1 and t2 images, not on t2s")
    assert len(lines) == 4
    report = json.loads((in_folder / "r.json").read_text())
    assert [f"Warning: t2.nii.gz: {warning['text']}" for warning in report["warnings"]] == lines
    assert [disc["value"] for disc in report["discs"]] == [3, 4, 5, 6, 7, 8]


def test_verbosity_2_tells_what_made_the_result(in_folder, predictor, capsys):
    """The model's checksum, the versions and the seconds of every stage are printed."""
    run("-v", "2")
    out = capsys.readouterr().out
    assert predictor.checksum in out
    assert "network 0.25" in out
    assert f"nibabel {nib.__version__}" in out


def test_names_the_viewer_where_there_is_one(in_folder, predictor, capsys):
    """With fsleyes on the PATH the command that shows the labels is printed, safe to paste."""
    viewer = in_folder / "fsleyes"
    viewer.touch(mode=0o755)
    run("-o", "my discs.nii.gz")
    command = capsys.readouterr().out.splitlines()[-1]
    assert command == ("fsleyes t2.nii.gz -cm greyscale 'my discs.nii.gz' -cm subcortical -a 70 &")


def test_a_disc_that_was_given_has_no_other_name(in_folder, predictor):
    """Where the names may be shifted, every disc is said to be possibly another one but the one that the user named."""
    predictor.labeling = replace(predictor.labeling, level_confidence=0.6, shifts={0: 0.6, 1: 0.4})
    assert run("-initz", f"{9},4", "-json", "r.json") == 0
    possible = {disc["value"]: disc["possible_names"] for disc in json.loads(Path("r.json").read_text())["discs"]}
    assert possible[4] == ["C3/C4"] and possible[5] == ["C4/C5", "C5/C6"]


def test_discs_changes_no_level_of_the_cord(in_folder, predictor):
    """The levels that are written beside two discs are those that are written beside all of them."""
    cord = np.zeros((30, 44, 9), np.uint8)
    cord[:, 24:27, 3:6] = 1
    nib.save(nib.Nifti1Image(cord, oblique_affine()), "seg.nii.gz")
    assert run("-s", "seg.nii.gz") == 0
    expected = np.asarray(nib.load("seg_labeled.nii.gz").dataobj)
    values = sorted(VOXELS)
    assert run("-s", "seg.nii.gz", "-discs", f"{values[0]},{values[-1]}", "-o", "two.nii.gz") == 0
    assert sorted(read_voxels("two.nii.gz")) == [values[0], values[-1]]
    assert len(np.unique(expected)) > 3
    assert np.array_equal(np.asarray(nib.load("seg_labeled.nii.gz").dataobj), expected)


def test_initlabel_pins_discs_in_the_world(in_folder, predictor):
    """A label on another grid than the image's pins the disc at its place in the world."""
    data = np.zeros((50, 40, 60), np.float64)
    affine = np.diag([-2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = world(VOXELS[5]) - affine[:3, :3] @ (20, 10, 30)
    data[20, 10, 30] = 5.0000457
    nib.save(nib.Nifti1Image(data, affine), "start.nii.gz")
    assert run("-initlabel", "start.nii.gz") == 0
    (call,) = predictor.calls
    assert set(call["pins"]) == {5}
    assert np.allclose(call["pins"][5], world(VOXELS[5]), atol=1e-3)


def test_initz_gives_a_slice_and_asks_once(in_folder, predictor):
    """Slices count from the lowest one: the first axis of this scan runs downwards, so 29 - i."""
    assert run("-initz", "18,4") == 0
    (call,) = predictor.calls
    assert call["pins"] is None and call["height"].value == 4
    # Three slices above it, wherever in the slice.
    away_mm = call["height"].away_mm(np.array([world((11, 3, 2)), world((8, 40, 7))]))
    assert np.allclose(away_mm, [0, 9], atol=1e-6)


def test_overlay_and_page_are_written(in_folder, predictor):
    """-overlay writes a PNG; -qc adds the scan to our page and to SCT's, under the given names."""
    assert run("-overlay", "t2.png", "-qc", "qc", "-qc-subject", "sub-7", "-qc-dataset", "a<b") == 0
    assert (in_folder / "t2.png").read_bytes().startswith(b"\x89PNG")
    assert "sub-7" in (in_folder / "qc" / "deepspine.html").read_text(encoding="utf-8")
    (entry,) = (in_folder / "qc" / "_json").glob("*.json")
    entry = json.loads(entry.read_text())
    assert (entry["dataset"], entry["subject"], entry["contrast"]) == ("a<b", "sub-7", in_folder.name)
    assert entry["cmdline"].startswith("sct_deepspine_label -i t2.nii.gz -c t2 -overlay t2.png -qc qc")
    (pictures,) = (path for path in (in_folder / "qc" / "deepspine").iterdir() if path.is_dir())
    names = sorted(path.name for path in pictures.iterdir())
    assert names == ["attention.png", "heatmaps.png", "slice.png", "thumb.jpg"]
    for layer in ("backgroundImage", "overlayImage"):
        assert (in_folder / "qc" / entry[layer]).read_bytes().startswith(b"\x89PNG")
    assert entry["overlayImage"].startswith("a-b/sub-7/")
    assert not list(in_folder.glob(".*"))


def test_a_scan_that_takes_the_place_of_another_on_the_page_is_warned_of(in_folder, predictor, capsys):
    """Two data sets whose folders have one name; not where the same scan comes again, or the data sets are named."""
    first, second = (in_folder / place / "bids" / "sub-1" / "anat" / "sub-1_T2w.nii.gz" for place in ("s1", "s2"))
    for image in (first, second):
        image.parent.mkdir(parents=True)
        write_scan(image)
    (in_folder / "linked").symlink_to(first.parents[2])
    again = in_folder / "linked" / "sub-1" / "anat" / first.name

    def entries_after(image: Path, *options: str) -> int:
        assert label.main(["-i", str(image), "-c", "t2", "-qc", "qc", "-ofolder", image.parts[-5], *options]) == 0
        return len(list((in_folder / "qc" / "deepspine").glob("*.json")))

    assert entries_after(first) == entries_after(first) == entries_after(again, "-qc-dataset", "bids") == 1
    assert entries_after(second, "-qc-dataset", "other") == 2
    assert not capsys.readouterr().err
    assert entries_after(second) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Warning: {second}: takes the place of {again} on the page")
    assert "with -qc-dataset" in line


def test_the_page_dates_labels_as_their_sidecar_does(in_folder, predictor, monkeypatch):
    """In the same words, in UTC, and by SOURCE_DATE_EPOCH where it is set."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert run("-qc", "qc") == 0
    (entry,) = (in_folder / "qc" / "deepspine").glob("*.json")
    (maker,) = json.loads((in_folder / "t2_labeled_discs.json").read_text())["GeneratedBy"]
    assert json.loads(entry.read_text())["made"]["date"] == maker["Date"] == "2023-11-14T22:13:20Z"
