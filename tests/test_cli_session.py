"""The command and the batch on the scans of one session: two stations of a simulated spine, and what does not fit."""

import json
import shutil
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from benchmarks.acceptance.session_localizer import three_planes
from deepspine_sct.cli.batch import main as batch
from deepspine_sct.cli.label import main as label
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.labels import read_labels
from deepspine_sct.image.nifti import read_volume, write_volume
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.image.volume import Volume, crop
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.scan import report as report_module
from deepspine_sct.scan.label_scan import label_scan
from deepspine_sct.scan.request import ScanRequest

DATA = Path(__file__).resolve().parent.parent / "data_test"
MOVED_MM = (1.0, 4.0, -5.0)


def write_station(path: Path, source: str, values: range, moved_mm=(0.0, 0.0, 0.0)) -> dict[int, np.ndarray]:
    """Cut the rows of some discs out of a scan, move it, and return the discs of its neighbourhood."""
    volume = canonical(read_volume(DATA / f"{source}.nii.gz"))
    truth = read_labels(DATA / f"{source}_labels.nii.gz")
    rows = volume.grid.to_index(np.array([truth[v] for v in values]))[:, 1]
    low, high = np.zeros(3, int), np.array(volume.grid.shape)
    low[1], high[1] = max(rows.min() - 12, 0), min(rows.max() + 13, high[1])
    window = crop(volume, low, high)
    affine = window.grid.affine.copy()
    affine[:3, 3] += moved_mm
    write_volume(path, Volume(np.asarray(window.data), Grid(window.grid.shape, affine)))
    return {v: truth[v] + moved_mm for v in range(values[0] - 1, values[-1] + 2) if v in truth}


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """Write a neck, an upper thorax that overlaps it by three discs and has moved, and a scan of somebody else."""
    folder = tmp_path_factory.mktemp("session")
    truth = {
        "neck": write_station(folder / "neck.nii.gz", "t2_sim", range(2, 9)),
        "chest": write_station(folder / "chest.nii.gz", "t2_sim", range(6, 12), MOVED_MM),
    }
    shutil.copyfile(DATA / "t2_lumbar_sim.nii.gz", folder / "stranger.nii.gz")
    (folder / "broken.nii.gz").write_bytes(b"no image" * 500)
    return folder, truth


def run(folder, *arguments, more=()):
    """Label the chest with others, and with more options; return the exit status and the report."""
    out = folder / "out"
    paths = [str(folder / f"{name}.nii.gz") for name in arguments]
    argv = ["-i", str(folder / "chest.nii.gz"), "-c", "t2", "-ofolder", str(out), "-json", str(folder / "r.json")]
    status = label([*argv, *more, *(["-with", *paths] if paths else [])])
    return status, json.loads((folder / "r.json").read_text())


def test_a_chest_is_named_with_a_neck_and_the_report_says_how(session, capsys):
    """Names are right, the movement is found within 3 mm, and report and screen name the other scan."""
    folder, truth = session
    status, report = run(folder, "neck")
    assert status == 0
    found = {disc["value"]: disc["world_mm"] for disc in report["discs"]}
    assert len(found) >= 5 and set(found) <= set(truth["chest"])
    for value, xyz_mm in found.items():
        assert np.linalg.norm(np.subtract(xyz_mm, truth["chest"][value])[1:]) < 5
    neck = report["session"]["companions"][0]
    assert neck["joined"] and neck["reason"] == ""
    assert np.abs(np.add(neck["moved_mm"], -np.array(MOVED_MM)))[1:].max() < 3
    assert report["session"]["decided_by"] in (str(folder / "neck.nii.gz"), str(folder / "chest.nii.gz"))
    assert report["inputs"]["beside"] == [str(folder / "neck.nii.gz")]
    assert "Named together with" in capsys.readouterr().out
    schema = json.loads(Path(report_module.__file__).with_name("report_schema.json").read_text())
    jsonschema.validate(report, schema)


def test_discs_that_were_not_asked_for_are_not_renamed_by_the_others(session):
    """With -discs the report tells the same renaming of the discs asked for, and of no other disc."""
    folder, _ = session
    _, everything = run(folder, "neck")
    values = [disc["value"] for disc in everything["discs"]]
    _, some = run(folder, "neck", more=("-discs", f"{values[0]},{values[1]}"))
    assert [disc["value"] for disc in some["discs"]] == values[:2]
    names = {disc["name"] for disc in some["discs"]}
    expected = [pair for pair in everything["session"]["renamed"] if names & set(pair.values())]
    assert some["session"]["renamed"] == expected


def test_a_report_of_a_cohort_names_a_copy_without_the_folders_of_the_machine(session):
    """So that the same scan gives the same report on every machine."""
    folder, _ = session
    shutil.copyfile(folder / "chest.nii.gz", folder / "twin.nii.gz")
    image, twin = folder / "chest.nii.gz", folder / "twin.nii.gz"
    labelled = label_scan(ScanRequest("chest", image, "t2", beside=(twin,), repeatable=True), Predictor.load())
    (told,) = [str(caution) for caution in labelled.cautions if "the same image" in str(caution)]
    assert told.endswith("it shows the same image as chest.nii.gz") and str(folder) not in labelled.report.to_json()


def test_a_copy_of_the_scan_has_no_vote(session, capsys):
    """Neither the same file under another name nor the same voxels in other units make the names surer."""
    folder, _ = session
    shutil.copyfile(folder / "chest.nii.gz", folder / "copy.nii.gz")
    volume = read_volume(folder / "chest.nii.gz")
    write_volume(folder / "brighter.nii.gz", Volume(volume.data * 3 + 7, volume.grid))
    _, alone = run(folder)
    status, report = run(folder, "copy", "brighter")
    assert status == 0 and report["level_confidence"] == alone["level_confidence"]
    assert [c["joined"] for c in report["session"]["companions"]] == [False, False]
    assert "copy.nii.gz does not help to name this scan: it shows the same image as" in capsys.readouterr().err
    _, once = run(folder, "neck")
    _, twice = run(folder, "neck", "copy")
    assert twice["level_confidence"] == once["level_confidence"]


def test_what_does_not_fit_changes_nothing_and_is_named_with_a_reason(session, capsys):
    """Beside somebody else's scan and a file that is none, the discs are those of the chest alone."""
    folder, _ = session
    _, alone = run(folder)
    status, report = run(folder, "stranger", "broken")
    assert status == 0
    for key in ("discs", "level_confidence", "level_margin"):
        assert report[key] == alone[key]
    assert [companion["joined"] for companion in report["session"]["companions"]] == [False, False]
    assert all(companion["reason"] for companion in report["session"]["companions"])
    error = capsys.readouterr().err
    assert "stranger.nii.gz does not help" in error and "broken.nii.gz does not help" in error
    assert alone["session"] is None


def test_a_localizer_of_three_planes_in_one_file_helps_by_its_sagittal_slices(session):
    """Coronal and axial slices behind the sagittal ones, 10 mm thick and under one affine, make no name worse."""
    folder, truth = session
    volume = canonical(read_volume(DATA / "t2_sim.nii.gz"))
    planes = three_planes(volume)
    write_volume(folder / "localizer.nii.gz", planes)
    status, report = run(folder, "localizer")
    assert status == 0 and len(planes.data) == 9
    found = {disc["value"]: disc["world_mm"] for disc in report["discs"]}
    assert len(found) >= 5 and set(found) <= set(truth["chest"])
    (localizer,) = report["session"]["companions"]
    assert localizer["joined"] and len(localizer["discs"]) > len(found)
    assert report["level_confidence"] >= report["session"]["level_confidence_alone"]


@pytest.mark.parametrize("first", ["axial", "coronal"])
def test_a_localizer_whose_affine_is_that_of_another_plane_is_left_out_with_a_reason(session, capsys, first):
    """Where the sagittal slices lie under the affine of an axial or coronal one, the scan is named as by itself."""
    folder, _ = session
    planes = three_planes(canonical(read_volume(DATA / "t2_sim.nii.gz")))
    pixel_mm = planes.grid.zooms_mm[1]
    steps_mm = {"axial": [(0, 0, -10), (0, -pixel_mm, 0), (-pixel_mm, 0, 0)]}
    steps_mm["coronal"] = [(0, -10, 0), (0, 0, -pixel_mm), (-pixel_mm, 0, 0)]
    affine = np.eye(4)
    affine[:3, :3] = np.transpose(steps_mm[first])
    middle = (np.array(planes.grid.shape) - 1) / 2
    affine[:3, 3] = planes.grid.to_world(middle) - affine[:3, :3] @ middle
    write_volume(folder / f"{first}.nii.gz", Volume(planes.data, Grid(planes.grid.shape, affine)))
    _, alone = run(folder)
    status, report = run(folder, first)
    assert status == 0 and report["discs"] == alone["discs"]
    (localizer,) = report["session"]["companions"]
    assert not localizer["joined"] and localizer["reason"] and "\n" not in localizer["reason"]
    assert f"{first}.nii.gz does not help" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("others", "more", "status", "word"),
    [
        (["neck"], ["-initz", "3,9"], 2, "not allowed with"),
        (["neck"], ["-straighten", "2"], 2, "not allowed with"),
        (["chest"], [], 1, "given twice"),
        (["neck", "neck"], [], 1, "given twice"),
        (["missing"], [], 1, "no such file"),
    ],
)
def test_requests_that_make_no_sense_are_refused(session, capsys, others, more, status, word):
    """A known disc, a straight image, a scan twice and a missing file are refused before anything is written."""
    folder, _ = session
    argv = ["-i", str(folder / "chest.nii.gz"), "-c", "t2", "-o", str(folder / "none.nii.gz")]
    argv += [*more, "-with", *(str(folder / f"{name}.nii.gz") for name in others)]
    try:
        result = label(argv)
    except SystemExit as stop:
        result = stop.code
    assert result == status and word in capsys.readouterr().err
    assert not (folder / "none.nii.gz").exists()


def test_a_batch_names_the_scans_of_a_session_together(session, tmp_path):
    """Each report names the other scan; a second run finds all done, and one without --joint does it again."""
    folder, truth = session
    anat = tmp_path / "data" / "sub-1" / "ses-1" / "anat"
    anat.mkdir(parents=True)
    for name, station in (("acq-chest", "chest"), ("acq-neck", "neck")):
        shutil.copyfile(folder / f"{station}.nii.gz", anat / f"sub-1_ses-1_{name}_T2w.nii.gz")
    arguments = [str(tmp_path / "data"), str(tmp_path / "out"), "participant", "--n-procs", "1", "-v", "0"]
    assert batch([*arguments, "--joint"]) == 0
    results = tmp_path / "out" / "sub-1" / "ses-1" / "anat"
    reports = {
        name: json.loads((results / f"sub-1_ses-1_acq-{name}_T2w_label-discs_report.json").read_text())
        for name in ("chest", "neck")
    }
    for name, other in (("chest", "neck"), ("neck", "chest")):
        (companion,) = reports[name]["session"]["companions"]
        assert companion["image"] == f"sub-1_ses-1_acq-{other}_T2w.nii.gz" and companion["joined"]
        assert {disc["value"] for disc in reports[name]["discs"]} <= set(truth[name])
    before = {path: path.stat().st_mtime_ns for path in results.iterdir()}
    assert batch([*arguments, "--joint"]) == 0
    assert {path: path.stat().st_mtime_ns for path in results.iterdir()} == before
    assert batch(arguments) == 0
    report = json.loads((results / "sub-1_ses-1_acq-chest_T2w_label-discs_report.json").read_text())
    assert report["session"] is None
