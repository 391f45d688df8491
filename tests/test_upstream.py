"""An integration into SCT: the code of docs/upstream.md does what SCT needs, in SCT's own Python where there is one."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from fake_predictor import SHAPE, VOXELS, FakePredictor, known_discs, oblique_affine

from deepspine_sct import label

ROOT = Path(__file__).resolve().parent.parent
(CODE,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / "upstream.md").read_text(), flags=re.M | re.S)

CALL = """
import json, sys
for orientation in ("LPI", "RPI", "AIL"):
    image = Image(sys.argv[1]).change_orientation(orientation)
    before = image.data.copy()
    discs, warnings = label_discs(image, "t2")
    assert (image.data == before).all() and discs.data.shape == image.data.shape and discs.data.dtype == "uint8"
    discs.save(f"{sys.argv[2]}/{orientation}.nii.gz", verbose=0)
print(json.dumps({"warnings": warnings, "torch": "torch" in sys.modules}))
"""
"""What follows the page's code: SCT's Image in three orientations, with its discs written by SCT."""


class SctImage:
    """What is known of SCT's Image: voxels, a header, and an affine that turning the image leaves as it was."""

    def __init__(self, data, header, affine) -> None:
        self.data, self.hdr, self.affine = data, header, affine


def test_an_image_of_scts_kind_is_labelled_by_its_header():
    """Its `affine` may be out of date; SCT itself saves by the header, and so do the discs follow it."""
    data = np.random.default_rng(0).normal(100, 20, SHAPE).astype(np.float32)
    header = nib.Nifti1Image(data, oblique_affine()).header
    image = SctImage(data, header, np.eye(4))
    labelled = label(image, "t2", predictor=FakePredictor(known_discs()))
    assert labelled.voxels == VOXELS
    assert np.array_equal(image.data, data) and np.array_equal(image.affine, np.eye(4))


@pytest.mark.skipif(shutil.which("sct_version") is None, reason="no SCT on the PATH: its Image is not tried")
def test_scts_own_image_is_labelled_in_any_orientation(tmp_path):
    """In SCT's Python the page's function puts every disc where the file's own grid has it, without torch."""
    python = Path(shutil.which("sct_version")).read_text().splitlines()[0].removeprefix("#!").strip()
    scan = ROOT / "data_test" / "t2_sim.nii.gz"
    program = tmp_path / "program.py"
    program.write_text(CODE + CALL)
    done = subprocess.run(
        [python, str(program), str(scan), str(tmp_path)], env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["torch"] is False and all(isinstance(text, str) for text in told["warnings"])
    grid = nib.load(scan)
    expected = {value: grid.affine @ [*ijk, 1] for value, ijk in label(scan, "t2").voxels.items()}
    assert len(expected) > 8
    for orientation in ("LPI", "RPI", "AIL"):
        written = nib.load(tmp_path / f"{orientation}.nii.gz")
        data = np.asarray(written.dataobj)
        found = {int(data[tuple(ijk)]): written.affine @ [*ijk, 1] for ijk in np.argwhere(data)}
        assert sorted(found) == sorted(expected)
        for value, at_mm in found.items():  # a voxel's width at most: the middle between two voxels goes either way
            assert np.abs(at_mm - expected[value])[:3].max() <= max(grid.header.get_zooms()[:3]) + 0.01
