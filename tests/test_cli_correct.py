"""`sct_deepspine_correct` refuses what is no correction, and says which scan it could not write."""

import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest
from fake_predictor import SHAPE, VOXELS, oblique_affine, world, write_scan

from deepspine_sct.cli import correct, label
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.labels import read_labels


def saved_scan(image: Path, points, **changes) -> dict:
    """Make what the page saves of one scan."""
    grid = Grid(SHAPE, oblique_affine()).reoriented(("L", "I", "P"))
    return {
        "key": "k", "image": str(image), "dataset": "", "subject": "", "session": "", "contrast": "t2", "mark": "",
        "comment": "", "corrected": True, "made": {"model": "ab" * 32},
        "grid": {"shape": list(grid.shape), "affine": grid.affine[:3].round(6).tolist()},
        "discs": [{"value": v, "world_mm": list(map(float, xyz)), "by": "hand"} for v, xyz in points.items()],
    } | changes  # fmt: skip


def save(folder: Path, *scans: dict, **changes) -> Path:
    """Write a file as the page does."""
    content = {
        "format": "deepspine_sct corrections", "version": 1, "program": "", "saved": "2026-01-02T03:04:05Z",
        "rater": "R", "scans": list(scans),
    } | changes  # fmt: skip
    path = folder / "corrections.json"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def points() -> dict:
    """Give the discs of the oblique scan."""
    return {value: world(ijk) for value, ijk in VOXELS.items()}


def run(path: Path, *arguments: str) -> int:
    """Run the command into a folder beside the file."""
    return correct.main(["-i", str(path), "-ofolder", str(path.parent / "out"), *arguments])


def test_passed_scans_are_written_on_request_only(tmp_path, points, capsys):
    """A scan with a comment alone is never written."""
    images = [write_scan(tmp_path / f"{name}.nii.gz") for name in "abc"]
    path = save(
        tmp_path,
        saved_scan(images[0], points),
        saved_scan(images[1], points, corrected=False, mark="pass"),
        saved_scan(images[2], {}, corrected=False, mark="fail", comment="moved", discs=None),
    )
    assert run(path) == 0
    assert "1 label file written; 2 other scans of the file have only" in capsys.readouterr().out
    assert {file.name for file in (tmp_path / "out").glob("*.nii.gz")} == {"a_labeled_discs.nii.gz"}
    assert run(path, "-passed", "1") == 0
    sidecar = json.loads((tmp_path / "out" / "b_labeled_discs.json").read_text())
    assert "left as they were" in sidecar["GeneratedBy"][1]["Description"]


def test_a_data_set_that_was_moved_is_found_with_path_data(tmp_path, points, capsys):
    """Below the new folder a BIDS scan lies as before; without the option the error names the old place."""
    old = tmp_path / "old" / "sub-1" / "anat" / "sub-1_T2w.nii.gz"
    new = tmp_path / "new" / "sub-1" / "anat" / "sub-1_T2w.nii.gz"
    new.parent.mkdir(parents=True)
    write_scan(new)
    path = save(tmp_path, saved_scan(old, points))
    assert run(path) == 1
    errors = capsys.readouterr().err
    assert f"failed: {old}: no such image; say with -path-data" in errors
    assert run(path, "-path-data", str(tmp_path / "new")) == 0
    labels = tmp_path / "out" / "sub-1" / "anat" / "sub-1_T2w_label-discs_dlabel.nii.gz"
    for value, xyz in read_labels(labels).items():
        assert np.allclose(xyz, points[value], atol=1e-3)


def test_labels_of_an_expert_are_replaced_on_request_only(tmp_path, points, capsys):
    """A file without the page's JSON file beside it stays as it is; one that the page made is replaced by the next."""
    path = save(tmp_path, saved_scan(write_scan(tmp_path / "a.nii.gz"), points))
    expert = tmp_path / "out" / "a_labeled_discs.nii.gz"
    expert.parent.mkdir()
    expert.write_bytes(b"of an expert")
    assert run(path) == 1 and expert.read_bytes() == b"of an expert"
    assert "-overwrite 1" in capsys.readouterr().err
    for arguments in (("-overwrite", "1"), ()):
        assert run(path, *arguments) == 0
        assert sorted(read_labels(expert)) == sorted(points)


def add_maker(label: Path, maker: object) -> None:
    """Say in the JSON file beside a label file who edited it, as SCT's manual-correction does."""
    sidecar = label.with_name(label.name.replace(".nii.gz", ".json"))
    content = json.loads(sidecar.read_text())
    content["GeneratedBy"].append(maker)
    sidecar.write_text(json.dumps(content))


@pytest.mark.parametrize("maker", [{"Name": "Manual", "Author": "Dr Expert"}, {"Author": "Dr Expert"}, "Dr Expert"])
def test_labels_of_the_page_that_an_expert_has_edited_since_are_the_experts(tmp_path, points, capsys, maker):
    """The last maker decides: they are replaced on request only, and are then the page's again."""
    path = save(tmp_path, saved_scan(write_scan(tmp_path / "a.nii.gz"), points))
    assert run(path) == 0
    labels = tmp_path / "out" / "a_labeled_discs.nii.gz"
    labels.write_bytes(b"edited")
    add_maker(labels, maker)
    assert run(path) == 1 and labels.read_bytes() == b"edited"
    assert "were edited since; give another -ofolder" in capsys.readouterr().err
    for arguments in (("-overwrite", "1"), ()):
        assert run(path, *arguments) == 0
        assert sorted(read_labels(labels)) == sorted(points)


def test_a_scan_without_a_disc_left_loses_the_label_file_of_an_earlier_call(tmp_path, points, capsys):
    """Else a training would use it; the file of an expert goes on request only, and what is not there is no fault."""
    image = write_scan(tmp_path / "a.nii.gz")
    labels = tmp_path / "out" / "a_labeled_discs.nii.gz"
    for is_edited in (False, True):
        assert run(save(tmp_path, saved_scan(image, points))) == 0
        emptied = save(tmp_path, saved_scan(image, {}, discs=[]))
        if is_edited:
            add_maker(labels, {"Name": "Manual", "Author": "Dr Expert"})
            assert run(emptied) == 1 and labels.exists()
            assert "replace or remove them with -overwrite 1" in capsys.readouterr().err
        for _ in range(2):
            assert run(emptied, "-overwrite", str(int(is_edited))) == 0
            assert list((tmp_path / "out").iterdir()) == [labels.with_name("a_labeled_discs.json")]
        said = capsys.readouterr().out
        assert f"Removed {labels}, as no disc" in said and "or no disc left (1)" in said


def test_a_scan_that_a_person_has_emptied_is_labelled_there_on_request_only(tmp_path, points, capsys):
    """Whether or not it had labels: the JSON file names the person, label refuses, and new corrections are written."""
    image = write_scan(tmp_path / "a.nii.gz")
    labels, told = (tmp_path / "out" / f"a_labeled_discs.{ending}" for ending in ("nii.gz", "json"))
    assert run(save(tmp_path, saved_scan(image, {}, discs=[]))) == 0
    assert f"Wrote {told}, which says that no disc is left" in capsys.readouterr().out
    content = json.loads(told.read_text())
    assert content["NoDiscLeft"] is True and content["Sources"] == ["a.nii.gz"]
    assert content["GeneratedBy"][-1]["Author"] == "R" and "all removed" in content["GeneratedBy"][-1]["Description"]
    assert label.main(["-i", str(image), "-c", "t2", "-ofolder", str(labels.parent)]) == 1
    assert f"is not there because R has removed all discs (see {told})" in capsys.readouterr().err
    assert not labels.exists()
    assert run(save(tmp_path, saved_scan(image, points))) == 0
    assert sorted(read_labels(labels)) == sorted(points) and "NoDiscLeft" not in told.read_text()


@pytest.mark.parametrize("first", ["corrected", "emptied"])
def test_an_emptied_scan_leaves_alone_what_is_known_of_another_of_its_name(tmp_path, points, capsys, first):
    """Two visits may have files of one name and grid: labels, or that there are none, stay those of the first."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    images = [write_scan(tmp_path / folder / "t2.nii.gz") for folder in ("a", "b")]
    kept = saved_scan(images[0], points) if first == "corrected" else saved_scan(images[0], {}, discs=[])
    assert run(save(tmp_path, kept)) == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    second = [saved_scan(images[1], {}, discs=[]), saved_scan(images[1], points)]
    for scan in second:
        assert run(save(tmp_path, scan)) == 1
        assert "is the label file of another t2.nii.gz, in another folder" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert run(save(tmp_path, second[0]), "-overwrite", "1") == 0 and len(list((tmp_path / "out").iterdir())) == 1


def test_labels_of_the_page_that_were_edited_in_a_viewer_stay(tmp_path, points, capsys):
    """The viewer leaves the JSON file as it is; they are replaced on request."""
    path = save(tmp_path, saved_scan(write_scan(tmp_path / "a.nii.gz"), points))
    assert run(path) == 0
    labels = tmp_path / "out" / "a_labeled_discs.nii.gz"
    made = labels.read_bytes()
    labels.write_bytes(gzip.compress(b"edited"))
    assert run(path) == 1 and gzip.decompress(labels.read_bytes()) == b"edited"
    assert "were edited since; give another -ofolder" in capsys.readouterr().err
    assert run(path, "-overwrite", "1") == 0 and labels.read_bytes() == made
    assert run(path) == 0


def test_an_emptied_scan_that_was_moved_is_known_by_its_new_place(tmp_path, points):
    """With -path-data, as its labels are: each call takes the file of the one before for its own."""
    (tmp_path / "moved").mkdir()
    write_scan(tmp_path / "moved" / "a.nii.gz")
    seen, places = tmp_path / "a.nii.gz", []
    for scan in (saved_scan(seen, points), saved_scan(seen, {}, discs=[]), saved_scan(seen, points)):
        assert run(save(tmp_path, scan), "-path-data", str(tmp_path / "moved")) == 0
        places.append(json.loads((tmp_path / "out" / "a_labeled_discs.json").read_text())["SourcePathChecksum"])
    assert len(set(places)) == 1


def test_labels_beside_those_of_another_ending_are_refused(tmp_path, points, capsys):
    """An expert has unpacked theirs: neither corrections nor an emptied scan take the JSON file from them."""
    image = write_scan(tmp_path / "a.nii.gz")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a_labeled_discs.nii").write_bytes(b"of an expert")
    for scan in (saved_scan(image, points), saved_scan(image, {}, discs=[])):
        assert run(save(tmp_path, scan)) == 1
        assert "would share its JSON file a_labeled_discs.json with a_labeled_discs.nii" in capsys.readouterr().err
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["a_labeled_discs.nii"]


BESIDE = ("discs_report.json", "discs_measures.tsv", "vertebrae_dseg.nii.gz", "vertebrae_dseg.json")


LEVELS_MAKERS = {
    "deepspine_sct": {"Name": "deepspine_sct"},
    "SCT": {"Name": "SCT"},
    "Dr Expert": {"Name": "deepspine_sct", "Author": "Dr Expert"},
    "nobody knows whom": None,
}


@pytest.mark.parametrize("levels_of", LEVELS_MAKERS)
@pytest.mark.parametrize("left", ["all", "none"])
def test_what_was_made_from_other_labels_goes_with_them(tmp_path, points, capsys, left, levels_of):
    """Report, measures and levels of a cord go once and are named, unless the labels stay or others made the levels."""
    image = tmp_path / "sub-1" / "anat" / "sub-1_T2w.nii.gz"
    image.parent.mkdir(parents=True)
    write_scan(image)
    folder = tmp_path / "out" / "sub-1" / "anat"
    assert run(save(tmp_path, saved_scan(image, points))) == 0

    def put_beside() -> list[Path]:
        paths = [folder / f"sub-1_T2w_label-{name}" for name in BESIDE]
        for path in paths:
            path.write_text(json.dumps({"GeneratedBy": [LEVELS_MAKERS[levels_of]]}))
        if LEVELS_MAKERS[levels_of] is None:
            paths.pop().unlink()
        return paths

    put_beside()
    assert run(save(tmp_path, saved_scan(image, points))) == 0
    assert "Removed" not in capsys.readouterr().out and all(path.exists() for path in put_beside())
    changed = points | {7: points[7] - [0, 0, 6.0]} if left == "all" else {}
    for n_removed in (4 if levels_of == "deepspine_sct" else 2, 0):
        assert run(save(tmp_path, saved_scan(image, changed))) == 0
        streams = capsys.readouterr()
        named = [name for name in BESIDE if f"Removed {folder}/sub-1_T2w_label-{name}, as" in streams.out]
        assert named == list(BESIDE[:n_removed])
        assert not n_removed or ("vertebrae_dseg.nii.gz: stays" in streams.err) == (levels_of != "deepspine_sct")
    assert (folder / f"sub-1_T2w_label-{BESIDE[2]}").exists() == (levels_of != "deepspine_sct")
    assert (folder / f"sub-1_T2w_label-{BESIDE[3]}").exists() == (levels_of in ("SCT", "Dr Expert"))


def test_one_bad_scan_does_not_stop_the_others(tmp_path, points, capsys):
    """Exit status 1, the bad one named, the good one written."""
    good = write_scan(tmp_path / "good.nii.gz")
    outside = points | {3: np.array([900.0, 0, 0])}
    path = save(tmp_path, saved_scan(write_scan(tmp_path / "bad.nii.gz"), outside), saved_scan(good, points), rater="")
    assert run(path) == 1
    streams = capsys.readouterr()
    assert "C2/C3 lies outside of the image" in streams.err and "1 of 2 label files" in streams.err
    assert [file.name for file in (tmp_path / "out").glob("*.nii.gz")] == ["good_labeled_discs.nii.gz"]


@pytest.mark.parametrize("change", ["shape", "affine"])
def test_another_image_in_the_place_of_the_old_one_is_refused(tmp_path, points, capsys, change):
    """World millimetres of one image mean nothing in another one of the same name."""
    scan = saved_scan(write_scan(tmp_path / "t2.nii.gz"), points)
    if change == "shape":
        scan["grid"]["shape"][1] += 1
    else:
        scan["grid"]["affine"][2][3] += 0.5
    assert run(save(tmp_path, scan)) == 1
    assert "is not the image that the page showed" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_two_scans_of_one_name_are_refused_before_anything_is_written(tmp_path, points, capsys):
    """Else the labels of one would replace those of the other."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    images = [write_scan(tmp_path / folder / "t2.nii.gz") for folder in ("a", "b")]
    assert run(save(tmp_path, *(saved_scan(image, points) for image in images))) == 1
    assert "would hold the labels of" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


DISC = {"value": 3, "name": "", "world_mm": [0, 0, 0], "by": "hand"}


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 2},
        {"format": "other"},
        {"scans": 3},
        {"scans": [{"image": "x"}]},
        {"rater": None, "scans": [None]},
    ],
)
def test_a_file_of_another_kind_is_one_line(tmp_path, capsys, changes):
    """Exit status 1; the message names the file and the remedy."""
    assert run(save(tmp_path, **changes)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "corrections.json: holds no corrections" in line and "save them on the page again" in line


@pytest.mark.parametrize(
    "disc",
    [DISC | {"value": 26}, DISC | {"world_mm": [0, 0]}, DISC | {"world_mm": [0, 0, float("nan")]}, {"value": 3}],
)
def test_a_disc_that_cannot_be_is_refused(tmp_path, capsys, disc):
    """Nothing is written."""
    image = write_scan(tmp_path / "t2.nii.gz")
    assert run(save(tmp_path, saved_scan(image, {}, discs=[disc]))) == 1
    assert "holds no corrections" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"discs": None}, {"discs": {}}, {"discs": ""}, {"corrected": "false"}, {"image": None}, {"image": ""},
        {"image": "/x/a\0.nii"}, {"discs": [DISC | {"world_mm": "123"}]},
    ],
)  # fmt: skip
def test_what_the_page_never_saves_is_refused(tmp_path, points, capsys, changes):
    """Above all a corrected scan without a list of discs: it would lose its label file as one that was emptied."""
    image = write_scan(tmp_path / "t2.nii.gz")
    assert run(save(tmp_path, saved_scan(image, points))) == 0
    capsys.readouterr()
    assert run(save(tmp_path, saved_scan(image, points) | changes)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "corrections.json: holds no corrections" in line
    assert sorted(read_labels(tmp_path / "out" / "t2_labeled_discs.nii.gz")) == sorted(points)


def test_what_failed_is_one_line_and_stops_no_other_scan(tmp_path, points, capsys):
    """A line break in a name of a file, and a folder that may not be made."""
    good, bad = write_scan(tmp_path / "good.nii.gz"), tmp_path / "sub-1" / "anat" / "sub-1_T2w.nii.gz"
    bad.parent.mkdir(parents=True)
    write_scan(bad)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub-1").touch()
    scans = [saved_scan(image, points) for image in (Path("/x/a\nb.nii.gz"), bad, good)]
    assert run(save(tmp_path, *scans)) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and lines[0].startswith("failed: /x/a b.nii.gz: no such image")
    assert str(tmp_path / "out" / "sub-1") in lines[1] and "2 of 3 label files" in lines[2]
    assert (tmp_path / "out" / "good_labeled_discs.nii.gz").exists()


def test_a_grid_that_cannot_be_is_refused(tmp_path, capsys):
    """In one line, also where a number has no end."""
    image = write_scan(tmp_path / "t2.nii.gz")
    grid = {"shape": [float("inf"), 30, 44], "affine": np.eye(4)[:3].tolist()}
    assert run(save(tmp_path, saved_scan(image, {}, grid=grid))) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "holds no corrections" in line


def test_a_disc_twice_is_refused(tmp_path, capsys):
    """One voxel per value is what every reader expects."""
    image = write_scan(tmp_path / "t2.nii.gz")
    assert run(save(tmp_path, saved_scan(image, {}, discs=[DISC, DISC]))) == 1
    assert "given twice" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_a_file_that_is_no_json_is_one_line(tmp_path, capsys, content):
    """As where the download broke off, or an editor went astray."""
    path = tmp_path / "corrections.json"
    path.write_bytes(content)
    assert run(path) == 1
    assert "cannot be read as JSON" in capsys.readouterr().err


def test_no_name_leads_out_of_the_folder(tmp_path, points):
    """The name of an image decides on the name of its label file, and on nothing above the folder."""
    image = write_scan(tmp_path / "t2.nii.gz")
    path = save(tmp_path, saved_scan(Path(f"{image.parent}/x/../t2.nii.gz"), points))
    (tmp_path / "x").mkdir()
    assert run(path) == 0
    assert [file.name for file in (tmp_path / "out").iterdir() if file.suffix == ".gz"] == ["t2_labeled_discs.nii.gz"]


@pytest.mark.parametrize("folder", ["data/sub-01/../..", "data/../data/sub-01/anat"])
def test_no_name_leads_out_of_the_output_folder(tmp_path, points, folder):
    """Whatever the file says of where the image is."""
    place = tmp_path / folder
    (tmp_path / "data" / "sub-01" / "anat").mkdir(parents=True)
    write_scan(place / "sub-01_T2w.nii.gz")
    assert run(save(tmp_path, saved_scan(place / "sub-01_T2w.nii.gz", points))) == 0
    written = [path for path in tmp_path.rglob("*_label*") if path.suffix == ".gz"]
    assert written and all(path.is_relative_to(tmp_path / "out") for path in written)


def test_discs_that_no_spine_has_are_refused(tmp_path, points, capsys):
    """Swapped values, a value between two, a name that is none, and a neck within 12 mm: no label file is written."""
    image = write_scan(tmp_path / "t2.nii.gz")
    values = sorted(points)
    swapped = points | {values[0]: points[values[1]], values[1]: points[values[0]]}
    half = saved_scan(image, points)
    half["discs"][0]["value"] = values[0] + 0.5
    for scan in (half, saved_scan(Path("/x/\ud800.nii.gz"), points)):
        assert run(save(tmp_path, scan)) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "corrections.json: holds no corrections of this program's page" in line
    assert run(save(tmp_path, saved_scan(image, swapped))) == 1
    assert f"failed: {image}: disc {values[1]} lies above disc {values[0]}" in capsys.readouterr().err
    huddled = {value: points[3] - [0, 0, 3.0 * (value - 3)] for value in points}
    assert run(save(tmp_path, saved_scan(image, huddled))) == 1
    assert f"failed: {image}: discs 3 (C2/C3) and 4 (C3/C4) lie 3 mm apart" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_image_itself_is_never_replaced(tmp_path, points, capsys):
    """Not even through a link that has the name of the label file."""
    image = write_scan(tmp_path / "t2.nii.gz")
    before = image.read_bytes()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "t2_labeled_discs.nii.gz").symlink_to(image)
    assert run(save(tmp_path, saved_scan(image, points)), "-overwrite", "1") == 1
    assert "is an input and would be overwritten" in capsys.readouterr().err
    assert image.read_bytes() == before


@pytest.mark.parametrize("left", ["all", "none"])
@pytest.mark.parametrize("kind", ["folder", "device", "pipe"])
def test_no_label_file_changes_whose_json_file_cannot_be_written(tmp_path, points, capsys, kind, left):
    """Labels without their maker would count as an expert's; a device or a pipe is not waited for, either."""
    scan = saved_scan(write_scan(tmp_path / "t2.nii.gz"), points)
    assert run(save(tmp_path, scan)) == 0
    labels, told = (tmp_path / "out" / f"t2_labeled_discs.{ending}" for ending in ("nii.gz", "json"))
    before = labels.read_bytes()
    told.unlink()
    {"folder": told.mkdir, "device": lambda: told.symlink_to("/dev/null"), "pipe": lambda: os.mkfifo(told)}[kind]()
    fewer = scan | {"discs": scan["discs"][1:] if left == "all" else []}
    assert run(save(tmp_path, fewer), "-overwrite", "1") == 1
    assert f"failed: {told}: cannot be written because it is a" in capsys.readouterr().err
    assert labels.read_bytes() == before


def test_corrections_of_another_image_of_the_same_name_are_not_replaced(tmp_path, points, capsys):
    """Two pages, one folder: the label file is that of the first image, until it is replaced on request."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_scan(tmp_path / name / "t2.nii.gz")
    first, second = (saved_scan(tmp_path / name / "t2.nii.gz", points) for name in ("one", "two"))
    for _ in range(2):
        assert run(save(tmp_path, first)) == 0
    labels = tmp_path / "out" / "t2_labeled_discs.nii.gz"
    before = labels.read_bytes()
    assert run(save(tmp_path, second)) == 1 and labels.read_bytes() == before
    assert "is the label file of another t2.nii.gz, in another folder; give another -ofolder" in capsys.readouterr().err
    for arguments in (("-overwrite", "1"), ()):
        assert run(save(tmp_path, second), *arguments) == 0
