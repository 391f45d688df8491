"""What a worker writes for one scan."""

import gzip
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from cohort_cases import contents, edit_by_hand, find, load, make_job, write_data_set
from fake_predictor import VOXELS, FakePredictor, known_discs, oblique_affine, world

from deepspine_sct.cli import label as command
from deepspine_sct.cohort.bids_derivative import files_of
from deepspine_sct.cohort.job import Outcome
from deepspine_sct.cohort.label_one import is_axial, label_one
from deepspine_sct.cohort.state import read_record, settled, take_up, write_record
from deepspine_sct.errors import DeepspineError, NoDiscFound
from deepspine_sct.files.tables import write_json
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.landmarks.measures import cells_of, read_measures
from deepspine_sct.quality_control.outcomes import FAILED, LABELLED, SKIPPED
from deepspine_sct.quality_control.page_folder import read_entries
from deepspine_sct.scan.looks import Looks

NAME = "sub-1/ses-2/anat/sub-1_ses-2_T2star.nii.gz"


@pytest.fixture
def scan(tmp_path):
    """Write a scan of a contrast that was not tested."""
    from deepspine_sct.data.discovery import search

    return search(write_data_set(tmp_path / "data", [NAME]), ("T2star",)).scans[0]


def write_cord(folder, affine) -> None:
    """Write a straight cord of nine voxels' thickness through the scan, on a grid of this affine."""
    data = np.zeros((30, 44, 9), np.uint8)
    data[:, 24:27, 3:6] = 1
    path = folder / "sub-1" / "ses-2" / "anat" / "sub-1_ses-2_T2star_seg.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data, affine), path)


def label(tmp_path, scan, predictor=None, target="out", **settings):
    """Label the scan with a predictor that knows its discs."""
    job = make_job(tmp_path / "data", tmp_path / target, checksum="c" * 64, **settings)
    looks = Looks(predictor or FakePredictor(known_discs()))
    outcome = label_one(job, scan, read_volume(scan.image, lazy=True), looks)
    return job, outcome


def test_every_disc_goes_to_its_voxel_on_the_grid_of_the_scan(tmp_path, scan):
    """And to the report, with its place in the world."""
    job, outcome = label(tmp_path, scan)
    files = files_of(job, scan)
    image = nib.load(files.labels)
    data = np.asarray(image.dataobj)
    assert {int(data[tuple(ijk)]): tuple(ijk) for ijk in np.argwhere(data)} == VOXELS
    assert np.allclose(image.affine, oblique_affine(), atol=1e-5)
    for disc in load(files.report)["discs"]:
        assert np.allclose(disc["world_mm"], world(VOXELS[disc["value"]]), atol=1e-3)
    assert outcome.kind == LABELLED
    assert "not on t2s" in outcome.warnings[0]
    assert [warning["text"] for warning in load(files.report)["warnings"]] == list(outcome.warnings)


def test_the_same_scan_gives_the_same_files(tmp_path, scan):
    """Byte for byte, pictures too, in another folder or over the old files; nothing else is left."""
    job, _ = label(tmp_path, scan, pictures=True)
    first = contents(tmp_path / "out")
    label(tmp_path, scan, pictures=True)
    label(tmp_path, scan, pictures=True, target="again")
    assert contents(tmp_path / "out") == first == contents(tmp_path / "again")
    labels = sorted(name.rpartition("label-")[2] for name in first if name.startswith("sub-1/"))
    assert labels == ["discs_dlabel.json", "discs_dlabel.nii.gz", "discs_measures.tsv", "discs_report.json"]
    shown = {Path(name).name for name in first if not name.startswith("sub-1/")}
    assert shown == {files_of(job, scan).entry.name, "slice.png", "thumb.jpg", "heatmaps.png", "attention.png"}


def test_a_scan_without_disc_leaves_no_file(tmp_path, scan):
    """It fails with its reason."""
    with pytest.raises(NoDiscFound, match="no disc"):
        label(tmp_path, scan, FakePredictor([]))
    assert not (tmp_path / "out").exists()


def test_a_scan_without_disc_is_on_the_page_where_pictures_are_wanted(tmp_path, scan):
    """So that a person can place the discs; it has failed all the same, and no label file is written."""
    with pytest.raises(NoDiscFound):
        label(tmp_path, scan, FakePredictor([]), pictures=True)
    (entry,) = read_entries(tmp_path / "out")
    assert (entry.outcome, entry.discs) == (FAILED, ()) and "no disc was found" in entry.reason
    assert set(entry.pictures) == {"slice", "thumb"}
    assert not list((tmp_path / "out").rglob("*.nii.gz"))


def test_the_segmented_cord_gets_its_levels(tmp_path, scan):
    """Between disc 4 in slice 9 and disc 5 in slice 14 lies vertebra 4, by its own sidecar's word."""
    write_cord(tmp_path / "cords", oblique_affine())
    job, _ = label(tmp_path, scan, cords=tmp_path / "cords")
    files = files_of(job, scan)
    levels = np.asarray(nib.load(files.levels).dataobj)
    assert set(levels[11][levels[11] > 0].tolist()) == {4}
    assert set(np.unique(levels)) == {0, 2, 3, 4, 5, 6, 7}
    measured = {tuple(cells[:2]): float(cells[2]) for cells in cells_of(read_measures(files.measures))}
    between = np.linalg.norm(world(VOXELS[4]) - world(VOXELS[5]))
    assert measured["disc_distance", "C3/C4 to C4/C5"] == pytest.approx(between, rel=1e-3)
    assert measured["cord_length", "C4"] == pytest.approx(5 * 3, abs=3.1)
    assert load(files.levels_sidecar)["Sources"] == [
        f"bids:raw:{NAME}",
        f"bids::{files.labels.relative_to(job.target)}",
        "bids:segmentations:sub-1/ses-2/anat/sub-1_ses-2_T2star_seg.nii.gz",
    ]


def test_the_command_of_the_levels_makes_them_again(tmp_path, scan, monkeypatch):
    """From the folder of the data set, also where a link leads to it; that of the discs names no segmentation."""
    write_cord(tmp_path / "cords", oblique_affine())
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "data").symlink_to(tmp_path / "data")
    job = make_job(tmp_path / "links" / "data", tmp_path / "out", checksum="c" * 64, cords=tmp_path / "cords")
    label_one(job, scan, read_volume(scan.image, lazy=True), Looks(FakePredictor(known_discs())))
    files = files_of(job, scan)
    (maker,) = load(files.sidecar)["GeneratedBy"]
    assert "-s" not in maker["Command"].split()
    (maker,) = load(files.levels_sidecar)["GeneratedBy"]
    monkeypatch.chdir(job.source)
    monkeypatch.setattr(command, "load_predictor", lambda request: FakePredictor(known_discs()))
    assert command.main([*maker["Command"].split()[1:], "-v", "0"]) == 0
    made = {path.name: path.read_bytes() for path in job.source.glob("*.nii.gz")}
    assert made[files.labels.name] == files.labels.read_bytes()
    assert made["sub-1_ses-2_T2star_seg_labeled.nii.gz"] == files.levels.read_bytes()


def test_a_useless_segmentation_costs_the_levels_only(tmp_path, scan):
    """The discs are written all the same, with a warning."""
    far = oblique_affine()
    far[:3, 3] += 1000
    write_cord(tmp_path / "cords", far)
    job, outcome = label(tmp_path, scan, cords=tmp_path / "cords")
    assert outcome.kind == LABELLED
    assert "no levels of the cord" in outcome.warnings[-1]
    assert outcome.codes[-1] == "no_cord_levels" and len(outcome.codes) == len(outcome.warnings)
    assert not files_of(job, scan).levels.exists()
    assert all(path.exists() for path in files_of(job, scan).results())


@pytest.mark.parametrize("given", [True, False])
def test_levels_of_an_earlier_run_do_not_stay_beside_discs_that_have_none(tmp_path, scan, given):
    """The segmentation has become useless, or is no longer given: the old levels may contradict the discs."""
    write_cord(tmp_path / "cords", oblique_affine())
    job, _ = label(tmp_path, scan, cords=tmp_path / "cords")
    files = files_of(job, scan)
    assert files.levels.exists() and files.levels_sidecar.exists()
    write_cord(tmp_path / "cords", oblique_affine() + 1000 * np.eye(4, k=3))
    label(tmp_path, scan, cords=tmp_path / "cords" if given else None)
    assert not files.levels.exists() and not files.levels_sidecar.exists()


def test_a_report_names_a_cord_without_the_folders_of_the_machine(tmp_path, scan):
    """One whose header contradicts itself, and one that cannot be used: the report is the same on every machine."""
    path = tmp_path / "cords" / "sub-1" / "ses-2" / "anat" / "sub-1_ses-2_T2star_seg.nii.gz"
    write_cord(tmp_path / "cords", oblique_affine())
    image = nib.load(path)
    image.set_qform(np.diag([-1, -1, 1, 1]) @ image.affine, 1)
    nib.save(image, path)
    for fault in ("the header holds two geometries", "marks no voxel as spinal cord"):
        job, outcome = label(tmp_path, scan, cords=tmp_path / "cords")
        assert any(f"{path.name}: {fault}" in warning for warning in outcome.warnings)
        assert str(tmp_path) not in files_of(job, scan).report.read_text()
        nib.save(nib.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine), path)


def test_discs_that_a_person_has_corrected_stay_and_the_outcome_says_so(tmp_path, scan):
    """All else is labelled again; nothing claims to be made from the corrected file, or to have made it."""
    write_cord(tmp_path / "cords", oblique_affine())
    job, _ = label(tmp_path, scan, cords=tmp_path / "cords")
    files = files_of(job, scan)
    edited = edit_by_hand(files.labels)
    files.measures.unlink()
    _, outcome = label(tmp_path, scan, cords=tmp_path / "cords")
    assert {path: path.read_bytes() for path in edited} == edited
    assert outcome.kind == LABELLED and outcome.codes[-1] == "corrected_by_hand"
    assert outcome.warnings[-1].startswith(f"{files.labels.name} was made or corrected by hand and is not replaced")
    assert set(load(files.report)["outputs"]) == {"json", "levels"} and files.measures.exists()
    (scan_uri, cord_uri) = load(files.levels_sidecar)["Sources"]
    assert scan_uri == f"bids:raw:{NAME}" and cord_uri.startswith("bids:segmentations:")


def test_discs_that_were_edited_in_a_viewer_stay(tmp_path, scan):
    """The viewer leaves the JSON file as it is; a label file that was cut off is made again."""
    job, _ = label(tmp_path, scan)
    files = files_of(job, scan)
    made = files.labels.read_bytes()
    files.labels.write_bytes(gzip.compress(gzip.decompress(made)[::-1]))
    edited = files.labels.read_bytes()
    assert "corrected_by_hand" in label(tmp_path, scan)[1].codes and files.labels.read_bytes() == edited
    files.labels.write_bytes(made[:-9])
    assert "corrected_by_hand" not in label(tmp_path, scan)[1].codes and files.labels.read_bytes() == made


def test_discs_of_an_expert_without_a_json_file_stay(tmp_path, scan):
    """Also where the scan fails, for which they were made by hand; levels without one are SCT's, and are replaced."""
    write_cord(tmp_path / "cords", oblique_affine())
    job, _ = label(tmp_path, scan, cords=tmp_path / "cords")
    files = files_of(job, scan)
    theirs = files.labels.read_bytes()
    for path in (files.sidecar, files.levels_sidecar):
        path.unlink()
    _, outcome = label(tmp_path, scan, cords=tmp_path / "cords")
    assert outcome.codes[-1] == "corrected_by_hand" and not files.sidecar.exists() and files.levels_sidecar.exists()
    take_up(job, [scan], again=True)
    write_record(job, scan, Outcome(scan.path, FAILED, "took longer than 3 s"))
    assert files.labels.read_bytes() == theirs and not files.levels.exists()


def test_labels_that_a_person_has_corrected_and_unpacked_stay_theirs(tmp_path, scan):
    """As x.nii in the place of x.nii.gz, with the same JSON file: no other labels come beside them."""
    job, _ = label(tmp_path, scan)
    files = files_of(job, scan)
    edit_by_hand(files.labels)
    told = files.sidecar.read_bytes()
    unpacked = files.labels.rename(files.labels.with_suffix(""))
    _, outcome = label(tmp_path, scan)
    assert outcome.warnings[-1].startswith(f"{unpacked.name} was made or corrected by hand and is not replaced")
    assert unpacked.exists() and not files.labels.exists() and files.sidecar.read_bytes() == told


def test_a_scan_all_of_whose_discs_a_person_has_removed_gets_no_label_file(tmp_path, scan):
    """Also when it fails; all else is labelled again, and the outcome says so. Without the JSON file it gets one."""
    job, _ = label(tmp_path, scan)
    files = files_of(job, scan)
    made = files.labels.read_bytes()
    files.labels.unlink()
    said = load(files.sidecar)
    said["GeneratedBy"].append({"Name": "Manual", "Author": "Dr Expert"})
    write_json(files.sidecar, said | {"NoDiscLeft": True})
    emptied = files.sidecar.read_bytes()
    files.report.unlink()
    _, outcome = label(tmp_path, scan)
    assert outcome.kind == LABELLED and outcome.codes[-1] == "corrected_by_hand"
    assert f"all discs were removed by hand, as {files.sidecar.name} says" in outcome.warnings[-1]
    write_record(job, scan, outcome)
    assert settled(job, scan) == outcome and not files.labels.exists()
    take_up(job, [scan], again=True)
    write_record(job, scan, Outcome(scan.path, FAILED, "took longer than 3 s"))
    assert files.sidecar.read_bytes() == emptied and not files.labels.exists()
    files.sidecar.unlink()
    label(tmp_path, scan)
    assert files.labels.read_bytes() == made


@pytest.mark.parametrize("given", [True, False])
def test_levels_that_a_person_has_corrected_stay(tmp_path, scan, given):
    """Whether this run has levels or none; the discs are replaced as ever."""
    write_cord(tmp_path / "cords", oblique_affine())
    job, _ = label(tmp_path, scan, cords=tmp_path / "cords")
    files = files_of(job, scan)
    edited = edit_by_hand(files.levels)
    discs = files.labels.read_bytes()
    files.labels.write_bytes(b"old")
    _, outcome = label(tmp_path, scan, cords=tmp_path / "cords" if given else None)
    assert {path: path.read_bytes() for path in edited} == edited and files.labels.read_bytes() == discs
    assert "corrected_by_hand" in outcome.codes


@pytest.mark.parametrize(("sidecar", "replaced"), [(None, True), ("", True), ("{", False)])
def test_labels_of_which_nothing_is_said_are_those_of_a_run_that_was_killed(tmp_path, scan, sidecar, replaced):
    """They are replaced where their JSON file is missing or empty; who has damaged it has perhaps corrected them."""
    job, _ = label(tmp_path, scan)
    files = files_of(job, scan)
    discs = files.labels.read_bytes()
    files.labels.write_bytes(b"old")
    files.sidecar.unlink()
    if sidecar is not None:
        files.sidecar.write_text(sidecar)
    assert ("corrected_by_hand" in label(tmp_path, scan)[1].codes) != replaced
    if replaced:
        assert files.labels.read_bytes() == discs and load(files.sidecar)["GeneratedBy"]
    else:
        assert files.labels.read_bytes() == b"old" and files.sidecar.read_text() == sidecar


def test_a_scan_whose_files_cannot_all_be_written_fails_with_the_fault_alone(tmp_path, scan):
    """Its label file will not stay, so the reason must not call it written and good."""
    write_cord(tmp_path / "cords", oblique_affine())
    job = make_job(tmp_path / "data", tmp_path / "out", cords=tmp_path / "cords")
    files_of(job, scan).levels.mkdir(parents=True)
    with pytest.raises(DeepspineError, match="not every file could be written: .*_label-vertebrae_dseg") as caught:
        label(tmp_path, scan, cords=tmp_path / "cords")
    assert "good" not in str(caught.value)


def test_a_segmentation_that_cannot_be_seen_fails_its_scan(tmp_path, scan):
    """The record says so, and the labels of the run before, which may have had levels, do not stay."""
    job, outcome = label(tmp_path, scan)
    write_record(job, scan, outcome)
    hidden = tmp_path / "cords" / "sub-1"
    hidden.parent.mkdir()
    hidden.symlink_to(hidden)
    with pytest.raises(DeepspineError, match="of segmentations cannot be read"):
        label(tmp_path, scan, cords=tmp_path / "cords")
    job = make_job(tmp_path / "data", tmp_path / "out", checksum="c" * 64, cords=tmp_path / "cords")
    write_record(job, scan, Outcome(scan.path, FAILED, "of segmentations cannot be read"))
    files = files_of(job, scan)
    assert read_record(files.record)[0].kind == FAILED and not files.labels.exists()


def test_axial_scans_are_skipped():
    """Thick slices along the spine, in any orientation of the file; thick sagittal ones are fine."""
    sagittal = Grid((12, 100, 110), np.diag([4.0, 0.8, 0.9, 1]))
    axial = Grid((100, 110, 12), np.diag([0.8, 0.9, 4.0, 1]))
    for axcodes in ("LIP", "RAS", "PSR", "IAL"):
        assert not is_axial(sagittal.reoriented(tuple(axcodes)))
        assert is_axial(axial.reoriented(tuple(axcodes)))
    assert not is_axial(Grid((90, 90, 90), np.eye(4)))


def test_an_axial_scan_is_not_looked_at(tmp_path):
    """Its outcome is a reason, and no file is written."""
    root = tmp_path / "data"
    path = root / "sub-1" / "anat" / "sub-1_acq-ax_T2w.nii.gz"
    path.parent.mkdir(parents=True)
    data = np.random.default_rng(0).normal(size=(30, 32, 10)).astype(np.float32)
    nib.save(nib.Nifti1Image(data, np.diag([1.0, 1, 5, 1])), path)
    (scan,) = find(root)
    predictor = FakePredictor(known_discs())
    _, outcome = label(tmp_path, scan, predictor)
    assert (outcome.kind, predictor.calls) == (SKIPPED, [])
    assert not (tmp_path / "out").exists()
