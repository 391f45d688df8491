"""The quality-control page: every scan on it, from several processes, and only text in it."""

import json
import multiprocessing
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest

from deepspine_sct.errors import DeepspineError
from deepspine_sct.evaluation import page
from deepspine_sct.evaluation.page import add_entry, default_identity, render_page

IDENTITY = {"dataset": "lab", "subject": "sub-01", "contrast": "anat"}


def make_report(image="t2.nii.gz", name="C2/C3", confidence=0.98, warnings=()) -> dict:
    """Report of one disc, as `sct_deepspine_label -json` writes it."""
    disc = {
        "value": 3,
        "name": name,
        "world_mm": [1.25, -20.0, 33.333],
        "voxel": [4, 120, 77],
        "confidence": confidence,
    }
    return {
        "inputs": {"image": image},
        "discs": [disc],
        "level_confidence": 0.95,
        "warnings": list(warnings),
    }


class Reader(HTMLParser):
    """Collects what a browser would see: tags with their attributes, and text."""

    def __init__(self, page_path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(page_path.read_bytes().decode("ascii"))

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data) -> None:
        self.text += data

    def attributes(self, tag: str, name: str) -> list[str]:
        """List one attribute of all elements of a kind."""
        return [attrs[name] for found, attrs in self.tags if found == tag and name in attrs]


def test_a_scan_is_shown_with_its_picture_and_table(tmp_path):
    """The picture is the file beside the entry, and the table holds the report's numbers."""
    path = add_entry(tmp_path / "new" / "qc", IDENTITY, make_report(), b"a picture")
    assert path == tmp_path / "new" / "qc" / "deepspine.html"
    reader = Reader(path)
    (source,) = reader.attributes("img", "src")
    assert (path.parent / source).read_bytes() == b"a picture"
    assert "lab / sub-01 / anat / t2.nii.gz" in reader.text
    for cell in ("3", "C2/C3", "4 120 77", "1.2 -20.0 33.3", "0.98"):
        assert cell in reader.text
    assert {file.name for file in path.parent.iterdir()} == {"deepspine.html", "deepspine"}


def test_scans_are_added_newest_first_and_none_is_lost(tmp_path):
    """Two entries of one instant both stay, and a later one comes first."""
    first, later = datetime(2026, 1, 2, 3, 4, 5), datetime(2026, 1, 2, 3, 4, 6)
    for image, when in (("a.nii", first), ("b.nii", first), ("c.nii", later)):
        path = add_entry(tmp_path, IDENTITY, make_report(image), b"", when)
    text = Reader(path).text
    assert text.index("c.nii") < text.index("b.nii") < text.index("a.nii")
    assert "3 scans" in text


def test_names_from_outside_stay_text(tmp_path):
    """Markup in any name or sentence is shown, not obeyed, and no element is added by it."""
    plain = Reader(add_entry(tmp_path / "plain", IDENTITY, make_report(warnings=["w"]), b""))
    attack = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;"
    identity = dict.fromkeys(IDENTITY, attack)
    report = make_report(attack, attack, warnings=[attack])
    report["discs"][0]["value"] = attack
    reader = Reader(add_entry(tmp_path / "attack", identity, report, b""))
    assert [tag for tag, _ in reader.tags] == [tag for tag, _ in plain.tags]
    assert "script" not in {tag for tag, _ in reader.tags}
    assert reader.text.count(attack) >= 6


def test_names_in_any_alphabet_are_shown(tmp_path):
    """Also one that is no valid text at all, as a file name may be."""
    path = add_entry(tmp_path, IDENTITY | {"subject": "Žižka 脊椎 \udcff"}, make_report(), b"")
    assert "Žižka 脊椎" in Reader(path).text


def test_the_page_needs_nothing_from_outside(tmp_path):
    """Every address on it is relative, and it forbids scripts."""
    path = add_entry(tmp_path, IDENTITY, make_report(), b"")
    reader = Reader(path)
    addresses = [
        value for _, attrs in reader.tags for key, value in attrs.items() if key in ("src", "href")
    ]
    assert addresses and all(address.startswith("deepspine/") for address in addresses)
    assert "script-src 'none'" in reader.attributes("meta", "content")
    assert "url(" not in path.read_text() and "@import" not in path.read_text()


def test_doubt_is_marked(tmp_path):
    """A low confidence is set apart, a high one is not."""
    add_entry(tmp_path / "low", IDENTITY, make_report(confidence=0.5), b"")
    add_entry(tmp_path / "high", IDENTITY, make_report(), b"")
    low, high = (Reader(tmp_path / name / "deepspine.html") for name in ("low", "high"))
    assert low.attributes("td", "class") == ["doubt"]
    assert high.attributes("td", "class") == []


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"{}", b'{"report": 3}', b"\xff\xfe", b'{"report": {"discs": 1}}'],
)
def test_a_damaged_entry_does_no_harm(tmp_path, content):
    """It is named on the page, and the other scans stay."""
    path = add_entry(tmp_path, IDENTITY, make_report(), b"")
    (tmp_path / "deepspine" / "<damaged>.json").write_bytes(content)
    add_entry(tmp_path, IDENTITY, make_report("other.nii"), b"")
    text = Reader(path).text
    assert "Entry <damaged>.json cannot be read." in text
    assert "t2.nii.gz" in text and "other.nii" in text


def test_files_of_others_are_left_alone(tmp_path):
    """SCT's own report may live in the same folder."""
    (tmp_path / "index.html").write_text("SCT's")
    (tmp_path / "_json").mkdir()
    add_entry(tmp_path, IDENTITY, make_report(), b"")
    assert (tmp_path / "index.html").read_text() == "SCT's"
    assert list((tmp_path / "_json").iterdir()) == []


def _add_five(folder: Path, writer: int) -> None:
    for turn in range(5):
        add_entry(folder, IDENTITY, make_report(f"scan-{writer}-{turn}.nii"), b"")


def test_processes_do_not_lose_each_others_scans(tmp_path):
    """Four writers at once, five scans each: all twenty are on the page at the end."""
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_add_five, args=(tmp_path, n)) for n in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=60)
        assert writer.exitcode == 0
    text = Reader(tmp_path / "deepspine.html").text
    assert "20 scans" in text
    assert all(f"scan-{writer}-{turn}.nii" in text for writer in range(4) for turn in range(5))
    entries = tmp_path / "deepspine"
    assert len(list(entries.glob("*.json"))) == len(list(entries.glob("*.png"))) == 20


def test_a_locked_page_is_reported_after_a_while(tmp_path, monkeypatch):
    """A process that never lets go does not hang the others for ever."""
    path = tmp_path / ".lock"
    refused = pytest.raises(DeepspineError, match="another process")
    with page._locked(path), refused, page._locked(path, timeout_s=0.1):
        pytest.fail("the lock was given twice")
    with page._locked(path, timeout_s=0.1):
        pass  # free again


@pytest.mark.parametrize(
    ("image", "identity"),
    [
        ("/data/lab/sub-01/anat/t2.nii.gz", ("lab", "sub-01", "anat")),
        ("/anat/t2.nii.gz", ("", "", "anat")),
        ("/t2.nii.gz", ("", "", "")),
    ],
)
def test_the_folders_of_the_image_name_the_entry(image, identity):
    """Data set, subject and contrast are the last three folders, as in SCT's report."""
    assert tuple(default_identity(image).values()) == identity


def test_a_relative_image_is_named_after_its_real_folders(tmp_path, monkeypatch):
    """The current folder counts."""
    folder = tmp_path / "lab" / "sub-01" / "anat"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    assert default_identity("t2.nii.gz") == IDENTITY


def test_an_empty_folder_makes_an_empty_page(tmp_path):
    """No entry is no error."""
    assert b"0 scans" in render_page(tmp_path)


def test_entries_are_plain_json(tmp_path):
    """What the page is made from can be read by other tools."""
    add_entry(tmp_path, IDENTITY, make_report(), b"", datetime(2026, 1, 2, 3, 4, 5))
    (path,) = (tmp_path / "deepspine").glob("*.json")
    assert path.name == "2026_01_02_030405.000000.json"
    entry = json.loads(path.read_text())
    assert entry == {**IDENTITY, "date": "2026-01-02 03:04:05", "report": make_report()}
