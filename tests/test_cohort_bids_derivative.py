"""Where results go, and that no name leads anywhere else."""

from dataclasses import replace
from pathlib import Path

import pytest
from cohort_cases import find, load, make_job, write_data_set
from hypothesis import given
from hypothesis import strategies as st

from deepspine_sct.cohort.bids_derivative import discs_sidecar, files_of
from deepspine_sct.cohort.target_folder import check_target, check_usable, link_segmentations, open_target
from deepspine_sct.data.bids import Scan
from deepspine_sct.errors import DeepspineError
from deepspine_sct.files.tables import write_json

NAME = "sub-02/ses-a/anat/sub-02_ses-a_acq-sag_run-1_T2w.nii.gz"


@pytest.fixture
def scan(tmp_path) -> Scan:
    """Write one scan with many entities."""
    (scan,) = find(write_data_set(tmp_path / "data", [NAME]))
    return scan


@pytest.fixture
def job(tmp_path):
    """Make a job that draws pictures."""
    (tmp_path / "out").mkdir()
    return make_job(tmp_path / "data", tmp_path / "out", pictures=True)


def test_every_entity_is_kept_in_the_names(scan, job):
    """The label file is the image's name with spine-generic's ending, in the image's own folder."""
    stem = "sub-02/ses-a/anat/sub-02_ses-a_acq-sag_run-1_T2w"
    files = files_of(job, scan)
    assert files.labels == job.target / f"{stem}_label-discs_dlabel.nii.gz"
    assert files.sidecar == job.target / f"{stem}_label-discs_dlabel.json"
    assert files.entry.parent == job.target / "deepspine" and files.entry.name.startswith(scan.stem)
    assert files.log == job.target / "logs" / f"{stem}.log"
    assert files_of(replace(job, pictures=False), scan).entry is None


def test_only_scans_that_may_be_labelled_name_the_discs_of_others(scan, job):
    """And only where the scans of a session are named together."""
    other = scan.image.with_name("sub-02_ses-a_T1w.nii.gz")
    for name in (other.name, f"._{other.name}", other.name.removesuffix(".gz")):
        scan.image.with_name(name).write_bytes(scan.image.read_bytes())
    assert files_of(job, scan).beside == ()
    assert files_of(replace(job, together=("T1w", "T2w")), scan).beside == (other.with_suffix(""),)


@given(folder=st.text(), stem=st.text(min_size=1).filter(lambda text: "/" not in text and "\0" not in text))
def test_any_name_stays_inside_or_is_refused(folder, stem):
    """Whatever a task from outside says, no file of it lies outside of the target folder."""
    job = make_job(Path("/data"), Path("/out"), checksum="")
    scan = Scan("sub-1", "", "", "T2w", Path("/data/x") / f"{stem}.nii.gz", folder, None)
    try:
        files = files_of(job, scan)
    except DeepspineError:
        return
    for path in (*files.results(), files.record, files.log):
        assert path.resolve().is_relative_to("/out")


@pytest.mark.parametrize("folder", ["../sub-01/anat", "sub-01/../../anat", "/etc", "sub-01/anat/..", ""])
def test_folders_that_lead_out_are_refused(scan, job, folder):
    """Also where the name of the file is a good one."""
    with pytest.raises(DeepspineError, match="BIDS"):
        files_of(job, replace(scan, folder=folder))


@pytest.mark.parametrize("link", ["sub-02", "logs/sub-02"])
def test_links_that_lead_out_are_refused(scan, job, tmp_path, link):
    """A link in the target folder must not make us write to where it points."""
    (tmp_path / "elsewhere").mkdir()
    (job.target / "logs").mkdir()
    (job.target / link).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DeepspineError, match="leads out"):
        files_of(job, scan)


def test_the_sidecar_says_what_bids_asks(scan, job):
    """Space, source as a BIDS URI, and who made it with which network, when and how."""
    content = discs_sidecar(job, scan, files_of(job, scan))
    assert content["SpatialReference"] == "orig"
    assert content["Sources"] == [f"bids:raw:{NAME}"]
    (maker,) = content["GeneratedBy"]
    assert maker["Name"] == "deepspine_sct"
    assert maker["ModelChecksum"] == job.checksum
    assert maker["Date"] == job.date
    assert maker["Command"].split()[:5] == ["sct_deepspine_label", "-i", NAME, "-c", "t2"]


def test_the_sidecar_names_every_scan_that_helped(scan, job):
    """As a source, and in the command, where the scans of a session are named together."""
    other = "sub-02/ses-a/anat/sub-02_ses-a_T1w.nii.gz"
    (job.source / other).write_bytes(scan.image.read_bytes())
    job = replace(job, together=("T1w", "T2w"))
    content = discs_sidecar(job, scan, files_of(job, scan))
    assert content["Sources"] == [f"bids:raw:{NAME}", f"bids:raw:{other}"]
    assert content["GeneratedBy"][0]["Command"].endswith(f" -with {other}")


def test_each_folder_of_segmentations_keeps_its_name(tmp_path, monkeypatch):
    """Sidecars of earlier runs name theirs: another folder gets another name, also after the data set was moved."""
    source, target = tmp_path / "data", tmp_path / "out"
    for place in (source, tmp_path / "a", tmp_path / "b"):
        place.mkdir()
    date = open_target(target, source, "a" * 64)
    names = [link_segmentations(target, tmp_path / name) for name in ("a", "b", "a")]
    assert names == ["segmentations", "segmentations2", "segmentations"]
    assert link_segmentations(target, source) == "raw"
    source.rename(tmp_path / "moved")
    assert open_target(target, tmp_path / "moved", "a" * 64) == date
    description = load(target / "dataset_description.json")
    links = {name: (tmp_path / place).as_uri() for name, place in (("raw", "moved"), (names[0], "a"), (names[1], "b"))}
    assert description["DatasetLinks"] == links
    assert description["SourceDatasets"] == [{"URL": uri} for uri in links.values()]


def test_what_a_person_added_to_the_description_stays_beside_segmentations(tmp_path):
    """A second maker and further entries; the first maker says that the folder is of this program."""
    source, target = tmp_path / "data", tmp_path / "out"
    source.mkdir()
    open_target(target, source, "a" * 64)
    path = target / "dataset_description.json"
    description = load(path)
    added = {"GeneratedBy": [*description["GeneratedBy"], {"Name": "Manual"}], "Authors": ["Dr A"]}
    write_json(path, description | added)
    assert link_segmentations(target, tmp_path / "cords") == "segmentations"
    assert load(path).items() >= added.items()


def test_what_a_person_added_to_the_description_stays_with_another_network(tmp_path):
    """Further entries, another name and a second maker; the first maker is this program with the new network."""
    source, target = tmp_path / "data", tmp_path / "out"
    source.mkdir()
    open_target(target, source, "a" * 64)
    path = target / "dataset_description.json"
    description, added = load(path), {"Name": "Discs of our cohort", "Authors": ["Dr A"], "License": "CC0"}
    (own,), second = description["GeneratedBy"], {"Name": "Manual", "Version": "2"}
    write_json(path, description | added | {"GeneratedBy": [own, second]})
    date = open_target(target, source, "b" * 64)
    makers = [own | {"ModelChecksum": "b" * 64, "Date": date}, second]
    assert load(path) == description | added | {"GeneratedBy": makers}


def test_the_first_run_sets_the_date_of_all(tmp_path, monkeypatch):
    """Later runs of the same network carry its date on, so that redone files are the same files."""
    source, target = tmp_path / "data", tmp_path / "new" / "out"
    source.mkdir()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert open_target(target, source, "a" * 64) == "2023-11-14T22:13:20Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    assert open_target(target, source, "a" * 64) == "2023-11-14T22:13:20Z"
    assert open_target(target, source, "b" * 64) == "2027-01-15T08:00:00Z"
    description = load(target / "dataset_description.json")
    assert description["DatasetType"] == "derivative"
    assert description["DatasetLinks"] == {"raw": source.as_uri()}
    assert description["GeneratedBy"][0]["ModelChecksum"] == "b" * 64


FOREIGN = ['{"Name": "mine", "DatasetType": "raw"}', "{", "[]", '{"GeneratedBy": [{"Name": "x"}]}']


@pytest.mark.parametrize("text", FOREIGN)
def test_the_folder_of_another_data_set_is_refused(tmp_path, text):
    """And so is the data set itself: nothing that is not ours is written over; each level has its own remedy."""
    target = tmp_path / "out"
    target.mkdir()
    (target / "dataset_description.json").write_text(text)
    with pytest.raises(DeepspineError, match="another data set; give a new or an empty folder"):
        open_target(target, tmp_path / "data", "a" * 64)
    with pytest.raises(DeepspineError, match="data set itself"):
        open_target(target, target, "a" * 64)
    with pytest.raises(DeepspineError, match="another data set; give the folder into which the level participant has"):
        check_target(target, tmp_path / "data")
    assert (target / "dataset_description.json").read_text() == text


def test_a_folder_with_labels_of_an_expert_is_refused(tmp_path):
    """They have the names of ours and no JSON file. Our own folder goes on, also without its description."""
    expert = tmp_path / "labels" / "sub-1" / "anat" / "sub-1_T2w_label-discs_dlabel.nii.gz"
    expert.parent.mkdir(parents=True)
    expert.write_bytes(b"of an expert")
    for refuse in (open_target, check_usable):
        with pytest.raises(DeepspineError, match="holds sub-1, which this program has not written; give a new or an"):
            refuse(tmp_path / "labels", tmp_path / "data", *["a" * 64] * (refuse is open_target))
    assert [path for path in (tmp_path / "labels").rglob("*") if path.is_file()] == [expert]
    assert check_usable(tmp_path / "new", tmp_path / "data") == {} and not (tmp_path / "new").exists()
    (tmp_path / "labels" / "logs").mkdir()
    assert check_usable(tmp_path / "labels", tmp_path / "data") == {}


def test_a_folder_into_which_nothing_was_labelled_is_refused(tmp_path):
    """The data set itself, a missing folder and one without our description are none of ours to write into."""
    source, target = tmp_path / "data", tmp_path / "out"
    source.mkdir()
    with pytest.raises(DeepspineError, match="data set itself"):
        check_target(source, source)
    for make in (lambda: None, target.mkdir):
        make()
        with pytest.raises(DeepspineError, match="run the level participant first"):
            check_target(target, source)
    open_target(target, source, "a" * 64)
    check_target(target, source)


def test_the_results_of_another_data_set_are_refused(tmp_path):
    """Both levels name it, and the folder stays as it is: two data sets may have scans of the same name."""
    first, second, target = tmp_path / "s1" / "bids #1", tmp_path / "s2" / "bids", tmp_path / "out"
    for source in (first, second):
        source.mkdir(parents=True)
    open_target(target, first, "a" * 64)
    before = (target / "dataset_description.json").read_bytes()
    for refuse in (lambda: open_target(target, second, "b" * 64), lambda: check_target(target, second)):
        with pytest.raises(DeepspineError, match=f"results of another data set, {first.as_uri()}; give another folder"):
            refuse()
    assert (target / "dataset_description.json").read_bytes() == before


def test_a_data_set_that_was_moved_is_the_same_one(tmp_path, monkeypatch):
    """Its results go on with their date and name the new place, also of one that is reached through a link."""
    source, moved, target = tmp_path / "data", tmp_path / "mnt" / "data", tmp_path / "out"
    source.mkdir()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    date = open_target(target, source, "a" * 64)
    (tmp_path / "linked").symlink_to(source)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    assert open_target(target, tmp_path / "linked", "a" * 64) == date
    moved.parent.mkdir()
    source.rename(moved)
    check_target(target, moved)
    assert open_target(target, moved, "a" * 64) == date
    assert load(target / "dataset_description.json")["DatasetLinks"] == {"raw": moved.as_uri()}


@pytest.mark.parametrize("name", ["logs", "deepspine"])
def test_a_folder_that_cannot_be_used_is_refused_before_any_work(tmp_path, name):
    """Else every scan would fail, and lose the labels of the run before."""
    source, target = tmp_path / "data", tmp_path / "out"
    for place in (source, target):
        place.mkdir()
    (target / name).write_text("a file")
    with pytest.raises(DeepspineError, match=f"{name}: is a file, not a folder"):
        open_target(target, source, "a" * 64)
