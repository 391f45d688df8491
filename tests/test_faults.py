"""Faults of the machine while the command runs: full, failing and forbidden disks, and company."""

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from fake_predictor import VOXELS, FakePredictor, known_discs, write_scan

from deepspine_sct.cli import label
from deepspine_sct.image import source

ROOT = Path(__file__).resolve().parent.parent
NOBODY = 65534


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    """Work in a folder with the scan and an old result, and a predictor that knows the discs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(label, "load_predictor", lambda args: FakePredictor(known_discs()))
    write_scan(tmp_path / "t2.nii.gz")
    (tmp_path / "t2_labeled_discs.nii.gz").write_bytes(b"old")
    return tmp_path


def refusal(capsys, *arguments: str) -> str:
    """Run the command, which has to fail; return its one line."""
    assert label.main(["-i", "t2.nii.gz", "-c", "t2", *arguments]) == 1
    streams = capsys.readouterr()
    (line,) = streams.err.splitlines()
    return line.removeprefix("sct_deepspine_label: error: ")


def test_a_quota_keeps_the_old_result(in_folder, capsys):
    """The system refuses to make the file longer: one line, and the old file as it was."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60, limits[1]))
    try:
        line = refusal(capsys)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert line.startswith("t2_labeled_discs.json: cannot be written (File too large)")
    assert (in_folder / "t2_labeled_discs.nii.gz").read_bytes() == b"old"
    assert {path.name for path in in_folder.iterdir()} == {"t2.nii.gz", "t2_labeled_discs.nii.gz"}


def test_a_full_disk_leaves_nothing(tmp_path):
    """On a real file system of a few kilobytes: one line and no file, not even an empty one.

    The disk is mounted in a name space of its own: it goes with the process, also when that is killed.
    """
    private = ["unshare", "--mount", "--map-root-user"]
    if shutil.which("unshare") is None or subprocess.run([*private, "true"], capture_output=True).returncode:
        pytest.skip("this system gives no private mounts")
    (tmp_path / "disk").mkdir()
    scan = ROOT / "data_test" / "t2_sim.nii.gz"
    script = (
        "mount -t tmpfs -o size=16k tmpfs disk && head -c 12288 /dev/zero > disk/ballast || exit 77\n"
        f'"{sys.executable}" -m deepspine_sct.cli.label -i "{scan}" -c t2 -v 0 -o disk/discs.nii\n'
        'echo "status $?"; ls -A disk'
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run = subprocess.run([*private, "sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    (line,) = run.stderr.splitlines()
    assert line.startswith("sct_deepspine_label: error: disk/discs.nii: cannot be written (No space left on device)")
    assert run.stdout.split() == ["status", "1", "ballast"]


AS_NOBODY = f"""
import os, sys
from deepspine_sct.cli.label import main
scan = ["-i", {str(ROOT / "data_test" / "t2_sim.nii.gz")!r}, "-c", "t2", "-v", "0"]
assert main([*scan, "-o", "x/x.nii", "-json", "x/x.json", "-qc", "x"]) == 0  # all is imported
if os.getuid() == 0:
    os.setgid({NOBODY})
    os.setuid({NOBODY})
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("output", ["-ofolder", "-json", "-qc"])
def test_a_read_only_folder_is_refused_before_the_network_runs(in_folder, output):
    """As a user who may not write there: one line that names the file, and nothing is written."""
    locked = in_folder / "locked"
    for folder, mode in ((locked, 0o555), (in_folder / "x", 0o755)):
        folder.mkdir()
        folder.chmod(mode)  # whatever the umask is
    os.chmod(in_folder, 0o777)
    os.chmod(in_folder / "t2.nii.gz", 0o644)
    os.chmod(in_folder.parent, 0o755)
    target = "locked/report.json" if output == "-json" else "locked"
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, "-i", "t2.nii.gz", "-c", "t2", "-v", "0", output, target],
        cwd=in_folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    (line,) = (line for line in done.stderr.splitlines() if not line.startswith("Warning: "))
    assert line.startswith(f"sct_deepspine_label: error: {target}: the folder")
    assert "cannot be written" in line
    assert list(locked.iterdir()) == []
    assert (in_folder / "t2_labeled_discs.nii.gz").read_bytes() == b"old"


def test_a_disk_that_cannot_be_read_is_one_line(in_folder, capsys, monkeypatch):
    """An error of the hardware in the middle of the scan is named, with the scan."""
    whole = source.gzip.open

    class Failing:
        def __init__(self, path, mode="rb"):
            self.stream = whole(path, mode)

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            self.stream.close()

        def __getattr__(self, name):
            return getattr(self.stream, name)

        def read(self, n=-1):
            if self.stream.tell() >= 348:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return self.stream.read(min(n, 348))

    def ahead(path):
        if path.name == "t2.nii.gz":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read_bytes(path)

    read_bytes = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", ahead)
    monkeypatch.setattr(source.gzip, "open", Failing)
    line = refusal(capsys)
    assert line.startswith("t2.nii.gz: ") and "\n" not in line
    assert (in_folder / "t2_labeled_discs.nii.gz").read_bytes() == b"old"


@pytest.mark.parametrize("code", [errno.EIO, errno.EDQUOT, errno.EROFS])
def test_a_report_that_cannot_be_written_leaves_no_part_of_it(in_folder, capsys, monkeypatch, code):
    """The label file, written before, is whole; the report that failed is not there at all."""
    write_text = Path.write_text

    def fail(path, text, *args, **kwargs):
        if "inputs" not in text:
            return write_text(path, text, *args, **kwargs)
        write_text(path, text[:20], *args, **kwargs)
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(Path, "write_text", fail)
    line = refusal(capsys, "-json", "report.json")
    assert line.startswith("t2_labeled_discs.nii.gz: is written and good, but this is missing: report.json: cannot be")
    assert not (in_folder / "report.json").exists()
    assert not list(in_folder.glob(".*"))
    data = np.asarray(nib.load("t2_labeled_discs.nii.gz").dataobj)
    assert {int(data[voxel]) for voxel in VOXELS.values()} == set(VOXELS)


def test_two_runs_into_one_file_do_not_mix(tmp_path):
    """Two commands with the same outputs at the same time: both succeed, every file is whole."""
    scan = ROOT / "data_test" / "t2_sim.nii.gz"
    command = [sys.executable, "-m", "deepspine_sct.cli.label", "-i", str(scan), "-c", "t2", "-v", "0"]
    outputs = ["-ofolder", str(tmp_path), "-json", str(tmp_path / "report.json")]
    runs = [subprocess.Popen([*command, *outputs], cwd=ROOT) for _ in range(2)]
    assert [run.wait() for run in runs] == [0, 0]
    names = {"t2_sim_labeled_discs.nii.gz", "t2_sim_labeled_discs.json", "report.json"}
    assert {path.name for path in tmp_path.iterdir()} == names
    report = json.loads((tmp_path / "report.json").read_text())
    data = np.asarray(nib.load(tmp_path / "t2_sim_labeled_discs.nii.gz").dataobj)
    for disc in report["discs"]:
        assert data[tuple(disc["voxel"])] == disc["value"]
