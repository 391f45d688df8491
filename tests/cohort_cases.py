"""BIDS data sets and jobs for the tests of cohorts."""

import json
import os
import shutil
import signal
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

from fake_predictor import write_scan

from deepspine_sct.cohort.job import Job
from deepspine_sct.data.bids import Scan
from deepspine_sct.data.discovery import search
from deepspine_sct.model.runtime import load_runtime

ROOT = Path(__file__).resolve().parent.parent
DATA_TEST = ROOT / "data_test"
WORKER = Path(__file__).with_name("cohort_worker.py")


@cache
def installed_checksum() -> str:
    """Checksum of the installed network, which workers load."""
    return load_runtime(None, "cpu").checksum


def write_data_set(root: Path, names: Iterable[str]) -> Path:
    """Write noise, with the header that `fake_predictor` knows, under the name of each image."""
    (root / "noise").mkdir(parents=True)
    noise = write_scan(root / "noise" / "t2.nii.gz")
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(noise, path)
    return root


def make_job(source: Path, target: Path, **settings) -> Job:
    """Make a job for the installed network, at a fixed date."""
    return Job(source, target, **{"checksum": installed_checksum(), "date": "2026-01-01T00:00:00Z"} | settings)


def find(root: Path) -> list[Scan]:
    """Find all T1w and T2w scans."""
    return search(root, ("T1w", "T2w")).scans


def load(path: Path) -> dict:
    """Read a JSON file."""
    return json.loads(path.read_text())


def edit_by_hand(label: Path) -> dict[Path, bytes]:
    """Edit a label file as people do, with SCT's manual-correction; return it and its JSON file as they are now."""
    sidecar = label.with_name(label.name.replace(".nii.gz", ".json"))
    content = load(sidecar)
    content["GeneratedBy"].append({"Name": "Manual", "Author": "Dr Expert"})
    sidecar.write_text(json.dumps(content))
    label.write_bytes(b"of an expert")
    return {path: path.read_bytes() for path in (label, sidecar)}


def contents(folder: Path, *but: str) -> dict[str, bytes]:
    """Read every file below a folder, but for those in some folders of it; none may be hidden."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: path.read_bytes() for name, path in names.items() if name.split("/")[0] not in but}


def children_of(pid: int) -> list[int]:
    """List the processes that a process, in any of its threads, has started; empty when it is gone."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            found += map(int, path.read_text().split())
    return found


def kill(*pids: int) -> None:
    """Kill processes, some of which may have ended meanwhile."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def kill_tree(pid: int) -> None:
    """Kill a process and all that it has started, and they in turn: none is left that still writes files."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)  # it starts no more
    children = children_of(pid)
    kill(pid)
    for child in children:
        kill_tree(child)
