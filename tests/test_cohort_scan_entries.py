"""Every scan of a cohort: on the page, in the tables, and in the summary."""

import csv
import os

import pytest
from cohort_cases import load, make_job, write_data_set

from deepspine_sct.cohort import state
from deepspine_sct.cohort.bids_derivative import files_of, identity_of
from deepspine_sct.cohort.group_tables import TABLES, write_tables
from deepspine_sct.cohort.job import Outcome
from deepspine_sct.cohort.scan_entries import about, read_scans
from deepspine_sct.data.discovery import Findings, search
from deepspine_sct.files.tables import write_json
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.landmarks.measures import measure_discs, write_measures
from deepspine_sct.quality_control.outcomes import FAILED, LABELLED, SKIPPED
from deepspine_sct.quality_control.scan_entry import write_scan_entry
from deepspine_sct.quality_control.triage import judge, summary

N = 12
NAMES = [f"sub-{n:02d}/ses-a/anat/sub-{n:02d}_ses-a_T{1 + n % 2}w.nii.gz" for n in range(N)]
HOSTILE = 'is <script>alert("x")</script>\ta\nfault'


def disc(value: int, z_mm: float) -> dict:
    """Write a disc as the report of a scan does."""
    place = {"world_mm": [1.5, -2.0, z_mm], "voxel": [0, 0, 0]}
    return {"value": value, "name": f"disc {value}", "confidence": 0.95} | place


@pytest.fixture
def cohort(tmp_path):
    """Make up a cohort: a failure, an axial scan, a pointer, one not done, and nine labelled."""
    found = search(write_data_set(tmp_path / "data", NAMES), ("T1w", "T2w"))
    job = make_job(tmp_path / "data", tmp_path / "out", checksum="d" * 64, pictures=True)
    for n, scan in enumerate(found.scans[:-1]):
        outcome = Outcome(scan.path, LABELLED, seconds={"network": 2.0}, peak_mb=150)
        if n == 0:
            outcome = Outcome(scan.path, FAILED, HOSTILE)
        elif n == 1:
            outcome = Outcome(scan.path, SKIPPED, "is an axial scan")
        else:
            files = files_of(job, scan)
            files.labels.parent.mkdir(parents=True)
            odd_mm = 15.0 if n == 5 else 0.1 * n
            discs = [disc(3, 0.0), disc(4, -18.5), disc(5, -36.0), disc(6, -53.5 - odd_mm), disc(7, -70 - odd_mm)]
            write_measures(files.measures, measure_discs({d["value"]: d["world_mm"] for d in discs}))
            write_json(
                files.report,
                {
                    "discs": discs, "level_confidence": 0.5 if n == 7 else 0.97, "model": {"sha256": "ab" * 32},
                    "versions": {"deepspine_sct": "1.2"},
                    "warnings": [{"code": "poor_fit", "text": "check 3"}] if n == 8 else [],
                },
            )  # fmt: skip
        state.write_record(job, scan, outcome)
    return job, Findings(found.scans, {"sub-99/anat/sub-99_T2w.nii.gz": "is only a pointer"}, [])


def written(cohort) -> list[list[dict[str, str]]]:
    """Write the tables and read them with the standard library alone."""
    job, findings = cohort
    scans = list(read_scans(job, findings))
    write_tables(job.target, job.source, scans, judge([scan.entry for scan in scans]))
    tables = []
    for name in TABLES:
        with open(job.target / name, newline="") as stream:
            tables.append(list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)))
        assert set(load((job.target / name).with_suffix(".json"))) == set(tables[-1][0])
    return tables


def test_every_scan_has_a_line_with_its_outcome(cohort):
    """Also those that were left out or not done; nothing is n/a, and a line is a line."""
    lines, _, _ = written(cohort)
    assert [line["scan"] for line in lines] == [*NAMES, "sub-99/anat/sub-99_T2w.nii.gz"]
    assert [line["outcome"] for line in lines] == [
        "failed", "skipped", *["labelled"] * 9, "not done", "skipped",
    ]  # fmt: skip
    assert lines[0]["reason"] == 'is <script>alert("x")</script> a fault'
    assert lines[2] | {"level_confidence": "0.97", "n_discs": "5", "reason": "n/a", "look_at": "n/a"} == lines[2]
    assert (lines[0]["session_id"], lines[-1]["session_id"]) == ("ses-a", "n/a")
    looked = {line["participant_id"]: line["look_at"] for line in lines if line["look_at"] != "n/a"}
    assert set(looked) == {"sub-05", "sub-07", "sub-08"}
    assert looked["sub-08"] == "check 3"


def test_every_disc_has_a_line_in_mm(cohort):
    """Five discs of each labelled scan, with place and confidence."""
    _, lines, _ = written(cohort)
    assert len(lines) == 9 * 5
    assert lines[1] == {
        "participant_id": "sub-02", "session_id": "ses-a", "scan": NAMES[2], "disc": "4",
        "name": "C3/C4", "x_mm": "1.5", "y_mm": "-2.0", "z_mm": "-18.5", "confidence": "0.95",
    }  # fmt: skip


def test_every_distance_and_angle_has_a_line(cohort):
    """Four distances and three angles of five discs; those of a straight spine are zero."""
    _, _, lines = written(cohort)
    own = [line for line in lines if line["participant_id"] == "sub-02"]
    assert [line["measure"] for line in own] == ["disc_distance"] * 4 + ["disc_angle"] * 3
    assert (own[0]["level"], own[0]["value"], own[0]["unit"]) == ("C2/C3 to C3/C4", "18.5", "mm")
    assert float(own[-1]["value"]) == 0


WITHOUT_END = '{"discs": [{"value": Infinity}], "model": {"sha256": ""}, "versions": {"deepspine_sct": ""}}'


@pytest.mark.parametrize("content", ["", "{}", "[1, 2]", '{"discs": [3]}', WITHOUT_END])
def test_a_scan_whose_report_was_damaged_is_not_done(cohort, content):
    """The others are read all the same, and it has no disc."""
    job, findings = cohort
    files_of(job, findings.scans[4]).report.write_text(content)
    entries = [scan.entry for scan in read_scans(job, findings)]
    assert (entries[4].outcome, entries[4].discs) == ("not done", ())
    assert [entry.outcome for entry in entries].count("labelled") == 8


def test_a_picture_of_an_earlier_run_does_not_bring_back_its_labels(cohort):
    """What the page shows of the discs is what the report says now; the picture is kept."""
    job, findings = cohort
    scan = findings.scans[3]
    old = {"discs": [disc(9, -1.0)], "level_confidence": 0.1, "warnings": []}
    volume = read_volume(scan.image)
    write_scan_entry(job.target, identity_of(job, scan), scan.image, volume, report=old, made={"command": "c"})
    entry = list(read_scans(job, findings))[3].entry
    assert set(entry.points) == {3, 4, 5, 6, 7} and entry.level_confidence == 0.97
    assert set(entry.pictures) == {"slice", "thumb"} and entry.plane["shape"] == [9, 30, 44]
    assert entry.made == {"command": "c", "model": "ab" * 32, "version": "1.2"}


def test_the_summary_names_what_matters(cohort):
    """Labelled, to look at, failed, not done and skipped, with their reasons."""
    entries = [scan.entry for scan in read_scans(*cohort)]
    lines = summary(entries, judge(entries))
    assert lines[0] == "9 labelled, 3 of them to look at"
    assert lines[1] == "  sub-07_ses-a_T2w.nii.gz: the names may be shifted: level confidence 0.50"
    assert "1 failed" in lines and "1 not done" in lines and "2 skipped" in lines
    assert "  1 x is only a pointer" in lines and "  1 x is an axial scan" in lines


def test_the_page_says_what_made_the_labels_and_what_they_cost(cohort):
    """The name is that of the data set's own description, where it has one."""
    job, findings = cohort
    scans = list(read_scans(job, findings))
    facts = about(job, scans, "sct_deepspine_batch data out group")
    assert facts.dataset == "data" and facts.model == {"sha256": "ab" * 32}
    assert "took 2.0 s for a scan" in facts.cost and "150 MB" in facts.cost
    (job.source / "dataset_description.json").write_text('{"Name": "Lab"}')
    assert about(job, scans, "").dataset == "Lab"
    assert about(job, [], "").cost == ""


def test_reasons_tell_nobody_where_the_data_set_lies(cohort):
    """Failures and scans that are left out name their files by their path below the data set."""
    job, findings = cohort
    state.write_record(job, findings.scans[0], Outcome(NAMES[0], FAILED, f"{job.source}/{NAMES[0]}: is damaged"))
    skipped = {"sub-99/anat/x.nii.gz": f"no such file; fetch it with: git annex get {job.source}/sub-99/anat/x.nii.gz"}
    scans = list(read_scans(job, Findings(findings.scans, skipped, [])))
    assert scans[0].outcome.reason == f"{NAMES[0]}: is damaged"
    assert scans[-1].outcome.reason == "no such file; fetch it with: git annex get sub-99/anat/x.nii.gz"
    assert not any(str(job.source) in scan.entry.reason for scan in scans)


def test_the_page_and_the_tables_say_what_a_person_has_corrected_since(cohort):
    """Without another run: the label file has other discs than the report of which the page is made."""
    job, findings = cohort
    files = files_of(job, findings.scans[3])
    files.labels.write_bytes(b"corrected")
    write_json(files.sidecar, {"GeneratedBy": [{"Name": "deepspine_sct"}, {"Name": "Manual", "Author": "A. B."}]})
    entries = [scan.entry for scan in read_scans(job, findings)]
    warned = [
        n for n, entry in enumerate(entries) if any("was made or corrected by hand" in str(w) for w in entry.warnings)
    ]
    assert warned == [3]


def test_measures_that_cannot_be_read_cost_one_scan_and_not_the_tables(cohort):
    """It counts as not done, until the level participant labels it again."""
    job, findings = cohort
    files_of(job, findings.scans[3]).measures.write_bytes(b"measure\n\xff\n")
    images, discs, measures = written(cohort)
    (row,) = [row for row in images if row["scan"] == findings.scans[3].path]
    assert row["outcome"] == "not done" and len(images) == N + 1
    assert all(findings.scans[3].path != row["scan"] for row in (*discs, *measures))


def test_the_tables_are_of_what_was_read_with_the_scans(cohort):
    """Each table of measures is read once: one that goes meanwhile, as another run does, costs no line and no table."""
    job, findings = cohort
    before = written(cohort)
    scans = list(read_scans(job, findings))
    for path in job.target.rglob("*_label-discs_measures.tsv"):
        path.write_bytes(b"\xff")
    write_tables(job.target, job.source, scans, judge([scan.entry for scan in scans]))
    lines = (job.target / "deepspine_measures.tsv").read_text().splitlines()
    assert len(lines) == 1 + len(before[2])


def test_what_is_left_out_has_the_participant_and_the_session_of_its_folders(cohort):
    """Its name says neither, for that is mostly why it was left out; a folder beside the subjects has none."""
    job, findings = cohort
    places = ("sub-99/ses-b/anat/sub-99_ses-b_T2W.nii", "sub-98/anat/T2w_2.nii", "patient7")
    skipped = dict.fromkeys(places, "rename it")
    scans = list(read_scans(job, Findings(findings.scans, skipped, [])))
    write_tables(job.target, job.source, scans, judge([scan.entry for scan in scans]))
    with open(job.target / "deepspine_images.tsv", newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t"))[-3:]
    assert [(row["participant_id"], row["session_id"]) for row in rows] == [
        ("sub-99", "ses-b"),
        ("sub-98", "n/a"),
        ("n/a", "n/a"),
    ]


def test_a_file_name_that_is_no_utf_8_costs_no_table(cohort):
    """As old names from another system are: its bytes are written out."""
    job, findings = cohort
    skipped = {os.fsdecode(b"sub-99/anat/sub-99_acq-\xfc_T2w.nii"): "rename it"}
    scans = list(read_scans(job, Findings(findings.scans, skipped, [])))
    write_tables(job.target, job.source, scans, judge([scan.entry for scan in scans]))
    last = (job.target / "deepspine_images.tsv").read_text(encoding="utf-8").splitlines()[-1]
    assert last.split("\t")[2] == r"sub-99/anat/sub-99_acq-\udcfc_T2w.nii"
