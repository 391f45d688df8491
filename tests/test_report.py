"""The report and its schema: what programs read of a labelled scan."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from fake_predictor import FakePredictor, known_discs, world, write_scan

import deepspine_sct
from deepspine_sct.caution import CODES
from deepspine_sct.cli import label
from deepspine_sct.labeling.discs import Disc
from deepspine_sct.scan import report
from deepspine_sct.scan.label_scan import label_scan
from deepspine_sct.scan.request import ScanRequest

SCHEMA = json.loads((Path(deepspine_sct.__file__).parent / "scan" / "report_schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    """Work in a folder that holds the scan alone."""
    monkeypatch.chdir(tmp_path)
    write_scan(tmp_path / "t2.nii.gz")
    return tmp_path


def test_the_schema_is_one():
    """It is valid by the rules of JSON Schema itself."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_schema_knows_every_code():
    """No caution can be reported that the schema has not heard of, and none is listed in vain."""
    codes = SCHEMA["properties"]["warnings"]["items"]["properties"]["code"]["enum"]
    assert codes == list(CODES)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("-initz", "18,4", "-discs", "3:9", "-thr", "0.3"),
        ("-straighten", "2", "-overlay", "o.png", "-qc", "qc", "-attention", "a.nii.gz"),
    ],
)
def test_what_the_command_writes_follows_the_schema(in_folder, monkeypatch, arguments):
    """With and without options, with cautions of several kinds, and with a disc outside of the image."""
    discs = [*known_discs(), Disc(8, world((29, 22, 3)), 0.21), Disc(9, world((40, 22, 3)), 0.9)]
    fake = FakePredictor(discs, warnings=("a gap",))
    monkeypatch.setattr(label, "load_predictor", lambda request: fake)
    assert label.main(["-i", "t2.nii.gz", "-c", "t2s", "-json", "r.json", *arguments]) == 0
    report = json.loads((in_folder / "r.json").read_text())
    VALIDATOR.validate(report)
    assert {"disc_missing", "outside_image", "low_confidence", "untested_contrast"} <= {
        warning["code"] for warning in report["warnings"]
    }


def test_the_schema_refuses_what_is_no_report(in_folder):
    """A misspelt key, a warning without its code and a confidence above one are seen."""
    labelled = label_scan(ScanRequest("t2.nii.gz", in_folder / "t2.nii.gz"), FakePredictor(known_discs()))
    good = labelled.report.to_dict()
    assert VALIDATOR.is_valid(good)
    disc = good["discs"][0]
    for change in (
        {"disks": []},
        {"warnings": [{"text": "a gap"}]},
        {"warnings": [{"code": "gap", "text": "a gap"}]},
        {"level_confidence": 1.2},
        {"discs": [disc | {"value": 26}]},
        {"discs": [disc | {"world_mm": [1.0, 2.0]}]},
    ):
        assert not VALIDATOR.is_valid(good | change), change


def test_the_report_is_the_labelling(in_folder):
    """`to_json` is strict JSON of the typed report, whose discs are those of the answer."""
    labelled = label_scan(ScanRequest("t2.nii.gz", in_folder / "t2.nii.gz", "t2"), FakePredictor(known_discs()))
    report = labelled.report
    assert json.loads(report.to_json()) == report.to_dict()
    for disc, told in zip(labelled.discs, report.discs, strict=True):
        assert (told.value, told.name, told.voxel) == (disc.value, disc.name, labelled.voxels[disc.value])
        assert np.allclose(told.world_mm, disc.xyz_mm, atol=5e-4)
    with pytest.raises(AttributeError):
        report.level_confidence = 1.0


def test_rounding_lifts_no_confidence_over_a_limit(in_folder, monkeypatch, capsys):
    """Discs just below 0.9 and 0.5, and names just below 0.9, are so in the report, the table and the warning."""
    near, weak = known_discs()[:2]
    fake = FakePredictor([replace(near, confidence=0.89997), replace(weak, confidence=0.49996)])
    fake.labeling = replace(fake.labeling, level_confidence=0.89999)
    monkeypatch.setattr(label, "load_predictor", lambda request: fake)
    assert label.main(["-i", "t2.nii.gz", "-c", "t2", "-json", "r.json"]) == 0
    told = json.loads((in_folder / "r.json").read_text())
    assert [disc["confidence"] for disc in told["discs"]] == [0.8999, 0.4999] and told["level_confidence"] == 0.8999
    printed = capsys.readouterr()
    shown = [line.split()[-1] for line in printed.out.splitlines() if line.lstrip().startswith(("3 ", "4 "))]
    assert shown == ["0.89", "0.49"] and "level assignment: 0.89" in printed.out
    assert "low confidence, check by eye: 4 (C3/C4, 0.49)" in printed.err


def test_the_versions_are_looked_up_once(monkeypatch):
    """A process that labels many scans reads the descriptions of the installed packages for the first one only."""
    known = report.installed_versions()
    monkeypatch.setattr(report.metadata, "version", lambda _: pytest.fail("looked up again"))
    assert report.installed_versions() == known
    assert known["deepspine_sct"] == deepspine_sct.__version__
