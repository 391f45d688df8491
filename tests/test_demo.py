"""The whole program on the shipped scans with the shipped weights: what `make demo` does."""

from pathlib import Path

import pytest

from deepspine_sct.cli import label
from deepspine_sct.evaluation import compare

DATA = Path(__file__).resolve().parent.parent / "data_test"


@pytest.mark.parametrize("contrast", ["t1", "t2"])
def test_every_disc_of_a_simulated_scan_is_named_right(contrast, tmp_path):
    """All discs within 5 mm of the truth under their own names, no false one in between."""
    labels = tmp_path / "discs.nii.gz"
    scan = DATA / f"{contrast}_sim.nii.gz"
    assert label.main(["-i", str(scan), "-c", contrast, "-o", str(labels), "-device", "cpu"]) == 0
    assert compare.main([str(labels), str(DATA / f"{contrast}_sim_labels.nii.gz")]) == 0
