"""What a data set holds beside well-named scans: followed, or named with its reason."""

import os
from pathlib import Path

import pytest
from cohort_cases import write_data_set

from deepspine_sct.cohort.cords import find_cord
from deepspine_sct.data.bids import Scan, find_scans
from deepspine_sct.data.bids_files import find_files
from deepspine_sct.data.discovery import left_out_lines, search
from deepspine_sct.errors import DeepspineError

BOTH = ("T1w", "T2w")
GOOD = "sub-01/anat/sub-01_T2w.nii.gz"


@pytest.fixture
def root(tmp_path):
    """Write a data set with one good scan."""
    return write_data_set(tmp_path / "data", [GOOD])


def touch(root: Path, *names: str) -> None:
    """Make files, with their folders."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x" * 2000)


def names(findings) -> list[str]:
    """List the paths of the scans that were found."""
    return [scan.path for scan in findings.scans]


LINKED = {
    "a session": ("sub-02/ses-1", "sub-02/ses-1/anat/sub-02_ses-1_T2w.nii.gz"),
    "a subject": ("sub-02", "sub-02/anat/sub-02_T2w.nii.gz"),
    "an anat folder": ("sub-02/anat", "sub-02/anat/sub-02_T2w.nii.gz"),
    "a scan": ("sub-02/anat/sub-02_T2w.nii.gz", "sub-02/anat/sub-02_T2w.nii.gz"),
}


@pytest.mark.parametrize("case", LINKED)
@pytest.mark.parametrize("absolute", [True, False])
def test_links_are_followed(root, tmp_path, case, absolute):
    """A session, a subject, a folder or a scan that lies elsewhere is labelled like any other."""
    link, scan = LINKED[case]
    touch(tmp_path / "store", scan)
    (root / link).parent.mkdir(parents=True, exist_ok=True)
    target = tmp_path / "store" / link
    (root / link).symlink_to(target if absolute else os.path.relpath(target, (root / link).parent))
    assert names(search(root, BOTH)) == [GOOD, scan]
    assert [scan.image for scan in find_scans(root)] == [root / GOOD, root / scan]


def test_links_that_lead_into_themselves_or_nowhere_end_and_are_named(root):
    """A loop of folders does not hang the search, and a session that was never fetched is told."""
    (root / "sub-01" / "ses-loop").symlink_to("..")
    (root / "sub-01" / "ses-gone").symlink_to("../../nowhere/ses-gone")
    (root / "sub-03").symlink_to("nowhere")
    findings = search(root, BOTH)
    assert names(findings)[0] == GOOD
    assert "leads nowhere" in findings.skipped["sub-01/ses-gone"]
    assert "cannot be opened" in findings.skipped["sub-03"]
    assert any("a link to a folder that it lies in" in reason for reason in findings.skipped.values())


def test_a_file_that_links_to_itself_costs_nothing_but_itself(root):
    """An image is found, and read as one that is not there; any other file is named."""
    scan = "sub-02/anat/sub-02_T2w.nii.gz"
    for name in (scan, "sub-02/anat/notes"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(Path(name).name)
    assert [found.image for found in find_scans(root)] == [root / GOOD, root / scan]
    findings = search(root, BOTH)
    assert names(findings) == [GOOD]
    assert "leads nowhere" in findings.skipped["sub-02/anat/notes"]


MISNAMED = {
    "sub-01/anat/sub-01_T2w__dup-01.nii.gz": "not named as BIDS asks, *_T2w.nii.gz",
    "sub-01/anat/sub-01_T2W.nii.gz": "not named as BIDS asks, *_T2w.nii.gz",
    "sub-01/anat/sub-01_t1w.nii": "not named as BIDS asks, *_T1w.nii.gz",
    "sub-01/anat/sub-01_T2.nii.gz": "not named as BIDS asks",
    "sub-01/anat/sub-01_T2w_1.nii.gz": "not named as BIDS asks",
    "sub-01/anat/sub-01_T2w(2).nii.gz": "not named as BIDS asks",
    "sub-01/anat/sub-01_T2w copy.nii.gz": "not named as BIDS asks",
    "sub-01/anat/sub-01-T1w.nii.gz": "not named as BIDS asks",
    "sub-01/anat/sub-01_T2w.NII.GZ": "not named as BIDS asks",
    "sub-01/anat/sub-01_run-2_T1w.mgz": "is no NIfTI file (.mgz); convert it",
    "sub-01/anat/sub-01_run-3_T1w.nii.bz2": "is no NIfTI file (.nii.bz2)",
    "sub-01/anat/sub-01_run-4_T1w.img": "is no NIfTI file (.img)",
    "sub-01/sub-01_T1w.nii.gz": "outside of an anat folder",
    "sub-01/ses-1/sub-01_ses-1_T1w.nii.gz": "outside of an anat folder",
    "sub-01/ANAT/sub-01_T1w.nii.gz": "outside of an anat folder",
    "sub-01/spine/sub-01_T1w.nii.gz": "outside of an anat folder",
    "sub-01/anat/._sub-01_T2w.nii.gz": "companion file of macOS",
}


@pytest.mark.parametrize("name", MISNAMED)
def test_a_name_that_is_nearly_right_is_named(root, caplog, name):
    """In a batch and in a preparation, with its reason and a count at the end."""
    touch(root, name)
    findings = search(root, BOTH)
    assert names(findings) == [GOOD] and MISNAMED[name] in findings.skipped[name]
    assert left_out_lines(findings)[0].startswith("Skipped: 1 file or folder, ")
    find_scans(root)
    assert f"skipped: {name}: " in caplog.text


@pytest.mark.parametrize(
    "name",
    [
        "sub-01/anat/sub-01_T2w.json",
        "sub-01/anat/sub-01_T2w_seg.nii.gz",
        "sub-01/anat/sub-01_T2w_label-discs_dlabel.nii.gz",
        "sub-01/anat/sub-01_T2map.nii.gz",
        "sub-01/anat/sub-01_T2star.nii.gz",
        "sub-01/anat/sub-01_inplaneT2.nii.gz",
        "sub-01/func/sub-01_task-rest_bold.nii.gz",
        "sub-01/dwi/sub-01_dwi.nii.gz",
        "derivatives/x/sub-01/anat/sub-01_T2w__dup-01.nii.gz",
        ".git/annex/sub-01_T2W.nii.gz",
    ],
)
def test_what_is_meant_to_be_something_else_is_no_complaint(root, name):
    """Sidecars, segmentations, labels, maps and other contrasts are not taken for misspelt scans."""
    touch(root, name)
    assert search(root, BOTH).skipped == {}


def test_other_contrasts_are_counted(root):
    """Images that --suffix would take are summed up by suffix; those made from a scan are not."""
    touch(root, *(f"sub-01/anat/sub-01_{suffix}.nii.gz" for suffix in ("UNIT1", "T2star", "STIR", "T2w_seg")))
    touch(root, "sub-01/anat/sub-01_run-2_UNIT1.nii")
    assert left_out_lines(search(root, BOTH)) == [
        "Images of other suffixes, which --contrast or --suffix would take: 1 STIR, 1 T2star, 2 UNIT1"
    ]


@pytest.mark.parametrize("suffix", ["STIR", "PSIR", "UNIT1", "FLAIR", "mySuffix"])
def test_a_suffix_that_is_asked_for_is_taken(root, suffix):
    """Also where BIDS does not know it, as long as the rest of the name is right."""
    touch(root, f"sub-01/anat/sub-01_acq-sag_{suffix}.nii.gz", f"sub-01/anat/sub-01_nonsense_{suffix}.nii.gz")
    findings = search(root, (suffix,))
    assert names(findings) == [f"sub-01/anat/sub-01_acq-sag_{suffix}.nii.gz"]
    assert list(findings.skipped) == [f"sub-01/anat/sub-01_nonsense_{suffix}.nii.gz"]


@pytest.mark.parametrize("name", ["Sub-02", "patient7", "S01"])
def test_a_subject_that_is_not_named_so_is_told(root, name):
    """A folder with anat in it, directly or in a session, was meant to be one."""
    touch(root, f"{name}/ses-1/anat/x_T2w.nii.gz", "code/anat/a.nii.gz", "notes/a.txt")
    assert "not named sub-<label>" in search(root, BOTH).skipped[name]
    assert list(search(root, BOTH).skipped) == [name]


def test_only_misnamed_scans_are_an_error_that_names_the_first(tmp_path):
    """Nothing to do is no success where there was something to do."""
    touch(tmp_path, "sub-01/anat/sub-01_T2W.nii.gz")
    with pytest.raises(DeepspineError, match=r"holds no .* skipped: sub-01/anat/sub-01_T2W.nii.gz, which is not"):
        search(tmp_path, BOTH)
    touch(tmp_path, "sub-01/anat/sub-01_nonsense_T2w.nii.gz")
    with pytest.raises(
        DeepspineError, match="none of 2 images can be labelled; the first one is sub-01/anat/sub-01_T2W"
    ):
        search(tmp_path, BOTH)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open every folder")
def test_a_folder_that_may_not_be_opened_is_named(root):
    """It is not taken for empty."""
    (root / "sub-04" / "anat").mkdir(parents=True)
    (root / "sub-04").chmod(0)
    assert "Permission denied" in find_files(root, BOTH).passed["sub-04"]
    (root / "sub-04").chmod(0o755)


TABLES = {
    "Latin-1": "participant_id\tsite\nsub-01\tMünchen\n".encode("latin-1"),
    "UTF-16": "participant_id\tsite\nsub-01\tbonn\n".encode("utf-16"),
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "NUL bytes": b"participant_id\tsite\nsub-01\t\x00\xff\n",
    "commas": b"participant_id,site\nsub-01,bonn\n",
    "a pointer": b"/annex/objects/MD5E-s1--ab.tsv\nx\n",
    "a huge cell": b"participant_id\tsite\nsub-01\t" + b"x" * 200000 + b"\n",
}


@pytest.mark.parametrize("case", TABLES)
def test_a_table_that_cannot_be_read_is_passed_over_and_named(root, caplog, case):
    """The scans are found all the same, and the sites come from their names."""
    (root / "participants.tsv").write_bytes(TABLES[case])
    assert [scan.image for scan in find_scans(root)] == [root / GOOD]
    assert "participants.tsv: ignored" in caplog.text


@pytest.mark.parametrize("kind", ["folder", "dangling link"])
def test_a_table_that_is_none_is_passed_over_and_named(root, caplog, kind):
    """A folder of that name, and a table that git-annex has not fetched."""
    path = root / "participants.tsv"
    path.mkdir() if kind == "folder" else path.symlink_to(".git/annex/objects/x")
    assert len(find_scans(root)) == 1
    assert "participants.tsv: ignored" in caplog.text


SCAN = Scan("sub-01", "", "", "T2w", Path("sub-01_T2w.nii.gz"), "sub-01/anat", None)


@pytest.mark.parametrize(
    "ending",
    [
        "_seg.nii.gz", "_seg-manual.nii.gz", "_label-SC_seg.nii.gz", "_label-SC_mask.nii.gz", "_desc-sc_seg.nii.gz",
        "_label-cord_mask.nii.gz", "_desc-spinalcord_dseg.nii", "_label-sc_seg.nii", "_desc-cord_mask-manual.nii.gz",
    ],
)  # fmt: skip
def test_cords_are_found_under_the_names_that_are_in_use(tmp_path, ending):
    """spine-generic's, SCT's and those of BIDS derivatives, compressed or not; other structures are not taken."""
    anat = "sub-01/anat/sub-01_T2w"
    touch(
        tmp_path, f"{anat}{ending}", f"{anat}_label-GM_seg.nii.gz", f"{anat}_label-lesion_mask.nii.gz", f"{anat}.json"
    )
    assert find_cord(tmp_path, SCAN).path == tmp_path / f"{anat}{ending}"


def test_of_several_cords_the_most_certain_counts(tmp_path):
    """What says that it is the cord before what does not, by hand before by program, and no guess between equals."""
    anat = "sub-01/anat/sub-01_T2w"
    touch(tmp_path, f"{anat}_seg.nii.gz", f"{anat}_seg-manual.nii.gz")
    assert find_cord(tmp_path, SCAN).path.name == "sub-01_T2w_seg-manual.nii.gz"
    touch(tmp_path, f"{anat}_label-SC_seg.nii.gz")
    assert find_cord(tmp_path, SCAN).path.name == "sub-01_T2w_label-SC_seg.nii.gz"
    touch(tmp_path, f"{anat}_desc-sc_seg.nii.gz")
    assert find_cord(tmp_path, SCAN).path is None
    assert "could both be the cord" in find_cord(tmp_path, SCAN).fault


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("sub-02/anat/x.nii.gz", "there is no folder"),
        ("sub-01/anat", "there is no folder"),
        ("sub-01/anat/sub-01_desc-sc_mask.nii.gz", "sub-01_desc-sc_mask.nii.gz has another name"),
        ("sub-01/anat/sub-01_T2w_label-lesion_seg.nii.gz", "has another name"),
        ("sub-01/anat/sub-01_T1w.nii.gz", "holds no segmentation sub-01_T2w with an ending such as _seg"),
    ],
)
def test_a_cord_that_is_not_found_is_explained(tmp_path, name, fault):
    """What was looked for, and what lies there instead."""
    touch(tmp_path, name)
    assert find_cord(tmp_path, SCAN).path is None and fault in find_cord(tmp_path, SCAN).fault


def test_cords_that_may_not_be_seen_are_no_cords_that_are_missing(tmp_path, monkeypatch):
    """It is not known that there are none, so the scan must not pass as one without."""
    touch(tmp_path, "sub-01/anat/sub-01_T2w_seg.nii.gz")
    assert not find_cord(tmp_path / "none", SCAN).is_hidden

    def refuse(folder: object) -> list[str]:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(os, "listdir", refuse)
    hidden = find_cord(tmp_path, SCAN)
    assert hidden.path is None and hidden.is_hidden
    assert "sub-01/anat of segmentations cannot be read (Permission denied); check its permissions" in hidden.fault


def test_a_data_set_within_the_data_set_is_no_subject_with_a_wrong_name(root):
    """Such as the results of an earlier run; a folder without a description of its own may be a subject's."""
    touch(root, "out/dataset_description.json", "out/sub-01/anat/sub-01_T2w_dlabel.nii.gz", "patient7/anat/t2.nii.gz")
    assert list(search(root, BOTH).skipped) == ["patient7"]
