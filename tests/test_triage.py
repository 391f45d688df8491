"""What a person should look at first."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from page_cases import make_report

from deepspine_sct.caution import Caution
from deepspine_sct.quality_control.entry import make_entry
from deepspine_sct.quality_control.identity import identify
from deepspine_sct.quality_control.outcomes import FAILED, LABELLED, SKIPPED
from deepspine_sct.quality_control.triage import judge, summary


def scan(name: str, z_mm=(0, -18, -36, -53, -70), confidence=0.98, level=0.97, warnings=()):
    """Make an entry of a scan with five discs at these heights."""
    points = {3 + n: np.array([0.0, 0.0, z]) for n, z in enumerate(z_mm)}
    image = Path(f"/d/{name}.nii.gz")
    return make_entry(identify(image), image, LABELLED, report=make_report(points, confidence, level, warnings))


def other(name: str, outcome: str, reason: str):
    """Make an entry of a scan that was not labelled."""
    image = Path(f"/d/{name}.nii.gz")
    return make_entry(identify(image), image, outcome, reason)


def test_failures_come_first_then_doubt_and_what_is_fine_last():
    """Then scans unlike the others, weak discs and warnings; what was skipped on purpose is not urgent."""
    fine = [scan(f"fine{n}", np.array([0, -18, -36, -53, -70]) * (1 + 0.01 * n)) for n in range(9)]
    entries = [
        *fine,
        other("skipped", SKIPPED, "is an axial scan"),
        scan("warned", warnings=[Caution("disc_missing", "C5/C6 was not found")]),
        scan("weak", confidence=0.3),
        scan("odd", (0, -18, -36, -68, -85)),
        scan("shifted", level=0.5),
        scan("lost", level=0.2),
        other("broken", FAILED, "is truncated"),
    ]
    findings = judge(entries)
    order = sorted(range(len(entries)), key=lambda n: -findings[n].urgency)
    names = [Path(entries[n].image).name.partition(".")[0] for n in order]
    assert names[:7] == ["broken", "lost", "shifted", "odd", "weak", "warned", "skipped"]
    assert all(not findings[n].reasons for n in range(9))
    assert findings[13].reasons == ("the names may be shifted: level confidence 0.50",)
    (reason,) = findings[12].reasons
    assert reason.startswith("C4/C5 to C5/C6 is 32.0 mm, unlike the other scans (+")


def test_the_summary_names_what_a_person_has_to_do():
    """How many of each, which to look at and why, and why scans were left out."""
    entries = [
        scan("a"),
        scan("b", level=0.52),
        other("c", FAILED, "is truncated"),
        other("d", SKIPPED, "is an axial scan"),
        other("e", SKIPPED, "is an axial scan"),
    ]
    assert summary(entries, judge(entries)) == [
        "2 labelled, 1 of them to look at",
        "  b.nii.gz: the names may be shifted: level confidence 0.52",
        "1 failed",
        "  c.nii.gz: is truncated",
        "2 skipped",
        "  2 x is an axial scan",
    ]


def test_a_long_list_is_cut_and_says_so():
    """Ten scans are named, the rest is counted."""
    entries = [replace(other(f"c{n}", FAILED, "is truncated"), key=str(n)) for n in range(13)]
    lines = summary(entries, judge(entries))
    assert lines[1] == "13 failed" and len(lines) == 13 and lines[-1] == "  and 3 more"


def session_scan(name: str, shift: int, move_mm=0.0, subject="sub-1"):
    """Make a scan of a session with eight discs of one spine, named with a shift."""
    points = {4 + n + shift: np.array([0.0, move_mm, -17.0 * n]) for n in range(8)}
    image = Path(f"/d/lab/{subject}/anat/{subject}_{name}.nii.gz")
    return make_entry(identify(image), image, LABELLED, report=make_report(points, 0.98, 0.97))


def test_scans_of_a_session_that_name_one_spine_differently_are_looked_at():
    """Both of them, as one of the two is wrong; also where the patient has moved a little."""
    entries = [session_scan("T1w", 0), session_scan("T2w", 1, move_mm=4.0)]
    reasons = [finding.reasons for finding in judge(entries)]
    assert reasons == [
        ("a disc has a value 1 lower here than in sub-1_T2w.nii.gz",),
        ("a disc has a value 1 higher here than in sub-1_T1w.nii.gz",),
    ]


def test_scans_that_agree_or_belong_to_others_are_no_reason():
    """The same names, another subject, or discs that lie nowhere near each other."""
    for other_one in (
        session_scan("T2w", 0, move_mm=3.0),
        session_scan("T2w", 1, subject="sub-2"),
        session_scan("T2w", 1, move_mm=60.0),
    ):
        entries = [session_scan("T1w", 0), other_one]
        assert [finding.reasons for finding in judge(entries)] == [(), ()]
