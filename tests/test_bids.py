"""Finding images and labels in a BIDS data set, as spine-generic and others lay them out."""

from pathlib import Path

import pytest

from deepspine_sct.data.bids import find_scans
from deepspine_sct.errors import DeepspineError


def touch(root: Path, *names: str) -> Path:
    """Make empty files: finding opens none of them."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


LABELS = "derivatives/labels/sub-amu01/anat/sub-amu01_T2w"


def test_images_and_labels_are_paired_by_name(tmp_path):
    """T1w without labels, T2w with; other suffixes, sidecars and derivatives are no images."""
    touch(
        tmp_path,
        "sub-amu01/anat/sub-amu01_T1w.nii.gz",
        "sub-amu01/anat/sub-amu01_T2w.nii.gz",
        "sub-amu01/anat/sub-amu01_T2w.json",
        "sub-amu01/anat/sub-amu01_T2star.nii.gz",
        "sub-amu01/dwi/sub-amu01_dwi.nii.gz",
        f"{LABELS}_label-discs_dlabel.nii.gz",
    )
    first, second = find_scans(tmp_path)
    assert (first.stem, first.contrast, first.label) == ("sub-amu01_T1w", "T1w", None)
    assert second.label == tmp_path / f"{LABELS}_label-discs_dlabel.nii.gz"
    assert (second.subject, second.session, second.folder) == ("sub-amu01", "", "sub-amu01/anat")
    assert [scan.contrast for scan in find_scans(tmp_path, ("T2w",))] == ["T2w"]


def test_older_labels_sessions_and_plain_nifti_are_found(tmp_path):
    """`_labels-disc-manual`, a ses- folder, `acq-` in the name and files that are not gzipped."""
    stem = "sub-1_ses-a_acq-sag_T2w"
    touch(
        tmp_path,
        f"sub-1/ses-a/anat/{stem}.nii",
        f"derivatives/labels/sub-1/ses-a/anat/{stem}_labels-disc-manual.nii",
    )
    (scan,) = find_scans(tmp_path)
    assert (scan.session, scan.stem, scan.contrast) == ("ses-a", stem, "T2w")
    assert scan.label.name == f"{stem}_labels-disc-manual.nii"


def test_two_files_of_one_name_are_one_scan(tmp_path, caplog):
    """Of x.nii and x.nii.gz one is taken, the first whose content is here, and the other is named."""
    touch(tmp_path, *(f"sub-{n}/anat/sub-{n}_T2w{end}" for n in (1, 2) for end in (".nii", ".nii.gz")))
    gone = tmp_path / "sub-2" / "anat" / "sub-2_T2w.nii"
    gone.unlink()
    gone.symlink_to("../../.git/annex/objects/a/b/SHA-1/SHA-1")
    assert [scan.image.name for scan in find_scans(tmp_path)] == ["sub-1_T2w.nii", "sub-2_T2w.nii.gz"]
    for skipped, kept in (("sub-1_T2w.nii.gz", "sub-1_T2w.nii"), ("sub-2_T2w.nii", "sub-2_T2w.nii.gz")):
        assert f"{skipped}: has the same name as {kept}; remove one of them" in caplog.text


def test_the_first_label_suffix_that_exists_counts(tmp_path):
    """The order of the suffixes is the user's, and so is the folder."""
    image = "sub-amu01/anat/sub-amu01_T2w"
    touch(tmp_path, f"{image}.nii.gz", f"raters/{image}_a.nii.gz", f"raters/{image}_b.nii.gz")
    (scan,) = find_scans(tmp_path, label_suffixes=("_b", "_a"), label_folder="raters")
    assert scan.label.name == "sub-amu01_T2w_b.nii.gz"


def test_a_label_that_was_never_downloaded_is_still_a_label(tmp_path):
    """A dangling git-annex link must be named when it is read, not passed over."""
    touch(tmp_path, "sub-amu01/anat/sub-amu01_T2w.nii.gz", f"{LABELS}_x")
    link = tmp_path / f"{LABELS}_label-discs_dlabel.nii.gz"
    link.symlink_to("../../.git/annex/objects/nowhere")
    (scan,) = find_scans(tmp_path)
    assert scan.label == link


@pytest.mark.parametrize("column", ["site", "institution_id"])
def test_sites_come_from_the_participants_table(tmp_path, column):
    """Also with a byte order mark and empty cells, for which the name speaks."""
    touch(tmp_path, "sub-amu01/anat/sub-amu01_T1w.nii", "sub-x/anat/sub-x_T1w.nii")
    touch(tmp_path, "sub-ucl3/anat/sub-ucl3_T1w.nii")
    table = f"participant_id\tsex\t{column}\nsub-amu01\tF\tmarseille\nsub-ucl3\tM\t\n"
    (tmp_path / "participants.tsv").write_text(table, encoding="utf-8-sig")
    sites = {scan.subject: scan.site for scan in find_scans(tmp_path)}
    assert sites == {"sub-amu01": "marseille", "sub-ucl3": "ucl", "sub-x": ""}


def test_what_a_participants_table_does_not_know_is_no_site(tmp_path):
    """BIDS writes n/a for it, and has no quotes; spaces around a cell mean nothing."""
    touch(tmp_path, *(f"sub-{name}/anat/sub-{name}_T2w.nii" for name in ("aa01", "bb01", "cc01")))
    table = 'participant_id\tsite\nsub-aa01\tn/a\nsub-bb01 \t"x\nsub-cc01\t y\n'
    (tmp_path / "participants.tsv").write_text(table, encoding="utf-8")
    assert [scan.site for scan in find_scans(tmp_path)] == ["aa", '"x', "y"]


def test_a_wrong_folder_is_named(tmp_path):
    """No such folder, and a folder without images, are one line each."""
    with pytest.raises(DeepspineError, match="no such folder"):
        find_scans(tmp_path / "nowhere")
    with pytest.raises(DeepspineError, match="holds no sub-"):
        find_scans(tmp_path)
