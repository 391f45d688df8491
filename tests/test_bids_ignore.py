"""What `.bidsignore` leaves out of a data set: the patterns against git, the reasons in a search."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cohort_cases import write_data_set
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepspine_sct.data.bids import find_scans
from deepspine_sct.data.bids_ignore import BidsIgnore
from deepspine_sct.data.discovery import find_beside, left_out_lines, search
from deepspine_sct.errors import DeepspineError

BOTH = ("T1w", "T2w")
PLACES = [
    "sub-01/anat/sub-01_T1w.nii.gz",
    "sub-01/anat/sub-01_acq-a b_T2w.nii.gz",
    "sub-01/anat/sub-01_acq-[x]_T2w.nii",
    "sub-02/ses-1/anat/sub-02_ses-1_run-1_T2w.nii.gz",
    "sub-02/ses-1/anat/sub-02_ses-1_run-2_T2w.nii.gz",
    "sub-02/ses-1/anat/!odd_T2w.nii.gz",
    "sub-02/ses-2/anat/#odd_T2w.nii.gz",
    "sub-02/ses-2/anat/anat",
    "sub-02/ses-2/T2w/T1w/x.nii.gz",
    "anat/sub-01/x",
]
LINES = [
    "*_T2w*", "/*_T2w*", "sub-01", "sub-01/", "/sub-01/", "sub-0?/", "sub-02/ses-1", "/sub-02/ses-1/", "ses-1/",
    "anat", "anat/", "/anat/", "anat/*", "/anat", "**/anat/", "**/ses-2/**", "sub-02/**/x.nii.gz", "sub-02/**", "**",
    "sub-*/**/anat", "*", "/*", "sub-02/*/anat/*run-2*", "*run-[2-9]*", "*run-[!1]*", "*[]]*", "*acq-[[]*", r"\#odd*",
    r"\!odd*", "#odd*", "*a b_T2w.nii.gz", "x.nii.gz  ", r"x\.nii.gz", "T2w/T1w", "**/T2w/T1w", "T1w/*.gz",
    "!*run-1*", "!sub-02/", "!*", "!/**", "//**", "**//", "!anat/", "!/sub-01/anat/*T1w*", "", "/", "# a note",
    "SUB-01/", "*.nii", "*.nii.??", "?ub-01/", "sub-01/anat/", "**/", "sub-02/ses-[12]/anat", "x", "*/x", "**/x.nii*",
    "**t",
]  # fmt: skip


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A folder that git looks after, with all files of `PLACES`."""
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    root = tmp_path_factory.mktemp("repository")
    for place in PLACES:
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).touch()
    subprocess.run(["git", "init", "-q", root], check=True)
    return root


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(st.sampled_from(LINES), min_size=1, max_size=4))
def test_the_patterns_are_those_of_git(repository, lines):
    """Of every file git and this program say the same, whatever lines follow each other."""
    for name in (".gitignore", ".bidsignore"):
        (repository / name).write_text("\n".join(lines) + "\n")
    checked = subprocess.run(
        ["git", "-C", repository, "-c", "core.excludesFile=", "check-ignore", "--no-index", "--stdin", "-z"],
        input="\0".join(PLACES), capture_output=True, text=True, check=False,
    )  # fmt: skip
    ignore = BidsIgnore.read(repository)
    assert [place for place in PLACES if ignore.reason(place)] == checked.stdout.split("\0")[:-1], lines


@pytest.fixture
def root(tmp_path):
    """Write a data set of two subjects, one with two runs and one with sessions."""
    names = ["sub-01/anat/sub-01_run-1_T2w.nii.gz", "sub-01/anat/sub-01_run-2_T2w.nii.gz"]
    names += [f"sub-02/ses-{n}/anat/sub-02_ses-{n}_T1w.nii.gz" for n in "ab"]
    return write_data_set(tmp_path / "data", names)


def add(root: Path, *names: str) -> None:
    """Add files that are large enough to be an image."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x" * 2000)


def ignoring(root: Path, *lines: str) -> None:
    """Write the file of a data set, as an editor under Windows does."""
    (root / ".bidsignore").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())


def test_what_the_data_set_leaves_out_is_skipped_with_the_line_that_says_so(root):
    """Images and folders, by a search and by whoever prepares a training; all others are found."""
    ignoring(root, "# broken scans", "*_run-2_*", "/sub-02/ses-a/")
    found = search(root, BOTH)
    left = ["sub-01/anat/sub-01_run-1_T2w.nii.gz", "sub-02/ses-b/anat/sub-02_ses-b_T1w.nii.gz"]
    assert [scan.path for scan in found.scans] == left == [scan.path for scan in find_scans(root)]
    assert {place: reason.split("'")[1] for place, reason in found.skipped.items()} == {
        "sub-01/anat/sub-01_run-2_T2w.nii.gz": "*_run-2_*",
        "sub-02/ses-a/anat/sub-02_ses-a_T1w.nii.gz": "/sub-02/ses-a/",
    }
    assert all("of .bidsignore" in reason for reason in found.skipped.values())
    assert left_out_lines(found)[0].startswith("Skipped: 2 files or folders")
    assert find_beside(root, found.scans[0], BOTH) == []
    ignoring(root, "*")
    with pytest.raises(DeepspineError, match="skipped: sub-01/.*, which is left out of the data set by the line '\\*'"):
        search(root, BOTH)


def test_nobody_is_asked_to_rename_what_the_data_set_leaves_out(root):
    """A name that is nearly right, a folder that is nearly a subject's, and images of other contrasts."""
    add(root, "sub-01/anat/sub-01_T2W.nii.gz", "Sub-09/anat/x.nii.gz", "sub-01/anat/sub-01_run-2_PDw.nii.gz")
    assert len(search(root, BOTH).skipped) == 2 and search(root, BOTH).others == {"PDw": 1}
    ignoring(root, "*_T2W*", "Sub-09/", "*_run-2_PDw.nii.gz")
    found = search(root, BOTH)
    assert ["of .bidsignore" in reason for reason in found.skipped.values()] == [True] and found.others == {}


def test_of_two_files_of_one_name_the_one_that_is_no_part_of_the_data_set_is_no_twin(root):
    """The other one is labelled, although it comes second."""
    add(root, "sub-01/anat/sub-01_run-1_T2w.nii")
    assert "sub-01/anat/sub-01_run-1_T2w.nii.gz" in search(root, BOTH).skipped
    ignoring(root, "*.nii")
    assert "sub-01/anat/sub-01_run-1_T2w.nii.gz" in [scan.path for scan in search(root, BOTH).scans]


@pytest.mark.parametrize("line", ["*_STIR.nii.gz", "*_STIR*", "**/*_STIR.*", "sub-*/ses-*/anat/*_STIR.nii.gz"])
def test_a_suffix_that_the_data_set_leaves_out_as_such_is_taken_where_it_is_asked_for(root, line):
    """A data set can only hold it by leaving it out; single images of it are left out as any others are."""
    names = [f"sub-02/ses-a/anat/sub-02_ses-a{run}_STIR.nii.gz" for run in ("", "_run-2")]
    names.append("sub-02/ses-b/anat/sub-02_ses-b_STIR.nii.gz")
    add(root, *names)
    ignoring(root, line, "*_run-2_*", "ses-b/")
    assert [scan.path for scan in search(root, ("STIR",)).scans] == names[:1]
    ignoring(root, "*_T1w.nii.gz")
    assert len(search(root, BOTH).scans) == 2


def test_what_another_data_set_leaves_out_says_nothing_of_this_one(root):
    """Results within the data set have a file of their own, and so may a folder of a subject."""
    for folder in ("derivatives/deepspine", "sub-01", "sub-01/anat"):
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / ".bidsignore").write_text("*\n")
    assert len(search(root, BOTH).scans) == 4 and search(root, BOTH).skipped == {}


@pytest.mark.parametrize("kind", ["folder", "dangling link", "a range that ends before it begins"])
def test_a_file_that_cannot_be_read_leaves_out_nothing_and_is_named(root, caplog, kind):
    """As git-annex leaves a file that it has not fetched."""
    path = root / ".bidsignore"
    if kind == "folder":
        path.mkdir()
    elif kind == "dangling link":
        path.symlink_to(".git/annex/objects/x")
    else:
        path.write_text("*_run-[9-1]_*\n")
    assert len(search(root, BOTH).scans) == 4
    assert ".bidsignore: " in caplog.text and "leaves out no image" in caplog.text


def test_names_that_are_no_utf8_can_be_left_out(tmp_path):
    """The line and the name hold the same bytes."""
    (tmp_path / ".bidsignore").write_bytes(b"*m\xfcller*\n")
    assert BidsIgnore.read(tmp_path).reason(os.fsdecode(b"sub-m\xfcller/anat/x_T2w.nii.gz"))
    assert not BidsIgnore.read(tmp_path).reason("sub-miller/anat/x_T2w.nii.gz")


@pytest.mark.parametrize(
    "name",
    [
        "sub-01/anat/sub-01_part-phase_T2w.nii.gz",
        "sub-01/anat/sub-01_acq-sag_part-phase_T1w.nii",
        "sub-01/anat/sub-01_T2w_phase.nii.gz",
        "sub-01/anat/sub-01_phase_T2w.nii.gz",
        "sub-01/sub-01_part-phase_T2w.nii.gz",
    ],
)
def test_phase_images_are_skipped_with_the_reason(root, name):
    """Wherever they lie; the magnitude beside them is labelled."""
    magnitude = "sub-01/anat/sub-01_part-mag_T2w.nii.gz"
    add(root, magnitude, name)
    found = search(root, BOTH)
    assert found.skipped[name].startswith("is a phase image") and list(found.skipped) == [name]
    assert magnitude in [scan.path for scan in found.scans] and len(found.scans) == 5


@pytest.mark.parametrize("name", ["fmap/sub-01_phasediff", "anat/sub-01_part-phase_UNIT1", "anat/sub-01_phase"])
def test_other_phase_images_are_neither_named_nor_counted(root, name):
    """Nobody would take them for a scan that is asked for, and no option would label them."""
    add(root, f"sub-01/{name}.nii.gz")
    found = search(root, BOTH)
    assert found.skipped == {} and found.others == {}
