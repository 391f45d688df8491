"""What is known of a scan holds exactly as long as what it was made from."""

import os
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from cohort_cases import edit_by_hand, find, load, make_job, write_data_set

from deepspine_sct.cohort import state
from deepspine_sct.cohort.bids_derivative import files_of, identity_of
from deepspine_sct.cohort.job import Outcome
from deepspine_sct.data.discovery import search
from deepspine_sct.files.tables import write_json
from deepspine_sct.landmarks.measures import write_measures
from deepspine_sct.quality_control.entry import make_entry
from deepspine_sct.quality_control.outcomes import FAILED, LABELLED, SKIPPED

NAME = "sub-1/anat/sub-1_T2w.nii.gz"
DONE = Outcome(NAME, LABELLED, "", ("check disc 3",), ("poor_fit",), {"network": 0.5}, 120.0)


@pytest.fixture
def scan(tmp_path):
    """Write the scan."""
    (scan,) = find(write_data_set(tmp_path / "data", [NAME]))
    return scan


REPORT = {
    "discs": [{"value": 3, "world_mm": [1.0, 2.0, 3.0], "confidence": 0.9}],
    "level_confidence": 0.9,
    "warnings": [{"code": "poor_fit", "text": "check disc 3"}],
    "model": {"sha256": "a" * 64},
    "versions": {"deepspine_sct": "1.2"},
}


def write_labels(path) -> None:
    """Write a small image that is whole."""
    data = np.random.default_rng(0).integers(0, 9, (9, 10, 11), dtype=np.uint8)
    nib.save(nib.Nifti1Image(data, np.eye(4)), path)


@pytest.fixture
def job(tmp_path, scan):
    """Make a job whose scan is labelled: its files are there and its record too."""
    job = make_job(tmp_path / "data", tmp_path / "out", checksum="a" * 64, pictures=True)
    files = files_of(job, scan)
    files.labels.parent.mkdir(parents=True)
    write_labels(files.labels)
    write_json(files.sidecar, {"GeneratedBy": [{"Name": "deepspine_sct"}]})
    write_json(files.report, REPORT)
    write_measures(files.measures, [])
    files.entry.parent.mkdir()
    files.entry.write_text(make_entry(identity_of(job, scan), scan.image, LABELLED, report=REPORT).to_json())
    state.write_record(job, scan, DONE)
    return job


def test_a_record_comes_back_as_it_was(job, scan):
    """Reason, warnings with their codes, times and memory; also one of a version that wrote no codes."""
    assert state.settled(job, scan) == DONE
    record = files_of(job, scan).record
    content = load(record)
    del content["codes"]
    write_json(record, content)
    assert state.settled(job, scan) == replace(DONE, codes=())


@pytest.mark.parametrize("inputs", [None, 3, "abc", ["abc"]])
def test_a_record_with_odd_inputs_makes_it_stale(job, scan, inputs):
    """JSON of another shape, as somebody may leave it, costs this scan and not the run."""
    record = files_of(job, scan).record
    write_json(record, load(record) | {"made_from": inputs})
    assert state.settled(job, scan) is None
    assert state.take_up(job, [scan]) == [scan]


def test_a_folder_that_nobody_may_look_into_makes_it_stale(job, scan, monkeypatch):
    """It costs this scan and not the run; as the tests may run as root, the system's answer is played."""

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(job.target), "is_file", refuse)
    assert state.settled(job, scan) is None


def test_another_network_makes_it_stale_and_the_old_one_does_not(job, scan):
    """The checksum decides, wherever the file of the network lies."""
    assert state.settled(replace(job, checksum="b" * 64), scan) is None
    assert state.settled(replace(job, model=job.target / "moved.onnx", timeout_s=1), scan) == DONE


def test_another_version_makes_it_stale(job, scan, monkeypatch):
    """As the program's results may differ."""
    monkeypatch.setattr(state, "__version__", "9.9.9")
    assert state.settled(job, scan) is None


def test_a_changed_image_makes_it_stale(job, scan):
    """By size or by date, and back to the old file counts as unchanged."""
    before = scan.image.stat()
    content = scan.image.read_bytes()
    scan.image.write_bytes(content + b"x")
    os.utime(scan.image, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert state.settled(job, scan) is None
    scan.image.write_bytes(content)
    os.utime(scan.image, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert state.settled(job, scan) is None
    os.utime(scan.image, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert state.settled(job, scan) == DONE


def test_a_segmentation_that_turns_up_makes_it_stale(job, scan, tmp_path):
    """Then there are levels to write; one that nobody asked for changes nothing."""
    cord = tmp_path / "cords" / "sub-1" / "anat" / "sub-1_T2w_label-SC_seg.nii.gz"
    cord.parent.mkdir(parents=True)
    cord.touch()
    assert state.settled(job, scan) == DONE
    assert state.settled(replace(job, cords=tmp_path / "cords"), scan) is None


@pytest.mark.parametrize("which", ["labels", "report", "measures", "entry"])
def test_a_missing_file_makes_it_stale(job, scan, which):
    """Whichever it is; what the page shows is missed only where pictures are wanted."""
    getattr(files_of(job, scan), which).unlink()
    assert state.settled(job, scan) is None
    if which == "entry":
        assert state.settled(replace(job, pictures=False), scan) == DONE


def test_a_missing_sidecar_is_that_of_an_expert(job, scan):
    """Their labels mostly have none, and stay; without labels there is nothing to keep."""
    files_of(job, scan).sidecar.unlink()
    assert state.settled(job, scan) == DONE
    files_of(job, scan).labels.unlink()
    assert state.settled(job, scan) is None


@pytest.mark.parametrize("which", ["labels", "sidecar", "report", "measures", "entry"])
@pytest.mark.parametrize("share", [0, 0.5, 0.9])
def test_a_damaged_file_makes_it_stale(job, scan, which, share):
    """Empty or cut off, of any kind but a sidecar: one that is not empty is perhaps a person's, and stays."""
    path = getattr(files_of(job, scan), which)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    is_stale = which != "sidecar" or share == 0
    assert (state.settled(job, scan) is None) == is_stale
    assert state.take_up(job, [scan]) == [scan] * is_stale


NO_REPORT = [[], {}, None, {"Name": "another program"}, REPORT | {"discs": [3]}, REPORT | {"warnings": None}]


@pytest.mark.parametrize("which", ["report", "entry"])
@pytest.mark.parametrize("content", NO_REPORT)
def test_json_of_another_kind_in_the_place_of_a_report_makes_it_stale(job, scan, which, content):
    """Else the tables would call the scan not done for ever, or the page show no picture, and no run would mend it."""
    write_json(getattr(files_of(job, scan), which), content)
    assert state.settled(job, scan) is None
    assert state.take_up(job, [scan]) == [scan]


def test_what_a_person_has_made_is_never_damaged(job, scan):
    """It is not replaced, so to make it again would be to do so in every run."""
    edit_by_hand(files_of(job, scan).labels)
    assert state.settled(job, scan) == DONE


@pytest.fixture
def with_levels(job, scan, tmp_path):
    """Make a job with a segmented cord, whose scan is labelled with its levels."""
    cord = tmp_path / "cords" / scan.folder / f"{scan.stem}_seg.nii.gz"
    cord.parent.mkdir(parents=True)
    cord.write_bytes(b"cord")
    job = replace(job, cords=tmp_path / "cords")
    files = files_of(job, scan)
    write_labels(files.levels)
    files.levels_sidecar.write_bytes(files.sidecar.read_bytes())
    state.write_record(job, scan, DONE)
    return job


def test_levels_of_an_earlier_run_stay_as_long_as_they_are_true(with_levels, scan):
    """A run without segmentations has nothing to do then, and has to do the scan if anything else has changed."""
    without = replace(with_levels, cords=None)
    assert state.settled(with_levels, scan) == state.settled(without, scan) == DONE
    assert state.settled(replace(without, checksum="b" * 64), scan) is None
    files_of(with_levels, scan).levels.write_bytes(b"cut")
    assert state.settled(without, scan) is None
    assert state.levels_files(without, [scan]) == [files_of(with_levels, scan).levels]


def test_scans_that_have_gone_are_named(job, scan, tmp_path):
    """Where they have labels; none that is only passed over, by itself or with its folder, or has failed."""
    there = search(tmp_path / "data", ("T2w",))
    assert state.left_over(job.target, there) == []
    gone = replace(there, scans=[])
    assert state.left_over(job.target, gone) == ["sub-1/anat/sub-1_T2w"]
    for place in (NAME, NAME.replace(".gz", ""), "sub-1", "sub-1/anat"):
        assert state.left_over(job.target, replace(gone, skipped={place: "cannot be opened"})) == []
    assert state.left_over(job.target, replace(gone, skipped={"sub-11": "cannot be opened"})) != []
    state.take_up(job, [scan], again=True)
    state.write_record(job, scan, Outcome(NAME, FAILED, "no disc was found"))
    assert state.left_over(job.target, gone) == []


def test_a_failure_is_never_settled_and_a_skipped_scan_is(job, scan):
    """Failures are tried again in every run; what is no scan for us stays none."""
    state.take_up(job, [scan], again=True)
    state.write_record(job, scan, Outcome(NAME, FAILED, "took longer than 3 s"))
    assert state.settled(job, scan) is None
    axial = Outcome(NAME, SKIPPED, "is an axial scan")
    state.write_record(job, scan, axial)
    assert state.settled(job, scan) == axial


def test_a_late_failure_does_not_undo_a_success(job, scan):
    """Two workers may have had the same scan: the one that was lost has nothing to say, and no file goes."""
    state.write_record(job, scan, Outcome(NAME, FAILED, "the worker was killed"))
    assert state.settled(job, scan) == DONE
    assert all(path.exists() for path in files_of(job, scan).results())


@pytest.mark.parametrize("kind", [FAILED, SKIPPED])
def test_a_scan_that_is_not_labelled_keeps_no_labels_of_an_earlier_run(job, scan, kind):
    """Nothing that was made from them either; the entry of the page stays, as it shows what became of the scan."""
    files = files_of(job, scan)
    files.levels.touch()
    files.levels_sidecar.touch()
    state.take_up(job, [scan], again=True)
    state.write_record(job, scan, Outcome(NAME, kind, "no disc was found"))
    assert not list(files.labels.parent.iterdir())
    assert files.entry.exists() and files.log.parent.exists()
    assert state.read_record(files.record)[0].kind == kind


@pytest.mark.parametrize("kind", [FAILED, SKIPPED])
@pytest.mark.parametrize("which", ["labels", "levels"])
def test_labels_that_a_person_has_corrected_are_never_removed(job, scan, kind, which):
    """Whatever becomes of the scan; the other files of the earlier run go, as ever."""
    files = files_of(job, scan)
    files.levels.write_bytes(files.labels.read_bytes())
    files.levels_sidecar.write_bytes(files.sidecar.read_bytes())
    edited = edit_by_hand(getattr(files, which))
    state.take_up(job, [scan], again=True)
    state.write_record(job, scan, Outcome(NAME, kind, "no disc was found"))
    assert {path: path.read_bytes() for path in files.labels.parent.iterdir()} == edited


def test_labels_that_somebody_has_protected_are_not_removed(job, scan):
    """They could not be replaced, which is why the scan has failed; perhaps a person has made them."""
    labels = files_of(job, scan).labels
    labels.chmod(0o444)
    state.take_up(job, [scan], again=True)
    state.write_record(job, scan, Outcome(NAME, FAILED, "cannot be written because it is write-protected"))
    assert list(labels.parent.iterdir()) == [labels]


def test_pictures_that_are_missing_make_it_stale(job, scan):
    """Where pictures are wanted: else the page would show none of the scan for ever."""
    entry = make_entry(identity_of(job, scan), scan.image, FAILED)
    files = files_of(job, scan)
    pictures = {"slice": {"file": "slice.png", "box": [0, 0, 1, 1], "caption": ""}}
    files.entry.write_text(replace(entry, pictures=pictures).to_json())
    assert state.settled(job, scan) is None
    assert state.settled(replace(job, pictures=False), scan) == DONE
    files.entry.with_suffix("").mkdir()
    (files.entry.with_suffix("") / "slice.png").touch()
    assert state.settled(job, scan) == DONE


@pytest.mark.parametrize("which", ["labels", "report", "measures", "entry"])
def test_a_pipe_in_the_place_of_a_result_makes_it_stale(job, scan, which):
    """And does not keep the run waiting."""
    path = getattr(files_of(job, scan), which)
    path.unlink()
    os.mkfifo(path)
    assert state.settled(job, scan) is None


def test_killed_before_it_notes_a_failure_a_run_leaves_no_record(job, scan, monkeypatch):
    """Neither the one of the labels that are gone, nor one of anything else: the scan is done again."""

    def die(path: object, content: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(state, "write_json", die)
    with pytest.raises(KeyboardInterrupt):
        state.write_record(replace(job, checksum="b" * 64), scan, Outcome(NAME, FAILED, "no disc was found"))
    assert not files_of(job, scan).record.exists()


def test_labels_that_cannot_be_removed_do_not_end_the_run(job, scan):
    """The record says all the same that the scan has failed."""
    labels = files_of(job, scan).labels
    labels.unlink()
    labels.mkdir()
    state.write_record(job, scan, Outcome(NAME, FAILED, "no disc was found"))
    assert state.read_record(files_of(job, scan).record)[0].kind == FAILED


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"image": "x"}', "\0"])
def test_a_damaged_record_is_no_record(job, scan, text):
    """The scan is done again then."""
    files_of(job, scan).record.write_text(text)
    assert state.settled(job, scan) is None


def test_what_is_taken_up_is_settled_no_longer(job, scan):
    """A run that is killed before it comes to the scan leaves it to the next one, also with --force."""
    assert state.take_up(job, [scan]) == []
    assert state.settled(job, scan) == DONE
    assert state.take_up(job, [scan], again=True) == [scan]
    assert state.settled(job, scan) is None
    assert state.take_up(job, [scan]) == [scan]


def test_an_older_networks_record_goes_before_its_files(job, scan):
    """Else a run with network b that is killed in between leaves b's files under a's record."""
    newer = replace(job, checksum="b" * 64)
    assert state.take_up(newer, [scan]) == [scan]
    assert state.settled(job, scan) is None


def test_what_failed_before_comes_last(tmp_path):
    """And is still known to have failed, until it is done again."""
    names = [f"sub-{n}/anat/sub-{n}_T2w.nii.gz" for n in range(4)]
    scans = find(write_data_set(tmp_path / "more", names))
    job = make_job(tmp_path / "more", tmp_path / "out", checksum="a" * 64)
    failure = Outcome(names[1], FAILED, "took longer than 3 s")
    state.write_record(job, scans[1], failure)
    assert state.take_up(job, scans) == [scans[0], scans[2], scans[3], scans[1]]
    assert state.read_record(files_of(job, scans[1]).record)[0] == failure


def test_suffixes_are_those_of_all_records(tmp_path):
    """With and without a session, whatever became of the scan; nothing else in the folder of logs counts."""
    names = ["sub-1/anat/sub-1_T2w.nii.gz", "sub-2/ses-a/anat/sub-2_ses-a_acq-sag_STIR.nii.gz"]
    job = make_job(tmp_path / "more", tmp_path / "out", checksum="a" * 64)
    assert state.recorded_suffixes(job.target) == set()
    for scan in search(write_data_set(tmp_path / "more", names), ("T2w", "STIR")).scans:
        state.write_record(job, scan, Outcome(scan.path, FAILED, "took longer than 3 s"))
        files_of(job, scan).record.with_name(".sub-1_T1w.json").touch()
        files_of(job, scan).log.with_name("sub-1_PDw.log").touch()
    assert state.recorded_suffixes(job.target) == {"T2w", "STIR"}


@pytest.mark.parametrize("which", ["levels", "levels_sidecar"])
def test_missing_levels_of_the_cord_make_it_stale(with_levels, scan, which):
    """Where a cord was segmented and nothing says that its levels could not be made."""
    assert state.settled(with_levels, scan) == DONE
    getattr(files_of(with_levels, scan), which).unlink()
    assert state.settled(with_levels, scan) is None
    state.write_record(with_levels, scan, replace(DONE, codes=("no_cord_levels",)))
    assert state.settled(with_levels, scan) is not None
