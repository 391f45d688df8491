"""Every scan of a data set as an entry of the page: also those that failed, were skipped or are not done yet.

The record of a scan says what became of it, its report says what was found, and the entry that its
worker wrote has the pictures. Where they contradict each other, the record and the report are right.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deepspine_sct.cohort.bids_derivative import ScanFiles, files_of, identity_of
from deepspine_sct.cohort.corrected import corrected_files, kept_cautions
from deepspine_sct.cohort.job import Job, Outcome
from deepspine_sct.cohort.state import read_record
from deepspine_sct.data.bids import Scan
from deepspine_sct.data.discovery import Findings
from deepspine_sct.errors import DeepspineError
from deepspine_sct.files.tables import read_json
from deepspine_sct.landmarks.measures import read_measures
from deepspine_sct.quality_control.about import About
from deepspine_sct.quality_control.entry import Entry, make_entry, read_entry, read_report
from deepspine_sct.quality_control.identity import Identity, identify
from deepspine_sct.quality_control.outcomes import LABELLED, NOT_DONE, SKIPPED
from deepspine_sct.quality_control.page_folder import ENTRIES_NAME


class CohortScan(NamedTuple):
    """A scan with its entry, what became of it, and the lines of its table of measures, as `read_measures` gives them.

    The lines are kept as one text: parted into cells, they would need several times the memory.
    """

    entry: Entry
    outcome: Outcome
    measures: str = ""


def read_scans(job: Job, findings: Findings) -> Iterator[CohortScan]:
    """Yield every scan of a data set, those that were left out last."""
    for scan in findings.scans:
        yield _read_scan(job, scan)
    for image, reason in findings.skipped.items():
        path, reason = job.source / image, _below(job.source, reason)
        entry = make_entry(_identity_by_folders(image, path, job.source.name), path, SKIPPED, reason)
        yield CohortScan(entry, Outcome(image, SKIPPED, reason))


def _identity_by_folders(place: str, path: Path, dataset: str) -> Identity:
    """Identify what was left out, mostly for its name, by the folders below the data set that it lies in."""
    parts = place.split("/")
    subject = parts[0] if parts[0].startswith("sub-") else ""
    session = next((part for part in parts[1:] if re.fullmatch(r"ses-[^_]+", part)), "")
    return replace(identify(path, dataset=dataset), subject=subject, session=session)


def _with_corrections(report: dict, files: ScanFiles) -> dict:
    """Say in the report of a scan what a person has corrected since it was written."""
    said = {warning["code"] for warning in report["warnings"]}
    news = [caution for caution in kept_cautions(files, corrected_files(files)) if caution.code not in said]
    return report | {"warnings": [*report["warnings"], *(caution.to_dict() for caution in news)]}


def _below(source: Path, text: str) -> str:
    """Name files by their path below a data set: who is shown a page or a table has it elsewhere."""
    return re.sub(rf"(?<![\w./-]){re.escape(str(source) + os.sep)}", "", text)


def _read_scan(job: Job, scan: Scan) -> CohortScan:
    identity = identity_of(job, scan)
    drawn = read_entry(job.target / ENTRIES_NAME / f"{identity.key}.json")
    unknown = Outcome(scan.path, NOT_DONE)
    try:
        files = files_of(job, scan)
        outcome, _ = read_record(files.record) or (unknown, {})
        outcome = replace(outcome, reason=_below(job.source, outcome.reason))
        report, made, measures = None, drawn.made, ""
        if outcome.kind == LABELLED:
            measures = read_measures(files.measures)
            report = _with_corrections(read_report(files.report), files)
            made = {"model": str(report["model"]["sha256"]), "version": str(report["versions"]["deepspine_sct"])} | made
        entry = make_entry(identity, scan.image, outcome.kind, outcome.reason, report, made=made)
    except (DeepspineError, OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return CohortScan(make_entry(identity, scan.image, NOT_DONE), unknown)
    return CohortScan(replace(entry, plane=drawn.plane, pictures=drawn.pictures), outcome, measures)


def about(job: Job, scans: Sequence[CohortScan], command: str) -> About:
    """Say what made the labels of a data set, and what they cost."""
    made = next((scan.entry.made for scan in scans if scan.entry.made.get("model")), {})
    seconds = [sum(scan.outcome.seconds.values()) for scan in scans if scan.outcome.kind == LABELLED]
    cost = ""
    if seconds:
        peak_mb = max(scan.outcome.peak_mb for scan in scans)
        cost = (
            f"a worker of one core took {np.median(seconds):.1f} s for a scan (median; {sum(seconds) / 60:,.0f} min in "
            f"all) and at most {peak_mb:.0f} MB of memory"
        )
    return About(
        dataset=_name_of(job.source),
        source=str(job.source),
        command=command,
        date=job.date or made.get("date", ""),
        versions={"deepspine_sct": made["version"]} if "version" in made else {},
        model={"sha256": made["model"]} if made else {},
        cost=cost,
    )


def _name_of(source: Path) -> str:
    """Name of a data set by its own description, else by its folder."""
    try:
        return str(read_json(source / "dataset_description.json")["Name"])
    except (OSError, ValueError, KeyError, TypeError):
        return source.name
