"""Which images of a BIDS data set are labelled, and why the others are not."""

import shutil

import pytest
from cohort_cases import write_data_set

from deepspine_sct.data.discovery import find_beside, search
from deepspine_sct.errors import DeepspineError

BOTH = ("T1w", "T2w")
GOOD = [
    "sub-01/anat/sub-01_T1w.nii.gz",
    "sub-01/anat/sub-01_acq-sag_run-2_T2w.nii.gz",
    "sub-02/ses-a1/anat/sub-02_ses-a1_T2w.nii.gz",
    "sub-02/ses-b/anat/sub-02_ses-b_T2w.nii",
]


@pytest.fixture
def root(tmp_path):
    """Write a data set with sessions, runs and other entities."""
    return write_data_set(tmp_path / "data", GOOD)


def names(findings) -> list[str]:
    """List the paths of the scans that were found."""
    return [scan.path for scan in findings.scans]


def test_finds_both_contrasts_with_sessions_runs_and_entities(root):
    """All T1w and T2w of the data set, none of its derivatives, and each under its own name."""
    write_data_set(root / "derivatives" / "x", ["sub-01/anat/sub-01_T1w.nii.gz"])
    assert names(search(root, BOTH)) == GOOD
    assert names(search(root, ("T1w",))) == GOOD[:1]


@pytest.mark.parametrize(
    ("participants", "sessions", "chosen"),
    [
        (["01"], [], GOOD[:2]),
        (["sub-02"], [], GOOD[2:]),
        (["01", "02"], ["b"], GOOD[3:]),
        ([], ["ses-a1", "b"], GOOD[2:]),
    ],
)
def test_chooses_participants_and_sessions_with_or_without_prefix(root, participants, sessions, chosen):
    """As BIDS Apps do."""
    assert names(search(root, BOTH, participants, sessions)) == chosen


@pytest.mark.parametrize(
    ("participants", "sessions", "words"),
    [
        (["03"], [], "sub-03"),
        (["01", "03"], [], "no sub-03"),
        ([], ["c"], "no ses-c with a T1w or T2w image"),
        (["../data/sub-01"], [], "not a BIDS label"),
        (["*"], [], "not a BIDS label"),
        (["01/.."], [], "not a BIDS label"),
        ([""], [], "not a BIDS label"),
    ],
)
def test_labels_that_name_nothing_are_refused(root, participants, sessions, words):
    """A misspelt label is an error, not an empty run, and no pattern or path leads elsewhere."""
    with pytest.raises(DeepspineError, match=words):
        search(root, BOTH, participants, sessions)


def test_what_cannot_be_labelled_is_named_with_its_reason(root):
    """Names that are not BIDS, a name of another subject, both kinds of pointer, and twins."""
    write_data_set(
        root / "more",
        [
            "sub-03/anat/sub-03_nonsense_T2w.nii.gz",
            "sub-03/anat/sub-04_T2w.nii.gz",
            "sub-03/anat/sub-03_T2w.nii",
            "sub-03/anat/sub-03_T2w.nii.gz",
        ],
    )
    (root / "more" / "sub-03").rename(root / "sub-03")
    anat = root / "sub-03" / "anat"
    (anat / "sub-03_run-1_T1w.nii.gz").symlink_to("../../.git/annex/objects/a/b/SHA-1/SHA-1")
    (anat / "sub-03_run-2_T1w.nii.gz").write_text("/annex/objects/SHA256E-s123--abc.nii.gz\n")
    findings = search(root, BOTH, ["03"])
    assert names(findings) == ["sub-03/anat/sub-03_T2w.nii"]
    reasons = {name.rpartition("/")[2]: reason for name, reason in findings.skipped.items()}
    assert "BIDS" in reasons.pop("sub-03_nonsense_T2w.nii.gz")
    assert "BIDS" in reasons.pop("sub-04_T2w.nii.gz")
    assert "git annex get" in reasons.pop("sub-03_run-1_T1w.nii.gz")
    assert "git annex get" in reasons.pop("sub-03_run-2_T1w.nii.gz")
    assert "same name as sub-03_T2w.nii;" in reasons.pop("sub-03_T2w.nii.gz")
    assert not reasons


def test_an_empty_or_damaged_file_is_left_to_its_worker(root):
    """It is a scan that fails, not a pointer: nobody can fetch its content."""
    (root / GOOD[0]).write_bytes(b"")
    (root / GOOD[1]).write_bytes(b"no image")
    assert names(search(root, BOTH)) == GOOD


def test_scans_without_sidecar_are_told_and_kept(root):
    """Nothing of the sidecar is needed, so its absence is no reason to leave a scan out."""
    (root / GOOD[1]).with_name("sub-01_acq-sag_run-2_T2w.json").write_text("{}")
    findings = search(root, BOTH)
    assert names(findings) == GOOD
    assert [scan.path for scan in findings.without_sidecar] == [GOOD[0], *GOOD[2:]]


def test_beside_a_scan_lie_only_scans_that_the_search_finds(root):
    """No hidden file, no twin of the scan or of another one, no pointer, and no name that BIDS does not know."""
    anat = root / "sub-01" / "anat"
    scan, other = search(root, BOTH).scans[:2]
    refused = ("._sub-01_T1w.nii.gz", "._sub-01_acq-new_T2w.nii.gz", "sub-01_T1w.nii", "sub-01_odd_T2w.nii.gz")
    for name in (*refused, "sub-01_acq-sag_run-2_T2w.nii", "sub-01_FLAIR.nii.gz"):
        shutil.copyfile(scan.image, anat / name)
    (anat / "sub-01_acq-gone_T2w.nii.gz").symlink_to("../.git/annex/objects/gone")
    assert find_beside(root, scan, BOTH) == [other.image.with_suffix("")]
    assert find_beside(root, scan, ("T1w",)) == []


def test_equal_files_lie_beside_a_scan_once(root):
    """As git-annex links them to one object: neither the scan nor another one has two votes."""
    anat = root / "sub-01" / "anat"
    (root / "object").write_bytes((anat / "sub-01_T1w.nii.gz").read_bytes())
    for name in ("sub-01_run-1_T1w.nii.gz", "sub-01_run-2_T1w.nii.gz"):
        (anat / name).symlink_to(root / "object")
    beside = {scan.stem: find_beside(root, scan, ("T1w",)) for scan in search(root, ("T1w",)).scans}
    alone, twice = anat / "sub-01_T1w.nii.gz", anat / "sub-01_run-1_T1w.nii.gz"
    assert beside == {"sub-01_T1w": [twice], "sub-01_run-1_T1w": [alone], "sub-01_run-2_T1w": [alone]}
