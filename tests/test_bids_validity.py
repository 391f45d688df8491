"""The output of a run is a BIDS derivative data set, by the word of the official validator."""

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from cohort_cases import DATA_TEST

from deepspine_sct.cli import batch

VALIDATOR = Path(sys.executable).with_name("bids-validator-deno")
SCANS = {
    "sub-01/ses-a/anat/sub-01_ses-a_T2w": "t2_sim",
    "sub-01/ses-a/anat/sub-01_ses-a_run-1_T1w": "t1_sim",
    "sub-01/ses-b/anat/sub-01_ses-b_acq-lumbar_run-2_T2w": "t2_lumbar_sim",
}


@pytest.fixture(scope="module")
def out(tmp_path_factory) -> Path:
    """Label sessions and runs with pictures and with levels of a cord; one scan is damaged, one a pointer."""
    root = tmp_path_factory.mktemp("bids")
    data = root / "data"
    for name, source in SCANS.items():
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(DATA_TEST / f"{source}.nii.gz", data / f"{name}.nii.gz")
    broken = data / "sub-03" / "anat" / "sub-03_T2w.nii.gz"
    broken.parent.mkdir(parents=True)
    broken.write_bytes((DATA_TEST / "t2_sim.nii.gz").read_bytes()[:5000])
    broken.with_name("sub-03_T1w.nii.gz").symlink_to("../../.git/annex/objects/gone")
    first = next(iter(SCANS))
    scan = nib.load(data / f"{first}.nii.gz")
    labels = np.asarray(nib.load(DATA_TEST / "t2_sim_labels.nii.gz").dataobj)
    cord = np.zeros(scan.shape, np.uint8)
    ijk = np.argwhere(labels)
    axis = int(np.ptp(ijk, axis=0).argmax())  # the spine runs along the axis on which its discs are far apart
    low, high = ijk[:, axis].min(), ijk[:, axis].max()
    middle = ijk.mean(axis=0).astype(int)
    box = [slice(m - 1, m + 2) for m in middle]
    box[axis] = slice(low, high + 1)
    cord[tuple(box)] = 1
    target = root / "seg" / f"{first}_seg.nii.gz"
    target.parent.mkdir(parents=True)
    nib.save(nib.Nifti1Image(cord, scan.affine), target)
    arguments = ["--qc", "--n-procs", "1", "--derivatives-seg", str(root / "seg"), "-v", "0"]
    assert batch.main([str(data), str(root / "out"), "participant", *arguments]) == 1
    assert list((root / "out").rglob("*_label-vertebrae_dseg.nii.gz"))
    return root / "out"


def issues(folder: Path) -> list[dict]:
    """Ask the validator."""
    answer = subprocess.run([VALIDATOR, folder, "--format", "json"], capture_output=True, text=True, check=False)
    return json.loads(answer.stdout)["issues"]["issues"]


@pytest.mark.skipif(not VALIDATOR.exists(), reason="no bids-validator-deno beside this Python")
def test_the_official_validator_finds_no_error(out, tmp_path):
    """In all that a run leaves behind; and it would say so if there were one."""
    errors = [issue for issue in issues(out) if issue["severity"] == "error"]
    assert errors == []
    spoiled = tmp_path / "spoiled"
    shutil.copytree(out, spoiled, symlinks=True)
    (spoiled / "scans.tsv").write_text("a\tb\n")
    assert [issue["severity"] for issue in issues(spoiled)].count("error") > 0


def test_no_name_collides_with_one_that_bids_keeps_for_itself(out):
    """No scans.tsv, no participants.tsv, no sessions.tsv at the root or for a subject."""
    reserved = {"scans", "participants", "sessions", "samples", "events", "channels"}
    for path in out.rglob("*.tsv"):
        assert path.stem.rpartition("_")[2] not in reserved, path


def test_the_data_set_describes_itself(out):
    """A README, the kind of data set, what made it and from what."""
    description = json.loads((out / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative" and description["BIDSVersion"]
    assert description["GeneratedBy"][0]["Name"] == "deepspine_sct"
    assert description["SourceDatasets"][0]["URL"].startswith("file://")
    readme = (out / "README.md").read_text()
    named = {"deepspine.html", "deepspine_images.tsv", "deepspine_discs.tsv", "deepspine_measures.tsv", "logs/"}
    assert all(f"`{name}`" in readme for name in named)
    assert all((out / name).exists() for name in named)


def test_every_sidecar_has_its_data_file(out):
    """And every label file its sidecar."""
    sidecars = {path.name.removesuffix(".json") for path in out.rglob("*_dlabel.json")}
    labels = {path.name.removesuffix(".nii.gz") for path in out.rglob("*_dlabel.nii.gz")}
    assert sidecars == labels and len(labels) == 3


def test_the_tables_are_read_by_anything_that_reads_tables(out):
    """As many cells in each line as in the head, and each scan once."""
    for path in out.glob("*.tsv"):
        with open(path, newline="") as stream:
            rows = list(csv.reader(stream, delimiter="\t"))
        assert {len(row) for row in rows} == {len(rows[0])}
    with open(out / "deepspine_images.tsv", newline="") as stream:
        scans = [row["scan"] for row in csv.DictReader(stream, delimiter="\t")]
    assert len(scans) == len(set(scans)) == 5
