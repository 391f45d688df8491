"""The books of a cohort: what it takes to know that thousands of scans are done, and to report on them."""

import os
import shutil
from itertools import cycle
from pathlib import Path

from benchmarks.cost.cohort_run import BATCH, Cost, fresh, measured
from deepspine_sct.cohort.bids_derivative import files_of
from deepspine_sct.cohort.job import Job
from deepspine_sct.cohort.state import settled, write_record
from deepspine_sct.cohort.target_folder import open_target
from deepspine_sct.data.bids import CONTRASTS
from deepspine_sct.data.discovery import search
from deepspine_sct.model.runtime import load_runtime
from deepspine_sct.quality_control.outcomes import LABELLED

SUFFIXES = tuple(CONTRASTS.values())
MANY = (1000, 5000)
LEVELS = ("participant", "group")


def books(data: Path, done: Path, folder: Path) -> list[tuple[int, str, Cost]]:
    """Run both levels of the command where everything is done.

    Parameters
    ----------
    data, done : Path
        A data set, and what a run with ``--qc`` made of it; thousands of scans are linked from these.
    folder : Path
        Scratch.

    Returns
    -------
    list of (int, str, Cost)
        Number of scans, level, and what it took.
    """
    rows = []
    for n in MANY:
        many, target = fresh(folder / "data"), fresh(folder / "out")
        _multiply(n, data, done, many, target)
        rows += [(n, level, measured([*BATCH, str(many), str(target), level, "--qc", "-v", "1"])) for level in LEVELS]
        assert (target / "deepspine_images.tsv").read_text().count("\tlabelled\t") == n
    return rows


def _multiply(n: int, data: Path, done: Path, many: Path, target: Path) -> None:
    """Make n scans out of those that were labelled: links to images and results, and a record each."""
    checksum = load_runtime(None, "cpu").checksum
    was = Job(data, done, checksum, "", pictures=True)
    job = Job(many, target, checksum, open_target(target, many, checksum), pictures=True)
    known = [(scan, settled(was, scan)) for scan in search(data, SUFFIXES).scans]
    originals = [(scan, outcome) for scan, outcome in known if outcome and outcome.kind == LABELLED]
    for number, (scan, _) in zip(range(n), cycle(originals), strict=False):
        image = many / f"sub-{number:06d}" / "anat" / f"sub-{number:06d}_{scan.contrast}.nii.gz"
        image.parent.mkdir(parents=True)
        image.symlink_to(scan.image)
    for scan, (original, outcome) in zip(search(many, SUFFIXES).scans, cycle(originals), strict=False):
        files = files_of(job, scan)
        files.labels.parent.mkdir(parents=True)
        of_original = files_of(was, original)
        for path, result in zip(files.results(), of_original.results(), strict=True):
            path.parent.mkdir(exist_ok=True)
            os.link(result, path)
        shutil.copytree(of_original.entry.with_suffix(""), files.entry.with_suffix(""), copy_function=os.link)
        write_record(job, scan, outcome)
