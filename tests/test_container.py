"""What the images hold: their build steps are run, since no image can be built where only Python is."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deepspine_sct.cli import label

ROOT = Path(__file__).resolve().parent.parent
CONTAINER = ROOT / "container"
SCAN = ROOT / "data_test" / "t2_sim.nii.gz"


def online(folder: Path) -> bool:
    """Tell whether pip reaches an index."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), "tqdm"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> Path:
    """Run the build steps on a copy of what the checkout holds."""
    folder = tmp_path_factory.mktemp("container")
    if not online(folder / "wheels"):
        pytest.skip("no package index can be reached, which an image is built from")
    ignored = shutil.ignore_patterns(".*", "*_out", "build", "dist", "*.egg-info", "__pycache__", "tests", "benchmarks")
    shutil.copytree(ROOT, folder / "source", ignore=ignored)
    python = folder / "bin" / "python3"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    subprocess.run(
        ["sh", str(folder / "source" / "container" / "install.sh"), str(folder / "source"), str(folder / "installed")],
        env=os.environ | {"PATH": f"{python.parent}:{os.environ['PATH']}"}, check=True,
    )  # fmt: skip
    return folder / "installed"


def test_the_installed_command_labels_without_network_and_source(environment, tmp_path):
    """As in the image: another folder, no network where that can be taken away, and the label file of the checkout."""
    alone = ["unshare", "--net"] if os.geteuid() == 0 and shutil.which("unshare") else []
    command = [*alone, str(environment / "bin" / "sct_deepspine_label"), "-i", str(SCAN), "-c", "t2", "-o", "a.nii.gz"]
    variables = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "MPLCONFIGDIR": str(tmp_path / "fonts")}
    shutil.rmtree(environment.parent / "source", ignore_errors=True)
    subprocess.run([*command, "-overlay", "a.png", "-qc", "qc"], cwd=tmp_path, env=variables, check=True)
    assert label.main(["-i", str(SCAN), "-c", "t2", "-o", str(tmp_path / "b.nii.gz")]) == 0
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    assert (tmp_path / "a.png").stat().st_size > 10_000


def test_torch_and_pip_are_left_out(environment):
    """An image has what runs, and neither what trains nor what installs."""
    (packages,) = environment.glob("lib/python3*/site-packages")
    names = {path.name for path in packages.iterdir()}
    assert {"deepspine_sct", "onnxruntime", "matplotlib"} <= names
    assert not names & {"torch", "pip", "setuptools"}


def test_a_command_without_an_extra_names_the_remedy(environment, tmp_path):
    """A checkpoint needs torch, and so does training: one line says which extra brings it, and nothing is written."""
    weights = ROOT / "deepspine_sct" / "model" / "weights" / "deepspine.safetensors"
    calls = {
        "sct_deepspine_label": ["-i", str(SCAN), "-c", "t2", "-o", "a.nii.gz", "-model", str(weights)],
        "sct_deepspine_train": ["-set", "set", "-ofolder", "run"],
        "python": ["-m", "deepspine_sct.model.export", str(weights), "a.onnx"],
    }
    for command, arguments in calls.items():
        done = subprocess.run(
            [str(environment / "bin" / command), *arguments],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        (line,) = done.stderr.splitlines()
        assert done.returncode == 1
        assert re.search(r"'(torch|onnx)' is missing: run `pip install 'deepspine_sct\[(train|export)\]'", line)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["Dockerfile", "deepspine_sct.def"])
def test_both_recipes_are_the_script_and_its_target(name):
    """All that is installed goes through the script, into the folder whose commands are on the PATH."""
    recipe = (CONTAINER / name).read_text()
    assert re.findall(r"sh (/source/container/install\.sh) /source (\S+)", recipe) == [
        ("/source/container/install.sh", "/opt/deepspine_sct")
    ]
    assert "PATH=/opt/deepspine_sct/bin:$PATH" in recipe
    assert not re.search(r"\b(pip|apt-get|curl|wget) ", recipe)


def test_a_recipe_asks_for_a_python_that_is_tested():
    """Both begin with the same official image."""
    bases = [re.search(r"(?:FROM|From:) (python:3\.(\d+)-slim)", (CONTAINER / name).read_text()) for name in
             ("Dockerfile", "deepspine_sct.def")]  # fmt: skip
    assert bases[0][1] == bases[1][1]
    assert int(bases[0][2]) in range(10, 14)
