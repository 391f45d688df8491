"""`sct_deepspine_evaluate` from the shell's side: tools compared on files, and networks."""

import csv
import json
import shutil
from itertools import product

import nibabel as nib
import numpy as np
import phantom
import pytest
from scipy import ndimage

from deepspine_sct.cli.evaluate import main
from deepspine_sct.cli.prepare import main as prepare
from deepspine_sct.model.checkpoint import save_checkpoint
from deepspine_sct.model.hourglass import StackedHourglass
from deepspine_sct.model.hourglass_config import HourglassConfig

SUBJECTS = ("sub-aa01", "sub-aa02", "sub-bb01")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A BIDS data set, a perfect tool's files and those of one that is a level too low."""
    root = phantom.write_bids(tmp_path_factory.mktemp("data") / "bids", SUBJECTS)
    for n, subject in enumerate(SUBJECTS):
        for contrast in ("T1w", "T2w"):
            points = phantom.discs(drift_mm=2.0 * n)
            name = f"{subject}_{contrast}"
            phantom.save(root / "good" / f"{name}_discs.nii.gz", phantom.labels(points))
            low = {value + 1: xyz_mm for value, xyz_mm in points.items()}
            phantom.save(root / "low" / subject / f"{contrast}.nii.gz", phantom.labels(low))
    return root


def overall(folder) -> dict[str, dict]:
    """The rows over all images, by tool."""
    rows = json.loads((folder / "summary.json").read_text())["rows"]
    return {row["tool"]: row for row in rows if row["by"] == "all"}


def test_two_tools_are_compared_on_the_same_images(data, tmp_path, capsys):
    """The perfect one is right, the shifted one is off by one everywhere; all files are there."""
    arguments = ["-path-data", str(data), "-ofolder", str(tmp_path)]
    arguments += ["-pred", f"good={data}/good/{{stem}}_discs.nii.gz"]
    arguments += ["-pred", f"low={data}/low/{{subject}}/{{contrast}}.nii.gz", "-worst", "1"]
    assert main(arguments) == 0
    rows = overall(tmp_path)
    assert rows["good"]["identification_rate"] == 1 and rows["good"]["n_images"] == 6
    assert rows["low"]["identification_rate"] == 0 and rows["low"]["off_by_one"] == 30
    assert rows["low"]["images_off_by_one"] == 1 and rows["low"]["fpr_any_name"] == 0
    with (tmp_path / "discs.csv").open(newline="") as file:
        discs = list(csv.DictReader(file))
    assert len(discs) == 30 + 30 + 30  # true discs of both tools, and the false ones of one
    assert {row["site"] for row in discs} == {"aa", "bb"}
    with (tmp_path / "summary.csv").open(newline="") as file:
        groups = {(row["by"], row["group"]) for row in csv.DictReader(file)}
    assert {("contrast", "T1w"), ("site", "bb"), ("level", "7")} <= groups
    names = {path.name for path in tmp_path.iterdir()}
    assert {"index.html", "distance_per_level.png", "confusion_good.png"} <= names
    assert len([name for name in names if name.startswith("worst_")]) == 2
    out = capsys.readouterr().out
    assert "good: every name right in 100.0 % (43.9 to 100.0) of 6 images of 3 subjects; of 30 discs 100.0 %" in out
    assert "30 off by one" in out and "detected" in out


def test_a_missing_file_is_a_case_without_discs_and_is_said(data, tmp_path, capsys):
    """It costs all its discs, and stderr names it; with no file at all the pattern is wrong."""
    (tmp_path / "some").mkdir()
    for path in sorted((data / "good").iterdir())[1:]:
        (tmp_path / "some" / path.name).symlink_to(path)
    arguments = ["-path-data", str(data), "-ofolder", str(tmp_path / "out"), "-worst", "0"]
    pattern = f"tool={tmp_path}/some/{{stem}}_discs.nii.gz"
    assert main([*arguments, "-pred", pattern]) == 0
    assert overall(tmp_path / "out")["tool"]["identification_rate"] == pytest.approx(25 / 30)
    assert "sub-aa01_T1w_discs.nii.gz: no such file" in capsys.readouterr().err
    arguments[3] = str(tmp_path / "none")
    assert main([*arguments, "-pred", "tool=nowhere/{stem}.nii.gz"]) == 1
    assert not (tmp_path / "none").exists()
    message = capsys.readouterr().err
    assert "there is no answer to any image" in message and "counted" not in message
    assert main([*arguments, "-pred", "tool={name}.nii.gz"]) == 1
    assert "use the fields {stem}" in capsys.readouterr().err


def spoil(path, how: str) -> None:
    """Turn a right label file into another kind of file."""
    image = nib.load(path)
    data = np.asarray(image.dataobj).astype(np.float32)
    if how == "interpolated":
        data = ndimage.zoom(ndimage.grey_dilation(data, size=3), 0.9, order=1)
    elif how == "twice":
        data[np.unravel_index(np.flatnonzero(data == 0)[0], data.shape)] = data.max()
    elif how == "levels":
        top = np.argwhere(data == data.max())[0]
        data[tuple(slice(max(0, n - 8), n + 8) for n in top)] = data.max()
    elif how == "huddled":
        data = phantom.labels({value: [2.0, -10.0, 30.0 - 2 * value] for value in phantom.discs()})
    elif how == "upwards":
        values = sorted(phantom.discs())
        data = phantom.labels(dict(zip(values[::-1], phantom.discs().values(), strict=True)))
    affine = image.affine.copy()
    affine[2, 3] += 400 if how == "moved" else 0
    nib.save(nib.Nifti1Image(data, affine), path)


@pytest.mark.parametrize(
    ("how", "where"),
    [
        *product(("interpolated", "twice", "levels"), ("truth", "prediction")),
        *product(("moved", "huddled"), ("truth",)),
    ],
)
def test_a_file_that_is_no_label_file_is_left_out_for_all_tools(data, tmp_path, capsys, how, where):
    """It is neither scored as truth nor as a tool that found nothing: the others get their 100 %."""
    root = tmp_path / "data"
    shutil.copytree(data, root)
    labels = root / "derivatives" / "labels" / "sub-aa01" / "anat"
    truth, prediction = labels / "sub-aa01_T2w_label-discs_dlabel.nii.gz", root / "good" / "sub-aa01_T2w_discs.nii.gz"
    spoil(truth if where == "truth" else prediction, how)
    arguments = ["-path-data", str(root), "-ofolder", str(tmp_path / "out"), "-worst", "0"]
    arguments += ["-pred", f"low={root}/low/{{subject}}/{{contrast}}.nii.gz"]
    assert main([*arguments, "-pred", f"good={root}/good/{{stem}}_discs.nii.gz"]) == 0
    rows, streams = overall(tmp_path / "out"), capsys.readouterr()
    assert rows["good"]["identification_rate"] == 1
    assert rows["good"]["n_images"] == rows["low"]["n_images"] == 5
    assert "left out" in streams.err and (truth if where == "truth" else prediction).name in streams.err
    assert ("left out: 1 image, whose" if where == "truth" else "Left out: 1 of 6 images") in "".join(streams)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("moved", "disc 3 (C2/C3) lies outside of the image"),
        ("huddled", "discs 3 (C2/C3) and 4 (C3/C4) lie 2 mm apart"),
        ("upwards", "the values grow from foot to head"),
    ],
)
def test_a_prediction_that_lies_as_no_spine_in_the_image_is_scored_and_named(data, tmp_path, capsys, how, message):
    """Its discs are missed, as for any tool that is wrong, but the file may be at fault, and is said."""
    shutil.copytree(data / "good", tmp_path / "good")
    prediction = tmp_path / "good" / "sub-aa01_T2w_discs.nii.gz"
    spoil(prediction, how)
    arguments = ["-path-data", str(data), "-ofolder", str(tmp_path / "out"), "-worst", "0"]
    assert main([*arguments, "-pred", f"good={tmp_path}/good/{{stem}}_discs.nii.gz"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Warning: {prediction}: {message}") and line.endswith("; it is scored as it stands")
    row = overall(tmp_path / "out")["good"]
    assert row["n_images"] == 6 and row["images_all_named"] == pytest.approx(5 / 6)


def test_disc_files_are_scored_without_their_images(data, tmp_path, capsys):
    """Images that git-annex has not fetched cost their pictures, and nothing else."""
    root = tmp_path / "data"
    shutil.copytree(data, root)
    for image in root.glob("sub-*/anat/*_T2w.nii.gz"):
        image.unlink()
        image.symlink_to(".git/annex/objects/x")
    arguments = ["-path-data", str(root), "-ofolder", str(tmp_path / "out"), "-worst", "9"]
    assert main([*arguments, "-pred", f"good={root}/good/{{stem}}_discs.nii.gz"]) == 0
    assert overall(tmp_path / "out")["good"]["identification_rate"] == 1
    worst = [path.name for path in (tmp_path / "out").glob("worst_*")]
    assert len(worst) == 3 and all("T1w" in name for name in worst)
    assert capsys.readouterr().err.count("no picture of sub-") == 3


def test_a_network_is_run_on_a_prepared_set_and_shows_where_it_looked(data, tmp_path, capsys):
    """An untrained one finds little; its maps lie on the grid of the scan, and where that is gone of the slabs."""
    gone = shutil.copytree(data, tmp_path / "data")
    prepare(["-path-data", str(gone), "-o", str(tmp_path / "set"), "-v", "0"])
    model = tmp_path / "net.safetensors"
    description = {"spacing_mm": 2.0, "thickness_mm": 5.0, "loss": "cross_entropy"}
    save_checkpoint(model, StackedHourglass(HourglassConfig(n_features=8)), description)
    arguments = ["-set", str(tmp_path / "set"), "-model", f"net={model}", "-device", "cpu"]
    arguments += ["-attention", "-heatmaps"]
    assert main([*arguments, "-ofolder", str(tmp_path / "scans")]) == 0
    for shown in (tmp_path / "scans" / "heatmaps" / "net").glob("*.nii.gz"):
        (scan,) = gone.glob(f"sub-*/anat/{shown.name}")
        np.testing.assert_allclose(nib.load(shown).affine, nib.load(scan).affine, atol=1e-5)
        assert nib.load(shown).shape == nib.load(scan).shape
    assert "are gone" not in capsys.readouterr().err
    shutil.rmtree(gone)
    assert main([*arguments, "-ofolder", str(tmp_path / "out")]) == 0
    assert "slabs of 2 of 2 scans, as the scan itself is gone" in capsys.readouterr().err
    assert overall(tmp_path / "out")["net"]["n_images"] == 2  # the test part
    for kind in ("attention", "heatmaps"):
        maps = sorted((tmp_path / "out" / kind / "net").iterdir())
        assert [path.suffix for path in maps] == [".gz", ".png", ".gz", ".png"]
        shown = nib.load(maps[0])
        case = maps[0].name.removesuffix(".nii.gz")
        with np.load(tmp_path / "set" / "slabs" / f"{case}.npz") as slabs:
            assert shown.shape == slabs["data"].shape
            np.testing.assert_allclose(shown.affine, slabs["affine"], atol=1e-5)
        assert shown.get_fdata().min() >= 0 and shown.get_fdata().max() <= 1


def test_slabs_of_another_pixel_size_are_refused(data, tmp_path, capsys):
    """One line that says how to prepare the set, not that a file cannot be read or a disc is counted as not found.

    Scans that are still there are labelled whatever the slabs are.
    """
    gone = shutil.copytree(data, tmp_path / "data")
    prepare(["-path-data", str(gone), "-o", str(tmp_path / "set"), "-spacing", "1.5", "-v", "0"])
    model = tmp_path / "net.safetensors"
    description = {"spacing_mm": 2.0, "thickness_mm": 5.0, "loss": "cross_entropy"}
    save_checkpoint(model, StackedHourglass(HourglassConfig(n_features=8)), description)
    arguments = ["-set", str(tmp_path / "set"), "-model", f"net={model}"]
    assert main([*arguments, "-ofolder", str(tmp_path / "out")]) == 0
    shutil.rmtree(gone)
    assert main([*arguments, "-ofolder", str(tmp_path / "out")]) == 1
    message = capsys.readouterr().err
    assert "there is no answer to any image" in message and "prepare the set with -spacing 2" in message
    assert "can be read" not in message and "counted" not in message


@pytest.mark.parametrize(
    "arguments",
    [
        ["-set", "s", "-ofolder", "o"],
        ["-set", "s", "-path-data", "d", "-ofolder", "o", "-pred", "a=b"],
        ["-set", "s", "-ofolder", "o", "-pred", "b"],
        ["-ofolder", "o", "-pred", "a=b"],
        ["-set", "s", "-ofolder", "o", "-pred", "a=b", "-tolerance", "0"],
    ],
)
def test_usage_errors_exit_with_2(arguments):
    """No tool, two truths, no name, no truth, and a tolerance of nothing."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{{data}}/good/sub-aa01_T1w_discs.nii.gz", "subjects or sessions; use a field such as {stem}"),
        ("{{data}}/{stem.foo}", "use the fields {stem}"),
        ("{{data}}/{stem[x]}", "use the fields {stem}"),
    ],
)
def test_a_pattern_that_cannot_be_meant_is_refused(data, tmp_path, capsys, pattern, message):
    """One file for several people, and fields that are none."""
    pattern = pattern.replace("{{data}}", str(data))
    assert main(["-path-data", str(data), "-ofolder", str(tmp_path / "out"), "-pred", f"a={pattern}"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line and not (tmp_path / "out").exists()


def test_a_data_set_without_labels_is_told_the_options_that_find_them(data, tmp_path, capsys):
    """-part, which belongs to a prepared set, is a usage error there."""
    arguments = ["-path-data", str(data), "-ofolder", str(tmp_path / "out"), "-label-suffix", "_none"]
    assert main([*arguments, "-pred", f"a={data}/good/{{stem}}_discs.nii.gz"]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.endswith("holds no labelled image; check -c, -label-suffix and -label-folder")


def test_a_report_into_a_file_is_refused_at_once(data, tmp_path, capsys):
    """With the remedy, and the file stays."""
    (tmp_path / "report").write_text("mine")
    arguments = ["-path-data", str(data), "-pred", f"good={data}/good/{{stem}}_discs.nii.gz"]
    assert main([*arguments, "-ofolder", str(tmp_path / "report")]) == 1
    assert "is a file, not a folder; give another folder" in capsys.readouterr().err
    assert (tmp_path / "report").read_text() == "mine"


@pytest.mark.parametrize("option", [["-part", "val"], ["-attention"], ["-heatmaps"]])
def test_an_option_that_would_do_nothing_is_a_usage_error(data, tmp_path, option):
    """-part of a data set, and the network's maps where no network runs."""
    arguments = ["-path-data", str(data), "-pred", f"good={data}/good/{{stem}}_discs.nii.gz"]
    with pytest.raises(SystemExit) as ending:
        main([*arguments, "-ofolder", str(tmp_path / "out"), *option])
    assert ending.value.code == 2 and not (tmp_path / "out").exists()
