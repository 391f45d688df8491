"""The tables and the page of a group."""

import csv
import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest
from cohort_cases import load, make_job, write_data_set

from deepspine_sct.cohort import group_page, group_tables, state
from deepspine_sct.cohort.bids_derivative import files_of
from deepspine_sct.cohort.job import FAILED, LABELLED, SKIPPED, Outcome
from deepspine_sct.data.discovery import Findings, relative, search
from deepspine_sct.files.tables import write_json

N = 12
NAMES = [f"sub-{n:02d}/ses-a/anat/sub-{n:02d}_ses-a_T{1 + n % 2}w.nii.gz" for n in range(N)]
HOSTILE = 'is <script>alert("x")</script>\ta\nfault'


def disc(value: int, z_mm: float) -> dict:
    """Write a disc as the report of a scan does."""
    place = {"world_mm": [1.5, -2.0, z_mm], "voxel": [0, 0, 0]}
    return {"value": value, "name": f"disc {value}", "confidence": 0.95} | place


@pytest.fixture
def cohort(tmp_path):
    """Make up a cohort: a failure, an axial scan, a pointer, one not done, and eight labelled."""
    found = search(write_data_set(tmp_path / "data", NAMES), ("T1w", "T2w"))
    job = make_job(tmp_path / "data", tmp_path / "out", checksum="d" * 64, pictures=True)
    for n, scan in enumerate(found.scans[:-1]):
        outcome = Outcome(relative(scan), LABELLED, warnings=("check 3",), seconds={"network": 2.0}, peak_mb=150)
        if n == 0:
            outcome = Outcome(relative(scan), FAILED, HOSTILE)
        elif n == 1:
            outcome = Outcome(relative(scan), SKIPPED, "is an axial scan")
        else:
            files = files_of(job, scan)
            files.labels.parent.mkdir(parents=True)
            files.picture.touch()
            odd_mm = 15.0 if n == 5 else 0.1 * n
            discs = [disc(3, 0.0), disc(4, -18.5), disc(5, -36.0), disc(6, -53.5 - odd_mm), disc(7, -70 - odd_mm)]
            content = {"discs": discs, "level_confidence": 0.5 if n == 7 else 0.97}
            write_json(files.report, content)
        files_of(job, scan).log.parent.mkdir(parents=True)
        files_of(job, scan).log.touch()
        state.write_record(job, scan, outcome)
    return job, Findings(found.scans, {"sub-99/anat/sub-99_T2w.nii.gz": "is only a pointer"}, [])


def read_table(path) -> list[dict[str, str]]:
    """Read a table with the standard library alone."""
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_every_scan_has_a_line_with_its_outcome(cohort):
    """Also those that were left out or not done; nothing is n/a, and a line is a line."""
    job, findings = cohort
    group_tables.write_tables(job.target, group_tables.read_rows(job, findings))
    lines = read_table(job.target / "scans.tsv")
    assert [line["scan"] for line in lines] == [*NAMES, "sub-99/anat/sub-99_T2w.nii.gz"]
    assert [line["outcome"] for line in lines] == [
        "failed", "skipped", *["labelled"] * 9, "not done", "skipped",
    ]  # fmt: skip
    assert lines[0]["reason"] == 'is <script>alert("x")</script> a fault'
    assert lines[2] | {"level_confidence": "0.97", "n_discs": "5", "reason": "n/a"} == lines[2]
    assert (lines[0]["session_id"], lines[-1]["session_id"]) == ("ses-a", "n/a")
    assert set(load(job.target / "scans.json")) == set(lines[0])


def test_every_disc_has_a_line_in_mm(cohort):
    """Five discs of each labelled scan, with place and confidence."""
    job, findings = cohort
    group_tables.write_tables(job.target, group_tables.read_rows(job, findings))
    lines = read_table(job.target / "discs.tsv")
    assert len(lines) == 9 * 5
    assert lines[1] == {
        "participant_id": "sub-02", "session_id": "ses-a", "scan": NAMES[2], "disc": "4",
        "name": "C3/C4", "x_mm": "1.5", "y_mm": "-2.0", "z_mm": "-18.5", "confidence": "0.95",
    }  # fmt: skip
    assert set(load(job.target / "discs.json")) == set(lines[0])


@pytest.mark.parametrize("content", ["", "{}", "[1, 2]"])
def test_a_scan_whose_report_was_damaged_is_not_done(cohort, content):
    """The tables are written all the same, and the page names no disc of it."""
    job, findings = cohort
    files_of(job, findings.scans[4]).report.write_text(content)
    rows = list(group_tables.read_rows(job, findings))
    assert (rows[4].outcome.kind, rows[4].discs) == ("not done", ())
    assert [row.outcome.kind for row in rows].count("labelled") == 8


class Links(HTMLParser):
    """Collects what a page refers to, and its tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links, self.tags = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Note the tag and its reference."""
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]


def test_the_page_shows_counts_reasons_and_what_to_look_at(cohort):
    """Failures with their reason, the scan in doubt, and the one odd distance, linked to its picture."""
    job, findings = cohort
    page = group_page.write_report(job.target, list(group_tables.read_rows(job, findings)))
    text = page.read_text(encoding="ascii")
    assert "<tr><td>all</td><td>9</td><td>1</td><td>2</td><td>1</td></tr>" in text
    assert "<tr><td>T1w</td><td>5</td><td>1</td><td>0</td><td>0</td></tr>" in text
    sections = dict(zip(*[iter(re.split("<h2>(.*?)</h2>", text)[1:])] * 2, strict=True))
    assert "&lt;script&gt;" in sections["Failed"]
    assert "is only a pointer" in sections["Skipped"]
    assert "sub-07" in sections["Names in doubt (level confidence below 0.9)"]
    odd = sections["Unlike the other scans"]
    assert "sub-05" in odd and "C4/C5 to C5/C6" in odd and "32.5" in odd
    assert "sub-06" not in odd
    assert "took 2.0 s a scan" in text and "150 MB" in text


def test_the_page_is_harmless_and_complete(cohort):
    """No script, nothing from outside of the folder, and every link leads to a file."""
    job, findings = cohort
    page = Links(group_page.write_report(job.target, list(group_tables.read_rows(job, findings))).read_text())
    assert "script" not in page.tags
    assert page.links
    for link in page.links:
        assert (job.target / unquote(link)).is_file(), link


def test_an_empty_cohort_has_a_page_too(tmp_path):
    """Before the first scan is done."""
    found = search(write_data_set(tmp_path / "data", NAMES[:2]), ("T1w", "T2w"))
    job = make_job(tmp_path / "data", tmp_path, checksum="d" * 64)
    page = group_page.write_report(tmp_path, list(group_tables.read_rows(job, found)))
    assert "<tr><td>all</td><td>0</td><td>0</td><td>0</td><td>2</td></tr>" in page.read_text()
