"""What made a label file stands beside it, as BIDS, SCT and its correction scripts read it."""

import gzip
import json

import nibabel as nib
import numpy as np
import pytest
from fake_predictor import SHAPE, oblique_affine, write_scan

from deepspine_sct import __version__
from deepspine_sct.cli import label
from deepspine_sct.files.provenance import being_written, corrected_by, without_folders

KEYS = {"Name", "Version", "Description", "ModelChecksum", "Date", "Command"}


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    """Work in a folder with a scan in a folder below."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    (tmp_path / "anat").mkdir()
    write_scan(tmp_path / "anat" / "t2.nii.gz")
    return tmp_path


def run(*arguments: str) -> int:
    """Run the command on the scan."""
    return label.main(["-i", "anat/t2.nii.gz", "-c", "t2", *arguments])


def test_every_label_file_has_a_sidecar(in_folder, predictor):
    """It names program, version, network, date and command, but no folder of this machine."""
    assert run("-ofolder", f"{in_folder}/out") == 0
    assert sorted(path.name for path in (in_folder / "out").iterdir()) == [
        "t2_labeled_discs.json",
        "t2_labeled_discs.nii.gz",
    ]
    content = json.loads((in_folder / "out" / "t2_labeled_discs.json").read_text())
    assert set(content) == {"SpatialReference", "Sources", "SourcePathChecksum", "LabelChecksum", "GeneratedBy"}
    assert content["SpatialReference"] == "orig" and content["Sources"] == ["t2.nii.gz"]
    (maker,) = content["GeneratedBy"]
    assert set(maker) == KEYS and all(isinstance(value, str) for value in maker.values())
    assert (maker["Name"], maker["Version"]) == ("deepspine_sct", __version__)
    assert maker["ModelChecksum"] == predictor.checksum and maker["Date"] == "1970-01-01T00:00:01Z"
    assert maker["Command"] == "sct_deepspine_label -i t2.nii.gz -c t2 -ofolder out"


def test_a_report_in_the_place_of_the_sidecar_is_both(in_folder, predictor):
    """-o discs.nii.gz -json discs.json is a natural wish: one file, with what made the labels and all the rest."""
    assert run("-o", "discs.nii.gz", "-json", f"{in_folder}/discs.json") == 0
    content = json.loads((in_folder / "discs.json").read_text())
    assert content["GeneratedBy"][0]["Name"] == "deepspine_sct" and len(content["discs"]) == 5
    assert "discs_sidecar" not in content["outputs"]
    assert run("-o", "discs.nii.gz", "-json", "report.json") == 0
    report = json.loads((in_folder / "report.json").read_text())
    assert "GeneratedBy" not in report and report["outputs"]["discs_sidecar"] == "discs.json"


def test_the_sidecar_of_the_image_is_never_replaced(in_folder, predictor, capsys):
    """A label file beside the image, whose sidecar would be the image's own, is refused before anything is done."""
    own = in_folder / "anat" / "t2.json"
    own.write_text('{"EchoTime": 0.1}')
    assert run("-o", "anat/t2.nii") == 1
    assert "anat/t2.json: belongs to the input anat/t2.nii.gz by its name" in capsys.readouterr().err
    assert own.read_text() == '{"EchoTime": 0.1}' and not (in_folder / "anat" / "t2.nii").exists()


def test_a_command_is_told_without_the_folders_of_the_machine(in_folder):
    """Paths lose their folders, quoted ones and the current folder included; names of discs stay, slash and all."""
    named = "sct_deepspine_label -initz '78, C3/C4' -discs C2/C3-T2/T3,C2/3 -qc-dataset a/b -initlabel anat/c4.nii.gz"
    assert without_folders(named) == named.replace("anat/c4.nii.gz", "c4.nii.gz")
    told = without_folders("sct_deepspine_label -i '/a b/t 2.nii.gz' -c t2 -initz 34,3 -ofolder . -discs 3:11")
    assert told == "sct_deepspine_label -i 't 2.nii.gz' -c t2 -initz 34,3 -ofolder . -discs 3:11"


OURS = {"Name": "deepspine_sct"}
LAST_MAKERS = {
    "nobody but this program": ([OURS], ""),
    "a person, as SCT's manual-correction notes it": ([OURS, {"Name": "Manual", "Author": "Dr A"}], "Dr A"),
    "a person without a program": ([OURS, {"Author": "Dr A"}], "Dr A"),
    "a person within this program's entry": ([OURS | {"Author": "Dr A"}], "Dr A"),
    "another program": ([OURS, {"Name": "Manual"}], "Manual"),
    "this program after another one": ([{"Name": "sct_label_vertebrae"}, OURS], ""),
    "an entry that is none": ([OURS, "Dr A"], "somebody"),
    "no entry": ([], "somebody"),
}


@pytest.mark.parametrize("case", LAST_MAKERS)
def test_the_last_maker_says_whose_a_label_file_is(tmp_path, case):
    """Any other than this program may be a person, and so may a JSON file that cannot be read or says nothing."""
    makers, who = LAST_MAKERS[case]
    label, told = tmp_path / "x.nii.gz", tmp_path / "x.json"
    told.write_text(json.dumps({"GeneratedBy": makers}))
    assert corrected_by(label) == ""  # there are no labels to keep
    label.write_bytes(b"labels")
    assert corrected_by(label) == who
    for text, whose in (("{", "somebody"), ("{}", "somebody"), ("", "")):
        told.write_text(text)
        assert corrected_by(label) == whose


@pytest.mark.parametrize("name", ["x.nii.gz", "x.nii"])
def test_labels_without_a_json_file_may_be_an_experts(tmp_path, name):
    """Not where they hold nothing, nor where a program is known to write files of this name without one."""
    label = tmp_path / "x.nii.gz"
    (tmp_path / name).write_bytes(gzip.compress(b"labels") if name.endswith(".gz") else b"labels")
    assert corrected_by(label) == "somebody"
    assert corrected_by(label, untold="") == ""
    (tmp_path / name).write_bytes(b"")
    assert corrected_by(label) == ""


def test_labels_are_known_as_automatic_from_the_moment_they_are_there(tmp_path):
    """Also those of a run that is killed before it can write the JSON file; another's file is not claimed."""
    label = tmp_path / "sub-01" / "x.nii.gz"
    with being_written(label):
        label.write_bytes(gzip.compress(b"labels"))
        assert corrected_by(label) == ""
    (tmp_path / "sub-01" / "x.json").write_text('{"GeneratedBy": [{"Name": "Manual"}]}')
    with being_written(label):
        assert corrected_by(label) == "Manual"


def test_labels_that_cannot_be_written_leave_no_json_file(tmp_path):
    """One that was there before stays."""
    label, told = tmp_path / "x.nii.gz", tmp_path / "x.json"
    for before in (None, '{"GeneratedBy": [{"Name": "deepspine_sct"}]}'):
        if before:
            told.write_text(before)
        with pytest.raises(OSError, match="full"), being_written(label):
            raise OSError("the disk is full")
        assert (told.read_text() if told.exists() else None) == before


def test_a_label_file_that_a_person_has_emptied_is_theirs_although_it_is_gone(tmp_path):
    """The JSON file must say so: one that a removed label file has left behind keeps nothing."""
    label, told = tmp_path / "x.nii.gz", tmp_path / "x.json"
    content = {"GeneratedBy": [OURS, {"Name": "Manual", "Author": "Dr A"}], "NoDiscLeft": True}
    told.write_text(json.dumps(content))
    assert corrected_by(label) == "Dr A"
    for other in (content | {"NoDiscLeft": False}, content | {"NoDiscLeft": 1}, content | {"GeneratedBy": [OURS]}, []):
        told.write_text(json.dumps(other))
        assert corrected_by(label) == ""


@pytest.mark.parametrize("maker", [{"Name": "Manual"}, {"Name": "deepspine_sct", "Author": "Dr A"}])
@pytest.mark.parametrize("name", ["t2_labeled_discs", "t2_seg_labeled", "t2_seg_labeled_discs"])
def test_both_commands_keep_the_same_label_files(in_folder, predictor, capsys, maker, name):
    """`sct_deepspine_label` refuses what `sct_deepspine_batch` leaves as it is, also levels of the cord."""
    (in_folder / f"{name}.nii.gz").write_bytes(b"by hand")
    (in_folder / f"{name}.json").write_text(json.dumps({"GeneratedBy": [{"Name": "deepspine_sct"}, maker]}))
    write_scan(in_folder / "anat" / "t2_seg.nii.gz")
    assert run("-s", "anat/t2_seg.nii.gz") == 1
    assert f"{name}.nii.gz: holds labels that" in capsys.readouterr().err
    assert (in_folder / f"{name}.nii.gz").read_bytes() == b"by hand" and predictor.calls == []


def test_labels_of_an_expert_without_a_json_file_are_not_replaced(in_folder, predictor, capsys):
    """The line says what to do. The files of the cord that SCT's commands have written are replaced."""
    cord = np.zeros(SHAPE, np.uint8)
    cord[2:28, 20:23, 4:6] = 1
    for name in ("anat/t2_seg.nii.gz", "t2_labeled_discs.nii.gz", "t2_seg_labeled.nii.gz"):
        nib.save(nib.Nifti1Image(cord, oblique_affine()), name)
    theirs = (in_folder / "t2_labeled_discs.nii.gz").read_bytes()
    assert run("-s", "anat/t2_seg.nii.gz") == 1 and predictor.calls == []
    assert "t2_labeled_discs.json is not there, which this program would have written" in capsys.readouterr().err
    assert (in_folder / "t2_labeled_discs.nii.gz").read_bytes() == theirs
    assert run("-s", "anat/t2_seg.nii.gz", "-o", "mine.nii.gz") == 0


@pytest.mark.parametrize("report", [(), ("-json", "t2_labeled_discs.json")])
@pytest.mark.parametrize("name", ["t2_labeled_discs", "t2_seg_labeled", "t2_seg_labeled_discs"])
def test_labels_that_were_edited_in_a_viewer_are_not_replaced(in_folder, predictor, capsys, name, report):
    """FSLeyes saves them in place and leaves the JSON file as it is; the same labels, untouched, are made again."""
    cord = np.zeros(SHAPE, np.uint8)
    cord[2:28, 20:23, 4:6] = 1
    nib.save(nib.Nifti1Image(cord, oblique_affine()), "anat/t2_seg.nii.gz")
    arguments = ("-s", "anat/t2_seg.nii.gz", *report)
    assert run(*arguments) == 0 and run(*arguments) == 0
    edited = in_folder / f"{name}.nii.gz"
    image = nib.load(edited)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[::-1], image.affine), edited)
    before = edited.read_bytes()
    assert run(*arguments) == 1 and edited.read_bytes() == before
    assert f"{name}.nii.gz: was changed after this program had written it" in capsys.readouterr().err
    edited.unlink()
    assert run(*arguments) == 0


def test_labels_of_another_scan_of_the_same_name_are_not_replaced_without_a_word(in_folder, predictor, capsys):
    """The warning names the other scan; the same scan, by whatever path, is labelled again as SCT's commands do."""
    write_scan(in_folder / "t2.nii.gz")
    (in_folder / "link").symlink_to("anat")
    assert run() == 0
    for same in ("anat/t2.nii.gz", f"{in_folder}/anat/../link/t2.nii.gz"):
        assert label.main(["-i", same, "-c", "t2"]) == 0
    assert "held the labels" not in capsys.readouterr().err
    assert label.main(["-i", "t2.nii.gz", "-c", "t2", "-json", "r.json"]) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "held the labels" in line]
    assert line.startswith(
        "Warning: t2.nii.gz: t2_labeled_discs.nii.gz: held the labels of another t2.nii.gz, in another"
    )
    assert json.loads((in_folder / "r.json").read_text())["warnings"][-1]["code"] == "other_scan_replaced"
    write_scan(in_folder / "t1.nii.gz")
    assert label.main(["-i", "t1.nii.gz", "-c", "t1", "-o", "t2_labeled_discs.nii.gz"]) == 0
    assert "held the labels of t2.nii.gz, which" in capsys.readouterr().err


def test_a_scan_that_was_moved_with_its_labels_is_the_same_one(in_folder, predictor, capsys):
    """And no folder of the machine is told by the checksum alone: it is of the way between the two."""
    assert run("-ofolder", "out") == 0
    (in_folder / "moved").mkdir()
    for name in ("anat", "out"):
        (in_folder / name).rename(in_folder / "moved" / name)
    assert label.main(["-i", "moved/anat/t2.nii.gz", "-c", "t2", "-ofolder", "moved/out"]) == 0
    assert "held the labels" not in capsys.readouterr().err


def test_a_new_version_of_a_scan_that_git_annex_keeps_is_the_same_scan(in_folder, predictor, capsys):
    """Git-annex puts a link in its place, to a file that is named by the content; unlocked, it is a plain file."""
    scan, store = in_folder / "anat" / "t2.nii.gz", in_folder / ".git" / "annex" / "objects"
    store.mkdir(parents=True)
    plain = scan.read_bytes()
    for version in ("one", "two"):
        (store / version).write_bytes(plain)
        scan.unlink()
        scan.symlink_to(store / version)
        assert run() == 0
    scan.unlink()
    scan.write_bytes(plain)
    assert run() == 0
    assert "held the labels" not in capsys.readouterr().err


def test_a_sidecar_names_all_files_that_its_labels_depend_on(in_folder, predictor):
    """The segmentation of the cord for its levels, and the discs that are known for both."""
    assert run("-o", "known.nii.gz") == 0
    cord = np.zeros((30, 44, 9), np.uint8)
    cord[:, 24:27, 3:6] = 1
    affine = nib.load(in_folder / "anat" / "t2.nii.gz").affine
    nib.save(nib.Nifti1Image(cord, affine), in_folder / "anat" / "cord.nii.gz")
    assert run("-s", "anat/cord.nii.gz", "-initlabel", "known.nii.gz") == 0
    named = {path.name: json.loads(path.read_text())["Sources"] for path in in_folder.glob("*_labeled*.json")}
    assert named == {
        "t2_labeled_discs.json": ["t2.nii.gz", "known.nii.gz"],
        "cord_labeled.json": ["t2.nii.gz", "known.nii.gz", "cord.nii.gz"],
        "cord_labeled_discs.json": ["t2.nii.gz", "known.nii.gz", "cord.nii.gz"],
    }
