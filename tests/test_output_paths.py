"""Where outputs go: folders are made, links followed, and what failed late is told from what is good."""

import json
import os
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from fake_predictor import VOXELS, write_scan

from deepspine_sct.cli import label
from deepspine_sct.quality_control import scan_entry


@pytest.fixture
def in_folder(tmp_path, monkeypatch, predictor):
    """Work in a folder with the scan, and a predictor that knows its discs."""
    monkeypatch.chdir(tmp_path)
    write_scan(tmp_path / "t2.nii.gz")
    return tmp_path


def run(*arguments: str) -> int:
    """Run the command on the scan, quietly."""
    image = [] if "-i" in arguments else ["-i", "t2.nii.gz"]
    return label.main([*image, "-c", "t2", "-v", "0", *arguments])


def has_discs(path) -> bool:
    """Tell whether a label file holds what it should."""
    data = np.asarray(nib.load(path).dataobj)
    return {int(data[voxel]) for voxel in VOXELS.values()} == set(VOXELS)


OUTPUTS = {"-o": "a/b/discs.nii.gz", "-json": "c/d/r.json", "-overlay": "e/o.png", "-attention": "f/g/where.nii",
           "-heatmaps": "h/i.nii.gz", "-qc": "j/k", "-ofolder": "l/m"}  # fmt: skip


@pytest.mark.parametrize(
    ("cord", "fault"),
    [
        ("link.nii.gz", "link.nii.gz: is the image itself; give the segmentation of its spinal cord with -s"),
        ("masks/t2.nii.gz", "masks/t2.nii.gz: has the name of the image, so that both would get t2_labeled_discs.nii."),
    ],
)
def test_a_cord_whose_label_file_would_be_that_of_the_image_is_named(in_folder, predictor, capsys, cord, fault):
    """Both names are made by the command: to be told that two outputs are one file would help nobody."""
    (in_folder / "masks").mkdir()
    write_scan(in_folder / "masks" / "t2.nii.gz")
    (in_folder / "link.nii.gz").symlink_to("t2.nii.gz")
    assert run("-s", cord) == 1
    assert f"error: {fault}" in capsys.readouterr().err
    assert predictor.calls == []


@pytest.mark.parametrize("option", OUTPUTS)
def test_folders_are_made_for_every_output(in_folder, option):
    """For -o and the others as for -ofolder."""
    assert run(option, OUTPUTS[option]) == 0
    assert (in_folder / OUTPUTS[option]).exists()


@pytest.mark.parametrize("option", ["-o", "-ofolder", "-json", "-overlay", "-qc", "-s", "-initlabel", "-model", "-i"])
@pytest.mark.parametrize("empty", ["", "  "])
def test_an_empty_name_is_an_error(in_folder, capsys, option, empty):
    """An unset variable of a script is no wish for the default, nor for the current folder."""
    before = sorted(in_folder.iterdir())
    with pytest.raises(SystemExit) as ending:
        run(option, empty)
    assert ending.value.code == 2
    assert f"argument {option}: is empty; was a variable of your script not set?" in capsys.readouterr().err
    assert sorted(in_folder.iterdir()) == before


@pytest.mark.parametrize("name", [".nii.gz", "sub/.nii", ".json", ".png"])
def test_a_name_that_is_only_an_ending_is_an_error(in_folder, capsys, name):
    """`-o out/$subject.nii.gz` with an unset variable wrote a hidden file."""
    option = {".json": "-json", ".png": "-overlay"}.get(name, "-o")
    before = sorted(in_folder.iterdir())
    with pytest.raises(SystemExit) as ending:
        run(option, name)
    assert ending.value.code == 2
    assert f"argument {option}: {name!r} has no name before its ending" in capsys.readouterr().err
    assert sorted(in_folder.iterdir()) == before


LINKS = {"-o": "discs.nii.gz", "-json": "r.json", "-overlay": "o.png"}


@pytest.mark.parametrize("option", LINKS)
def test_an_output_that_is_a_link_stays_one(in_folder, option):
    """Its target, in another folder, gets the content."""
    (in_folder / "store").mkdir()
    name = LINKS[option]
    (in_folder / name).symlink_to(f"store/{name}")
    assert run(option, name) == 0
    assert (in_folder / name).is_symlink() and (in_folder / "store" / name).stat().st_size > 0


@pytest.mark.parametrize("option", LINKS)
def test_an_annexed_or_protected_output_is_refused_before_the_network_runs(in_folder, capsys, predictor, option):
    """The remedy is said at once, and the link or the file is as it was."""
    name = LINKS[option]
    (in_folder / name).symlink_to(".git/annex/objects/Xx/content")
    assert run(option, name) == 1
    assert "git annex unlock" in capsys.readouterr().err and os.readlink(name).startswith(".git/annex")
    (in_folder / name).unlink()
    (in_folder / name).write_text("by hand")
    (in_folder / name).chmod(0o444)
    assert run(option, name) == 1
    assert "write-protected" in capsys.readouterr().err and (in_folder / name).read_text() == "by hand"
    assert predictor.calls == []


def test_an_input_behind_a_link_is_not_overwritten(in_folder, capsys):
    """A link to the scan, in another folder, is the scan."""
    (in_folder / "out").mkdir()
    (in_folder / "out" / "x.nii.gz").symlink_to("../t2.nii.gz")
    assert run("-o", "out/x.nii.gz") == 1
    assert "is an input and would be overwritten" in capsys.readouterr().err


def fail_page(monkeypatch, folder):
    """The report folder cannot be written."""
    monkeypatch.setattr(
        scan_entry, "write_page", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left", "qc"))
    )


def fail_overlay(monkeypatch, folder):
    """The picture needs more memory than there is."""
    from deepspine_sct.pictures import overlay

    monkeypatch.setattr(overlay, "render_overlay", lambda *_, **__: (_ for _ in ()).throw(MemoryError("3 GiB")))


def fail_map(monkeypatch, folder):
    """A folder takes the name of the picture beside the map, after the check."""
    from deepspine_sct.pictures import network_maps

    real = network_maps.render_map

    def render(*args):
        (folder / "where.png").mkdir(exist_ok=True)
        return real(*args)

    monkeypatch.setattr(network_maps, "render_map", render)


LATE = {
    "the page": (fail_page, "-qc", "qc"),
    "the picture": (fail_overlay, "-overlay", "o.png"),
    "a map": (fail_map, "-attention", "where.nii"),
}


def test_a_page_of_another_user_is_refused_with_the_remedy(in_folder, monkeypatch, capsys):
    """The one line names what may not be touched, and the option that gives another folder."""
    assert run("-qc", "qc") == 0
    (entry,) = (in_folder / "qc" / "deepspine").glob("*.json")
    real = Path.unlink

    def unlink(path, *args, **kwargs):
        if path.name == entry.name:
            raise PermissionError(13, "Permission denied", str(path))
        real(path, *args, **kwargs)

    monkeypatch.setattr(Path, "unlink", unlink)
    capsys.readouterr()
    assert run("-qc", "qc") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{entry.name}: cannot be written (Permission denied); give another folder with -qc" in line


@pytest.mark.parametrize("case", LATE)
def test_what_fails_late_leaves_good_labels_and_says_both(in_folder, monkeypatch, capsys, case):
    """Exit status 1, the label file whole, the other outputs there, and one line that tells them apart."""
    fail, option, name = LATE[case]
    fail(monkeypatch, in_folder)
    assert run(option, name, "-json", "r.json", "-heatmaps", "heat.nii") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "sct_deepspine_label: error: t2_labeled_discs.nii.gz: is written and good, but this is missing"
    )
    assert has_discs("t2_labeled_discs.nii.gz")
    report = json.loads((in_folder / "r.json").read_text())
    assert [warning["code"] for warning in report["warnings"]] == ["output_failed"]
    assert {"qc": "qc", "overlay": "overlay", "attention": "attention"}[option[1:]] not in report["outputs"]
    assert "heatmaps" in report["outputs"] and (in_folder / "heat.nii").exists()


def test_a_label_file_that_fails_leaves_nothing(in_folder, monkeypatch, capsys):
    """It comes first, so that nothing speaks of labels that are not there."""
    from deepspine_sct.scan import write_outputs

    monkeypatch.setattr(write_outputs, "write_discs", lambda *_, **__: (_ for _ in ()).throw(OSError(5, "I/O", "d")))
    before = sorted(in_folder.iterdir())
    assert run("-json", "r.json", "-overlay", "o.png", "-qc", "qc") == 1
    assert "is written and good" not in capsys.readouterr().err
    assert sorted(in_folder.iterdir()) == before


def test_warnings_name_the_scan(in_folder, monkeypatch, capsys):
    """In a loop with -v 0 every line says which scan it is about, also what concerns another input."""
    assert run("-c", "pd") == 0
    assert capsys.readouterr().err.startswith("Warning: t2.nii.gz: the network was tested on")
    image = nib.load("t2.nii.gz")
    data = np.zeros(image.shape, np.uint8)
    data[VOXELS[4]] = 4
    start = nib.Nifti1Image(data, image.affine)
    start.set_qform(np.diag([1.0, 1, 1, 1]), 1)
    nib.save(start, "start.nii")
    assert run("-initlabel", "start.nii") == 0
    assert "Warning: t2.nii.gz: start.nii: the header holds two geometries" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["-qc", "-ofolder"])
def test_a_folder_below_a_file_is_refused_before_the_network_runs(in_folder, capsys, predictor, option):
    """It can never be made, and nothing has been written when that is said."""
    before = sorted(in_folder.iterdir())
    assert run(option, "t2.nii.gz/x") == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "t2.nii.gz/x: t2.nii.gz is not a folder; give another folder" in line.replace(f"{in_folder}/", "")
    assert predictor.calls == [] and sorted(in_folder.iterdir()) == before


@pytest.mark.parametrize("option", ["-i", "-s", "-initlabel"])
@pytest.mark.parametrize("place", [".", "/"])
def test_a_folder_in_place_of_an_input_is_one_line(in_folder, capsys, option, place):
    """As a slip of the completion in a shell gives it."""
    assert run(option, place) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("sct_deepspine_label: error: ") and "folder" in line


@pytest.mark.parametrize(("there", "asked"), [("y.nii", "y.nii.gz"), ("y.nii.gz", "y.nii"), ("y.nii", "y.NII.GZ")])
def test_a_label_file_beside_one_that_differs_by_its_ending_is_refused(in_folder, capsys, there, asked):
    """They have one JSON file: labels that an expert had corrected were no longer known as such, and replaced."""
    Path(there).write_bytes(b"of an expert")
    Path("y.json").write_text('{"GeneratedBy": [{"Name": "Manual", "Author": "Dr Expert"}]}')
    before = {path: path.read_bytes() for path in Path().iterdir() if path.is_file()}
    assert label.main(["-i", "t2.nii.gz", "-c", "t2", "-o", asked]) == 1
    assert f"{asked}: would share its JSON file y.json with {there}" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before


@pytest.mark.parametrize("text", ['{"EchoTime": 0.1, "Manufacturer": "Siemens"}', "{", "[]", "7"])
def test_a_report_does_not_take_the_place_of_what_the_scanner_said(in_folder, predictor, capsys, text):
    """dcm2niix writes t2.json beside t2.nii.gz, and `-json t2.json` is a natural wish; a report there is replaced."""
    told = in_folder / "t2.json"
    told.write_text(text)
    assert run("-json", f"{in_folder}/t2.json") == 1 and told.read_text() == text
    assert "t2.json: belongs to the input t2.nii.gz by its name, and would be lost" in capsys.readouterr().err
    assert not (in_folder / "t2_labeled_discs.nii.gz").exists()
    told.unlink()
    assert run("-json", "t2.json") == 0 and run("-json", "t2.json") == 0
    assert json.loads(told.read_text())["discs"]


def test_the_json_file_of_an_input_is_left_to_it(in_folder, capsys):
    """Labels named t2.nii would have the JSON file of t2.nii.gz, also where that has none yet."""
    assert run("-o", "t2.nii") == 1
    assert "t2.json: belongs to the input t2.nii.gz by its name; rename the output" in capsys.readouterr().err
