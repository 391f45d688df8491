"""Which scan an entry is about, what stands in it, and what becomes of damaged ones."""

import json
from pathlib import Path

import pytest
from at_once import run_at_once
from fake_predictor import VOXELS, world, write_scan
from page_cases import MADE, add_scan, make_report

from deepspine_sct.caution import Caution
from deepspine_sct.quality_control.entry import make_entry, read_entry
from deepspine_sct.quality_control.identity import distinct_names, identify
from deepspine_sct.quality_control.outcomes import DAMAGED, LABELLED
from deepspine_sct.quality_control.page_folder import read_entries, write_entry, write_page
from deepspine_sct.quality_control.slice_pictures import Picture

POINTS = {value: world(ijk) for value, ijk in VOXELS.items()}


@pytest.mark.parametrize(
    ("image", "names"),
    [
        ("/d/lab/sub-08/ses-02/anat/sub-08_ses-02_T2w.nii.gz", ("lab", "sub-08", "ses-02", "T2w")),
        ("/d/lab/sub-08/anat/sub-08_acq-sag_run-1_T1w.nii", ("lab", "sub-08", "", "T1w")),
        ("/d/lab/derivatives/x/sub-08/anat/sub-08_T2star.nii.gz", ("x", "sub-08", "", "T2star")),
        ("/d/copied/sub-08_T2w.nii.gz", ("copied", "sub-08", "", "T2w")),
        ("/data/lab/sub-01/anat/t2.nii.gz", ("lab", "sub-01", "", "t1")),
        ("/t2.nii.gz", ("", "", "", "t1")),
    ],
)
def test_a_scan_is_named_by_its_entities_or_its_folders(image, names):
    """And by -c only where the name does not say the contrast."""
    identity = identify(Path(image), "t1")
    assert (identity.dataset, identity.subject, identity.session, identity.contrast) == names


def test_the_user_has_the_last_word_on_names():
    """-qc-dataset and -qc-subject go before the name of the file."""
    identity = identify(Path("/d/lab/sub-08/anat/sub-08_T2w.nii.gz"), dataset="mine", subject="she")
    assert (identity.dataset, identity.subject) == ("mine", "she")


def test_one_key_for_one_scan_and_another_for_another():
    """A BIDS scan keeps its key when the data set moves; two runs, sessions or data sets differ."""
    names = [
        "/d/lab/sub-1/anat/sub-1_T2w.nii.gz", "/d/lab/sub-1/anat/sub-1_run-2_T2w.nii.gz",
        "/d/lab/sub-1/ses-a/anat/sub-1_ses-a_T2w.nii.gz", "/d/other/sub-1/anat/sub-1_T2w.nii.gz",
        "/d/a/t2.nii.gz", "/d/b/t2.nii.gz",
    ]  # fmt: skip
    keys = [identify(Path(name)).key for name in names]
    assert len(set(keys)) == len(names)
    assert identify(Path("/scratch/lab/sub-1/anat/sub-1_T2w.nii")).key == keys[0]


@pytest.mark.parametrize(
    ("images", "names"),
    [
        (["/q/a/t2.nii.gz", "/q/b/t2.nii.gz", "/q/b/t1.nii"], ["a/t2.nii.gz", "b/t2.nii.gz", "t1.nii"]),
        (["/q/a/x/t2.nii", "/q/b/x/t2.nii", "/q/b/y/t2.nii"], ["a/x/t2.nii", "b/x/t2.nii", "y/t2.nii"]),
        (["/t2.nii", "/q/t2.nii"], ["/t2.nii", "q/t2.nii"]),
        (["/q/t2.nii", "/q/t2.nii"], ["/q/t2.nii", "/q/t2.nii"]),
        ([], []),
    ],
)
def test_two_scans_of_one_file_name_are_told_apart_by_their_folders(images, names):
    """By as few of them as are needed; a name that occurs once stays short."""
    assert distinct_names(images) == names


@pytest.mark.parametrize("name", ["../../x.nii", "a b'\"<>.nii", "Žižka 脊椎 \udcff.nii", "x" * 240 + ".nii"])
def test_a_key_is_a_plain_file_name(name):
    """Whatever the image is called."""
    key = identify(Path("/d") / name).key
    assert key.isascii() and "/" not in key and len(key) < 100 and not key.startswith(".")


def test_a_scan_that_is_labelled_again_has_one_entry(tmp_path):
    """The later labels stand, with the later pictures and no others."""
    image = write_scan(tmp_path / "t2.nii.gz")
    first = add_scan(tmp_path / "qc", image, POINTS)
    (tmp_path / "qc" / "deepspine" / first.key / "attention.png").touch()
    add_scan(tmp_path / "qc", image, {3: POINTS[3]})
    (entry,) = read_entries(tmp_path / "qc")
    assert [disc[0] for disc in entry.discs] == [3]
    assert {path.name for path in (tmp_path / "qc" / "deepspine" / entry.key).iterdir()} == {"slice.png", "thumb.jpg"}


def test_an_entry_is_read_as_it_was_written_and_is_small(tmp_path):
    """Under 3 kB with twenty-five discs and two sentences."""
    points = {value: (1.25, -20.5, 33.125 - value) for value in range(1, 26)}
    report = make_report(
        points, warnings=[Caution("poor_fit", "one sentence that warns"), Caution("few_discs", "another")]
    )
    entry = make_entry(identify(Path("/d/t2.nii")), Path("/d/t2.nii"), LABELLED, report=report, made=MADE)
    write_entry(tmp_path, entry, {})
    (read,) = read_entries(tmp_path)
    assert (read.points, read.warnings) == (points, ("one sentence that warns", "another"))
    assert [caution.code for caution in read.warnings] == ["poor_fit", "few_discs"]
    assert (tmp_path / "deepspine" / f"{entry.key}.json").stat().st_size < 3000


DAMAGES = [b"", b"{", b"[]", b"null", b"{}", b'{"outcome": "labelled"}', b"\xff\xfe", b'{"discs": 1}', b"[" * 100_000]


@pytest.mark.parametrize("content", DAMAGES)
def test_a_damaged_entry_does_no_harm(tmp_path, content):
    """It is named on the page, and the other scans stay."""
    add_scan(tmp_path, write_scan(tmp_path / "t2.nii.gz"), POINTS)
    (tmp_path / "deepspine" / "<damaged>.json").write_bytes(content)
    entries = read_entries(tmp_path)
    assert sorted(entry.outcome for entry in entries) == [DAMAGED, LABELLED]
    assert "<damaged>.json cannot be read" in entries[0].reason
    assert b"\\u003cdamaged>.json cannot be read" in write_page(tmp_path).read_bytes()


def edited(path: Path, change) -> None:
    """Change an entry as somebody with an editor would."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry.update(discs=[[99, [0, 0, 0], 1]]),
        lambda entry: entry.update(discs=[[3, [0, 0], 1]]),
        lambda entry: entry.update(discs=[[3, [0, 0, 1e999], 1]]),
        lambda entry: entry.update(discs=[[float("inf"), [0, 0, 0], 1]]),
        lambda entry: entry.update(discs=[[3, [0, 0, 10**400], 1]]),
        lambda entry: entry.update(outcome="wonderful"),
        lambda entry: entry["plane"].update(affine=[[1, 0, 0, 0]] * 2 + [[0]]),
        lambda entry: entry["plane"].update(curve=[[0]]),
        lambda entry: entry["plane"].update(shape=[float("inf"), 1, 1]),
        lambda entry: entry.update(level_confidence="high"),
    ],
)
def test_an_entry_with_absurd_content_is_damaged(tmp_path, change):
    """Nothing of the kind reaches the page's script."""
    entry = add_scan(tmp_path, write_scan(tmp_path / "t2.nii.gz"), POINTS)
    path = tmp_path / "deepspine" / f"{entry.key}.json"
    edited(path, change)
    assert read_entry(path).outcome == DAMAGED


def test_a_picture_is_sought_beside_the_page_only(tmp_path):
    """A name that an edited entry gives it cannot lead elsewhere."""
    entry = add_scan(tmp_path, write_scan(tmp_path / "t2.nii.gz"), POINTS)
    path = tmp_path / "deepspine" / f"{entry.key}.json"
    edited(path, lambda content: content["pictures"]["slice"].update(file="../../etc/x.png"))
    assert read_entry(path).pictures["slice"]["file"] == "x.png"


def test_files_of_others_are_left_alone(tmp_path):
    """SCT's own report may live in the same folder, and notes in that of the entries."""
    (tmp_path / "index.html").write_text("SCT's")
    (tmp_path / "deepspine" / "my notes").mkdir(parents=True)
    add_scan(tmp_path, write_scan(tmp_path / "t2.nii.gz"), POINTS)
    write_page(tmp_path)
    assert (tmp_path / "index.html").read_text() == "SCT's"
    assert (tmp_path / "deepspine" / "my notes").is_dir()


def _add_five(folder: Path, writer: int) -> None:
    picture = {"thumb": Picture("thumb.jpg", b"x", (0, 0, 1, 1))}
    for turn in range(5):
        image = Path(f"/d/scan-{writer}-{turn}.nii")
        entry = make_entry(identify(image), image, LABELLED, report=make_report({3: (0, 0, 0)}), pictures=picture)
        write_entry(folder, entry, picture)
        write_page(folder)


def test_processes_do_not_lose_each_others_scans(tmp_path):
    """Four writers at once, five scans each: all twenty are on the page at the end."""
    run_at_once(_add_five, tmp_path, 4)
    page = (tmp_path / "deepspine.html").read_text(encoding="utf-8")
    assert all(f"/d/scan-{writer}-{turn}.nii" in page for writer in range(4) for turn in range(5))


def test_a_scan_is_the_same_one_by_whatever_way_it_is_reached(tmp_path, monkeypatch):
    """Relative, absolute, and with a detour through another folder."""
    place = tmp_path / "ds" / "sub-01" / "anat"
    place.mkdir(parents=True)
    (tmp_path / "ds" / "code").mkdir()
    monkeypatch.chdir(tmp_path / "ds" / "code")
    for name in ("sub-01_T2w.nii.gz", "t2.nii.gz"):
        ways = (place / name, Path("../sub-01/anat") / name, tmp_path / "ds" / "code" / ".." / "sub-01" / "anat" / name)
        assert len({identify(way, "t2") for way in ways}) == 1
        assert identify(ways[1], "t2").subject in ("sub-01", "anat")
