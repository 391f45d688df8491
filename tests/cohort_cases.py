"""BIDS data sets and jobs for the tests of cohorts."""

import json
import shutil
from collections.abc import Iterable
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
    threads = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in threads for child in path.read_text().split()]
