"""The quality-control page: every scan on it, from several processes, and tried in a browser."""

import json
import time
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from at_once import run_at_once
from browser import CHROMIUM, NO_CHROMIUM, PNG, Browser

from deepspine_sct.files.atomic import PREFIX
from deepspine_sct.quality_control.page import add_entry, default_identity, render_page

IDENTITY = {"dataset": "lab", "subject": "sub-01", "contrast": "anat"}
ATTACK = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;"

in_browser = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)


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
    """Collects what a browser would be given: tags with their attributes, and the data block."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.scripts: list[str] = []
        self.feed(page.decode())
        self.entries = json.loads(self.scripts[0])

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data) -> None:
        if self.tags and self.tags[-1][0] == "script" and data.strip():
            self.scripts.append(data)


def read(folder: Path) -> Reader:
    """Read the page of a folder."""
    return Reader((folder / "deepspine.html").read_bytes())


def test_a_scan_is_on_the_page_with_its_pictures_and_numbers(tmp_path):
    """The page holds the report's numbers and names the files, which are what was given."""
    folder = tmp_path / "new" / "qc"
    place = add_entry(folder, IDENTITY, make_report(), {"background": b"a", "curved": b"b"})
    (entry,) = read(folder).entries
    pictures = {name: (folder / path).read_bytes() for name, path in entry["pictures"].items()}
    assert pictures == {"background": b"a", "curved": b"b"}
    assert (place / "curved.png").read_bytes() == b"b"
    assert [entry[key] for key in ("dataset", "subject", "contrast", "file")] == ["lab", "sub-01", "anat", "t2.nii.gz"]
    assert entry["image"] == str(Path("t2.nii.gz").absolute())
    assert entry["discs"] == make_report()["discs"]
    assert {file.name for file in folder.iterdir()} == {"deepspine.html", "deepspine"}


def test_scans_are_listed_newest_first_and_none_is_lost(tmp_path):
    """Two entries of one instant both stay, and a later one comes first."""
    first, later = datetime(2026, 1, 2, 3, 4, 5), datetime(2026, 1, 2, 3, 4, 6)
    for image, when in (("a.nii", first), ("b.nii", first), ("c.nii", later)):
        add_entry(tmp_path, IDENTITY, make_report(image), {}, when)
    assert [entry["file"] for entry in read(tmp_path).entries] == ["c.nii", "b.nii", "a.nii"]


def test_names_from_outside_stay_text(tmp_path):
    """Markup in any name or sentence adds no element, and comes out of the data as it went in."""
    add_entry(tmp_path / "plain", IDENTITY, make_report(warnings=["w"]), {})
    report = make_report(ATTACK, ATTACK, warnings=[ATTACK])
    add_entry(tmp_path / "attack", dict.fromkeys(IDENTITY, ATTACK), report, {})
    plain, attacked = read(tmp_path / "plain"), read(tmp_path / "attack")
    assert attacked.tags == plain.tags
    (entry,) = attacked.entries
    assert entry["dataset"] == entry["warnings"][0] == entry["discs"][0]["name"] == ATTACK


def test_names_in_any_alphabet_are_kept(tmp_path):
    """Also one that is no valid text at all, as a file name may be."""
    add_entry(tmp_path, IDENTITY | {"subject": "Žižka 脊椎 \udcff"}, make_report(), {})
    assert read(tmp_path).entries[0]["subject"] == "Žižka 脊椎 \udcff"


def test_the_page_needs_nothing_from_outside(tmp_path):
    """No address leads out of the folder, and the policy allows the page's own script alone."""
    add_entry(tmp_path, IDENTITY, make_report(), {"background": b""})
    page = read(tmp_path)
    assert not [attrs for _, attrs in page.tags if {"src", "href"} & set(attrs)]
    (policy,) = (attrs["content"] for tag, attrs in page.tags if tag == "meta" and "content" in attrs)
    assert "script-src 'sha256-" in policy and "connect-src 'none'" in policy
    text = (tmp_path / "deepspine.html").read_text()
    assert "url(" not in text and "@import" not in text and "http" not in text.replace("http-equiv", "")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"{}", b'{"report": 3}', b"\xff\xfe", b'{"report": {"discs": 1}}'],
)
def test_a_damaged_entry_does_no_harm(tmp_path, content):
    """It is named on the page, and the other scans stay."""
    add_entry(tmp_path, IDENTITY, make_report(), {})
    (tmp_path / "deepspine" / "<damaged>.json").write_bytes(content)
    add_entry(tmp_path, IDENTITY, make_report("other.nii"), {})
    entries = read(tmp_path).entries
    assert {entry["file"] for entry in entries} == {"t2.nii.gz", "other.nii", "<damaged>.json cannot be read"}


def test_a_picture_is_sought_beside_the_page_only(tmp_path):
    """A name that an edited entry gives it cannot lead elsewhere."""
    place = add_entry(tmp_path, IDENTITY, make_report(), {})
    path = place.with_name(f"{place.name}.json")
    path.write_text(path.read_text().replace('"pictures": []', '"pictures": ["../../x", "curved"]'))
    (entry,) = Reader(render_page(tmp_path / "deepspine")).entries
    assert entry["pictures"] == {"curved": f"deepspine/{place.name}/curved.png"}


def test_files_of_others_are_left_alone(tmp_path):
    """SCT's own report may live in the same folder."""
    (tmp_path / "index.html").write_text("SCT's")
    (tmp_path / "_json").mkdir()
    add_entry(tmp_path, IDENTITY, make_report(), {})
    assert (tmp_path / "index.html").read_text() == "SCT's"
    assert list((tmp_path / "_json").iterdir()) == []


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path):
    """A folder of pictures without an entry goes; entries, and folders that are not ours, stay."""
    kept = add_entry(tmp_path, IDENTITY, make_report(), {"overlay": b"PNG"})
    entries = kept.parent
    left = entries / "2026_01_02_030405.000006"
    left.mkdir()
    (left / f"{PREFIX}0badc0de-1-overlay.png").write_bytes(b"half")
    foreign = entries / "my notes"
    foreign.mkdir()
    add_entry(tmp_path, IDENTITY, make_report(), {"overlay": b"PNG"})
    assert not left.exists() and foreign.is_dir()
    assert (kept / "overlay.png").read_bytes() == b"PNG"
    assert len(list(entries.glob("*.json"))) == 2


def _add_five(folder: Path, writer: int) -> None:
    for turn in range(5):
        add_entry(folder, IDENTITY, make_report(f"scan-{writer}-{turn}.nii"), {"background": b""})


def test_processes_do_not_lose_each_others_scans(tmp_path):
    """Four writers at once, five scans each: all twenty are on the page at the end."""
    run_at_once(_add_five, tmp_path, 4)
    names = {f"scan-{writer}-{turn}.nii" for writer in range(4) for turn in range(5)}
    assert {entry["file"] for entry in read(tmp_path).entries} == names


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


def test_a_link_has_the_identity_of_what_it_leads_to(tmp_path):
    """As in SCT's report, so that a scan behind a link of git-annex is one scan in both pages."""
    scan = tmp_path / "store" / "A1" / "KEY" / "KEY.nii.gz"
    scan.parent.mkdir(parents=True)
    scan.touch()
    link = tmp_path / "data" / "sub-1" / "anat" / "sub-1_T2w.nii.gz"
    link.parent.mkdir(parents=True)
    link.symlink_to("../../../store/A1/KEY/KEY.nii.gz")
    assert tuple(default_identity(link).values()) == ("store", "A1", "KEY")


def test_an_empty_folder_makes_an_empty_page(tmp_path):
    """No entry is no error."""
    assert Reader(render_page(tmp_path)).entries == []


def test_entries_are_plain_json(tmp_path):
    """What the page is made from can be read by other tools."""
    add_entry(tmp_path, IDENTITY, make_report("/d/t2.nii"), {"overlay": b""}, datetime(2026, 1, 2, 3, 4, 5))
    (path,) = (tmp_path / "deepspine").glob("*.json")
    assert path.name == "2026_01_02_030405.000000.json"
    assert json.loads(path.read_text()) == {
        **IDENTITY,
        "date": "2026-01-02 03:04:05",
        "image": "/d/t2.nii",
        "pictures": ["overlay"],
        "report": make_report("/d/t2.nii"),
    }


def add_scans(folder: Path, n_scans: int) -> None:
    """Add scans sub-000, sub-001, ...; every tenth is doubtful. Only the last one rebuilds the page."""
    pictures = add_entry(folder, IDENTITY, make_report(), {"background": PNG, "overlay": PNG})
    first = pictures.with_name(f"{pictures.name}.json")
    entry = json.loads(first.read_text())
    first.unlink()
    for n in range(n_scans):
        warnings = ["the levels may be shifted"] if n % 10 == 0 else []
        report = make_report(f"/data/sub-{n:03d}/t2 {n}.nii.gz", warnings=warnings)
        entry |= {"subject": f"sub-{n:03d}", "image": report["inputs"]["image"], "report": report}
        (folder / "deepspine" / f"2026_01_02_0304{n:05d}.json").write_text(json.dumps(entry))
        (folder / "deepspine" / f"2026_01_02_0304{n:05d}").symlink_to(pictures.name)
    (folder / "deepspine.html").write_bytes(render_page(folder / "deepspine"))


@in_browser
def test_keys_walk_and_mark_and_filters_hide(tmp_path):
    """Arrows move, P X A F mark, words and marks filter, the slash reaches the filter, and no error."""
    add_scans(tmp_path, 25)
    with Browser(tmp_path / "deepspine.html", tmp_path) as page:

        def selected() -> str:
            return page.value("document.querySelector('tr.selected').cells[2].textContent")

        def visible() -> int:
            return page.value("[...document.querySelectorAll('#rows tr')].filter((r) => !r.hidden).length")

        assert page.value("document.querySelectorAll('#rows tr').length") == 25
        assert selected() == "sub-024"
        page.press("p", "ArrowDown", "x", "ArrowDown", "a", "ArrowDown", "f", "f", "ArrowDown", "f", "f", "f", "f")
        marks = page.value("[...document.querySelectorAll('#rows tr')].slice(0, 6).map((r) => r.cells[0].textContent)")
        assert marks == ["pass", "fail", "artifact", "fail", "", ""]
        assert selected() == "sub-020"
        page.press("ArrowUp", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowUp")
        assert selected() == "sub-024"
        page.press("p")  # the same mark again takes it away
        assert page.value("document.getElementById('count').textContent").endswith("0 pass, 2 fail, 1 artifact")
        page.press("/", "0", "1")
        assert visible() == 11  # sub-010 to sub-019, and sub-001
        page.press("Enter", "ArrowDown")
        assert selected() == "sub-019"
        page.value("document.getElementById('search').value = ''")
        for mark, n_scans in (("doubtful", 3), ("fail", 2), ("none", 22), ("all", 25)):
            page.value(
                f"document.getElementById('wanted').value = '{mark}';"
                "document.getElementById('wanted').dispatchEvent(new Event('change'))"
            )
            assert visible() == n_scans, mark
        page.press("ArrowRight")
        assert page.value("document.body.className") == "plain"
        until_s = time.monotonic() + 10  # the pictures of the scan walked to load by themselves
        while not page.value("[...document.images].every((i) => i.complete)") and time.monotonic() < until_s:
            time.sleep(0.05)
        assert page.value("[...document.images].map((image) => image.naturalWidth)") == [1, 1]
        assert page.errors == []


@in_browser
def test_marks_are_kept_and_exported_for_scts_correction(tmp_path):
    """After a reload they are still there; the YAML lists the images, whatever is in their names."""
    add_scans(tmp_path, 3)
    add_entry(tmp_path, IDENTITY, make_report('/d/"quoted": ž #1.nii'), {})
    with Browser(tmp_path / "deepspine.html", tmp_path) as page:
        page.press("x", "ArrowDown", "x")
        page.reload()
        assert page.value("document.getElementById('count').textContent").endswith("2 fail, 0 artifact")
        page.value("document.getElementById('save-fail').click()")
        deadline_s = time.monotonic() + 20
        while not (tmp_path / "qc_fail.yml").exists() and time.monotonic() < deadline_s:
            time.sleep(0.05)
    lines = (tmp_path / "qc_fail.yml").read_text().splitlines()
    assert lines == ["FILES_LABEL:", '- "/d/\\"quoted\\": ž #1.nii"', '- "/data/sub-002/t2 2.nii.gz"']


@in_browser
def test_markup_in_names_is_shown_and_does_nothing(tmp_path):
    """The page shows the very characters, and the browser makes no element of them."""
    report = make_report(f"/d/{ATTACK}.nii", ATTACK, warnings=[ATTACK])
    add_entry(tmp_path, dict.fromkeys(IDENTITY, ATTACK), report, {})
    with Browser(tmp_path / "deepspine.html", tmp_path) as page:
        assert page.value("document.getElementById('shown').innerText").count(ATTACK) >= 5
        assert page.value("document.images.length") == 0
        assert page.value("document.scripts.length") == 2
        assert page.errors == []


@in_browser
def test_five_hundred_scans_stay_usable(tmp_path):
    """Shown, filtered and walked through without a wait that a rater would notice."""
    add_scans(tmp_path, 500)
    with Browser(tmp_path / "deepspine.html", tmp_path) as page:
        spent_ms = page.value(
            "(() => { const start = performance.now();"
            "const press = (key) => document.dispatchEvent(new KeyboardEvent('keydown', { key }));"
            "for (let n = 0; n < 20; n++) { press('ArrowDown'); press('p'); }"
            "const search = document.getElementById('search'); search.value = 'sub-49';"
            "search.dispatchEvent(new Event('input'));"
            "document.body.getBoundingClientRect(); return performance.now() - start; })()"
        )
        assert page.value("document.getElementById('count').textContent").startswith("10 of 500 scans, 20 pass")
        assert spent_ms / 41 < 250
