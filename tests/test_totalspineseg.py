"""Disc files of SCT's `sct_deepseg spine` beside others: their numbers are known for what they are."""

import json

import numpy as np
import phantom
import pytest

from deepspine_sct.cli.evaluate import main
from deepspine_sct.evaluation.metrics import score_case
from deepspine_sct.evaluation.totalspineseg import comparable, is_totalspineseg, passed_over

THEIRS = {"Name": "spinalcordtoolbox: sct_deepseg spine -i t2.nii.gz", "Version": "7.4"}
OURS = {"Name": "deepspine_sct"}
MANUAL = {"Name": "Manual", "Author": "A. Person"}


@pytest.mark.parametrize(
    ("name", "makers", "expected"),
    [
        ("t2_totalspineseg_discs.nii.gz", None, True),
        ("t2_discs.nii.gz", None, False),
        ("t2_totalspineseg_discs.nii.gz", [OURS], False),
        ("t2_totalspineseg_discs.nii.gz", [THEIRS], True),
        ("t2_label-disc.nii", [THEIRS, MANUAL], True),
        ("t2_label-disc.nii", [{"Name": "spinalcordtoolbox: sct_deepseg spinalcord -i t2.nii.gz"}], False),
        ("t2_totalspineseg_discs.nii.gz", "no list", True),
    ],
)
def test_the_sidecar_tells_and_else_the_name(tmp_path, name, makers, expected):
    """A file of ours under SCT's name is ours; one that a person corrected has the numbers that it began with."""
    if makers is not None:
        (tmp_path / f"{name.partition('.')[0]}.json").write_text(json.dumps({"GeneratedBy": makers}))
    assert is_totalspineseg(tmp_path / name) is expected


def test_discs_that_were_passed_over_are_named():
    """Disc 5 is missed and its number given to disc 6: 5 was passed over; a gap that stays a gap is none."""
    truth = {value: np.array([0.0, 0.0, -20.0 * value]) for value in range(3, 9)}
    runs_on = {3: truth[3], 4: truth[4], 5: truth[6], 6: truth[7], 7: truth[8]}
    assert passed_over(score_case(runs_on, truth)) == (5,)
    assert passed_over(score_case({v: truth[v] for v in (3, 4, 6, 7)}, truth)) == ()
    assert set(comparable({1: 0, 2: 0, 3: 0, 25: 0})) == {3, 25}


def test_an_evaluation_allows_for_the_numbers(tmp_path, capsys):
    """Discs 1 and 2, elsewhere in SCT's files, cost nobody anything, and a passed-over disc is said."""
    root = phantom.write_bids(tmp_path / "bids", ("sub-aa01", "sub-aa02"))
    points = phantom.discs(drift_mm=0.0)
    first, *_, last = sorted(points)
    with_top = points | {1: points[first] + (0, 0, 16.0), 2: points[first] + (0, 0, 8.0)}
    for n, subject in enumerate(("sub-aa01", "sub-aa02")):
        for contrast in ("T1w", "T2w"):
            theirs = dict(with_top)
            if (n, contrast) == (0, "T1w"):  # the third disc is missed, and the numbers run on
                rest = [xyz for value, xyz in sorted(points.items()) if value != first + 2]
                theirs = dict(zip(range(first, last), rest, strict=True))
            folder = root / "derivatives" / "labels" / subject / "anat"
            phantom.save(folder / f"{subject}_{contrast}_totalspineseg_discs.nii.gz", phantom.labels(theirs))
            other = {1: points[first] + (0, 4.0, 14.0), 2: points[first] + (0, 8.0, 10.0)} | phantom.discs(
                drift_mm=2.0 * n
            )
            phantom.save(tmp_path / "other" / f"{subject}_{contrast}.nii.gz", phantom.labels(other))
    pattern = f"tss={root}/derivatives/labels/{{folder}}/{{stem}}_totalspineseg_discs.nii.gz"
    arguments = ["-path-data", str(root), "-ofolder", str(tmp_path / "out"), "-worst", "0", "-pred", pattern]
    assert main([*arguments, "-span", "0", "-pred", f"other={tmp_path}/other/{{stem}}.nii.gz"]) == 0
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    rows = {row["tool"]: row for row in summary["rows"] if row["by"] == "all"}
    assert rows["other"]["false"] == 0 and rows["other"]["identification_rate"] == 1
    assert rows["tss"]["missed"] == len(points) - 2
    err = capsys.readouterr().err
    for text in ("Discs 1 and 2 were left out everywhere", "it missed 1 disc in 1 image, and"):
        assert text in err and any(text in note for note in summary["notes"])
