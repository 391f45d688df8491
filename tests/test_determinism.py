"""The same scan gives the same answer: in every process, with any number of threads, on any runtime."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deepspine_sct.image.nifti import read_volume
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.model.export import export
from deepspine_sct.model.onnx_runtime import OnnxRuntime
from deepspine_sct.model.runtime import SHIPPED, SHIPPED_ONNX

ROOT = Path(__file__).resolve().parent.parent
SCANS = sorted((ROOT / "data_test").glob("*_sim.nii.gz"))


def test_every_process_writes_the_same_bytes(tmp_path):
    """Label files are identical, and so is the report but for the seconds, whatever surrounds them."""
    surroundings = [
        {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "1", "LC_ALL": "C"},
        {"OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo"},
    ]
    files, reports = [], []
    for number, variables in enumerate(surroundings):
        folder = tmp_path / str(number)
        folder.mkdir()
        subprocess.run(
            [sys.executable, "-m", "deepspine_sct.cli.label", "-i", str(SCANS[0]), "-c", "t2", "-v", "0",
             "-o", "discs.nii.gz", "-json", "report.json"],
            cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)} | variables, check=True,
        )  # fmt: skip
        files.append((folder / "discs.nii.gz").read_bytes())
        reports.append(json.loads((folder / "report.json").read_text()))
        del reports[-1]["seconds"]
    assert files[0] == files[1]
    assert reports[0] == reports[1]


def test_the_number_of_threads_changes_no_bit():
    """One to four threads give identical maps, and so does running an image alone or with others."""
    images = np.random.default_rng(0).normal(size=(3, 96, 64)).astype(np.float32)
    runs = [OnnxRuntime(SHIPPED_ONNX, threads).run(images) for threads in (1, 2, 4)]
    alone = [OnnxRuntime(SHIPPED_ONNX, 2).run(images[i : i + 1]) for i in range(3)]
    for name in runs[0]._fields:
        for other in runs[1:]:
            np.testing.assert_array_equal(getattr(other, name), getattr(runs[0], name))
        stacked = np.concatenate([getattr(maps, name) for maps in alone])
        np.testing.assert_array_equal(stacked, getattr(runs[0], name))


@pytest.mark.parametrize("path", SCANS, ids=lambda path: path.name)
def test_both_runtimes_give_the_same_voxels(path, tmp_path):
    """An export in single floats and torch name the same discs, in the same voxels of the scan."""
    pytest.importorskip("onnx")
    export(SHIPPED, tmp_path / "floats.onnx")
    volume = read_volume(path)
    voxels = []
    for model in (SHIPPED, tmp_path / "floats.onnx"):
        points = Predictor.load(model, "cpu").predict(volume).labeling.points
        voxels.append({v: np.rint(volume.grid.to_index(xyz)).tolist() for v, xyz in points.items()})
    assert voxels[0] == voxels[1]


def test_a_second_run_in_one_process_is_the_same():
    """No state is carried over from one scan to the next."""
    predictor = Predictor.load()
    scans = [read_volume(path) for path in SCANS[:2]]
    first = [predictor.predict(scan).labeling for scan in scans]
    again = [predictor.predict(scan).labeling for scan in reversed(scans)][::-1]
    for one, other in zip(first, again, strict=True):
        assert one.warnings == other.warnings and one.level_confidence == other.level_confidence
        for disc, same in zip(one.discs, other.discs, strict=True):
            assert disc.value == same.value and disc.confidence == same.confidence
            np.testing.assert_array_equal(disc.xyz_mm, same.xyz_mm)
