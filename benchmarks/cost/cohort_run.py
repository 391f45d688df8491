"""How the parts of the cohort benchmark run the commands, and read what these leave behind."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.sources import ROOT

BATCH = [sys.executable, "-m", "deepspine_sct.cli.batch"]
LABEL = [sys.executable, "-m", "deepspine_sct.cli.label"]
ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(ROOT),
    "SOURCE_DATE_EPOCH": "1700000000",  # one date for all runs, which are compared byte by byte
    "SCT_PROGRESS_BAR": "off",
    "PYTHONDONTWRITEBYTECODE": "",  # a user's Python compiles the package once, not for every run
}
LIMITS = ["--timeout", "20", "--memory", "3", "--qc", "-v", "1"]

# A process counts the memory of the one it was forked from as its own: that must be a small one.
_METER = """\
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)"""


def run(data: Path, target: Path, *arguments: str) -> tuple[int, float, str]:
    """Label a data set; return the exit status, wall time [s] and what was said."""
    started_s = time.perf_counter()
    process = start([*BATCH, str(data), str(target), "participant", *LIMITS, *arguments])
    said, _ = process.communicate()
    return process.returncode, time.perf_counter() - started_s, said


def start(command: list[str]) -> subprocess.Popen:
    """Start a process and keep what it says."""
    return subprocess.Popen(
        command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


class Cost(NamedTuple):
    """What a command took: wall and processor time [s], with its children, and the largest of its processes [MB]."""

    wall_s: float
    cpu_s: float
    peak_mb: float


def measured(command: list[str], environment: dict[str, str] | None = None) -> Cost:
    """Run a command that succeeds, and measure it; in `ENVIRONMENT` where no other one is given."""
    started_s = time.perf_counter()
    meter = subprocess.run(
        [sys.executable, "-I", "-c", _METER, *command],
        cwd=ROOT, env=environment or ENVIRONMENT, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    wall_s = time.perf_counter() - started_s
    cpu_s, peak_mb = map(float, meter.stdout.split())
    return Cost(wall_s, cpu_s, peak_mb)


def fresh(folder: Path) -> Path:
    """Make a folder empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def images(data: Path) -> list[str]:
    """List the images of the data set."""
    return sorted(str(path.relative_to(data)) for path in data.glob("sub-*/**/anat/*.nii*"))


def contents(folder: Path) -> dict[str, bytes]:
    """Read all results but the logs, the page and its figures; hidden files too."""
    found = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    own = ("logs", "deepspine.html")
    return {str(name): path.read_bytes() for name, path in found.items() if name.parts[0] not in own}
