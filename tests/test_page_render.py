"""The page as a file: complete, harmless, and without anything from outside."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from deepspine_sct.caution import Caution
from deepspine_sct.quality_control import render
from deepspine_sct.quality_control.about import About
from deepspine_sct.quality_control.entry import Entry
from deepspine_sct.quality_control.outcomes import FAILED, LABELLED
from deepspine_sct.quality_control.render import SCRIPTS, render_page

ATTACK = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;{{ 7 * 7 }}</script>"
ENTRY = Entry(
    "a-1", "lab", "sub-01", "", "T2w", "/d/sub-01_T2w.nii.gz", LABELLED,
    discs=((3, (1.0, 2.0, 3.0), 0.9),), level_confidence=0.95,
)  # fmt: skip


class Reader(HTMLParser):
    """Collects what a browser would be given: tags with their attributes, and scripts."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.scripts: list[str] = []
        self.feed(page.decode("utf-8", "surrogateescape"))

    @property
    def data(self) -> dict:
        """What the page's own script reads."""
        return json.loads(self.scripts[0])

    def handle_starttag(self, tag, attrs) -> None:
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data) -> None:
        """Note a script."""
        if self.tags and self.tags[-1][0] == "script" and data.strip():
            self.scripts.append(data)


def test_every_scan_is_in_the_data_what_to_look_at_first():
    """With its discs, its reasons and its angles; the failed one comes before the others."""
    failed = Entry("b-2", image="/d/b.nii", outcome=FAILED, reason="is truncated")
    data = Reader(render_page([ENTRY, failed], About(dataset="lab"))).data
    assert [scan["key"] for scan in data["scans"]] == ["b-2", "a-1"]
    assert data["scans"][0]["look"] == ["is truncated"]
    assert data["scans"][1]["discs"] == [[3, [1.0, 2.0, 3.0], 0.9]]
    assert data["names"]["3"] == "C2/C3" and data["dataset"] == "lab"


def test_scans_of_one_file_name_have_names_of_their_own():
    """In what the scripts read, where the names of the cards come from."""
    scans = [replace(ENTRY, key=key, image=f"/q/{key}/t2.nii.gz") for key in ("a", "b")]
    data = Reader(render_page(scans, About())).data
    assert [scan["name"] for scan in data["scans"]] == ["a/t2.nii.gz", "b/t2.nii.gz"]


def test_names_from_outside_stay_text():
    """Markup in any name or sentence adds no element, and comes out of the data as it went in."""
    attacked = replace(
        ENTRY, dataset=ATTACK, subject=ATTACK, image=ATTACK, reason=ATTACK, warnings=(Caution("poor_fit", ATTACK),)
    )
    about = About(ATTACK, ATTACK, ATTACK, ATTACK, {ATTACK: ATTACK}, {"file": ATTACK, "sha256": ATTACK})
    plain_about = About("a", "a", "a", "a", {"a": "a"}, {"file": "a", "sha256": "a"})
    page, plain = Reader(render_page([attacked], about)), Reader(render_page([ENTRY], plain_about))
    assert page.tags[:3] == plain.tags[:3]
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    (scan,) = page.data["scans"]
    assert scan["dataset"] == scan["image"] == scan["warnings"][0] == ATTACK


def test_names_in_any_alphabet_are_kept():
    """Also one that is no valid text at all, as a file name may be."""
    entry = replace(ENTRY, subject="Žižka 脊椎 \udcff")
    assert Reader(render_page([entry], About())).data["scans"][0]["subject"] == "Žižka 脊椎 \udcff"


def test_only_the_pages_own_scripts_may_run():
    """The policy lists the hash of each of them, computed anew here, and allows nothing to be fetched."""
    page = render_page([ENTRY], About())
    reader = Reader(page)
    (policy,) = (attrs["content"] for tag, attrs in reader.tags if attrs.get("http-equiv"))
    scripts = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    hashes = [f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" for script in scripts]
    assert policy.startswith(f"script-src {' '.join(hashes)}; connect-src 'none'")
    assert len(scripts) == len(SCRIPTS)


def test_the_page_needs_nothing_from_outside():
    """No tag refers to anything, no style loads anything, and no own script asks for anything."""
    page = render_page([ENTRY], About())
    assert not [attrs for _, attrs in Reader(page).tags if {"src", "href"} & set(attrs)]
    text = page.decode()
    assert "url(" not in text.partition("<script")[0] and "@import" not in text
    own = "".join(re.findall(r"<script>(.*?)</script>", text, re.DOTALL)[1:])
    assert "fetch(" not in own and "XMLHttpRequest" not in own and "innerHTML" not in own
    assert set(re.findall(r"https?://[^\"' ]+", own)) == {"http://www.w3.org/2000/svg"}


def test_everything_that_can_be_used_has_a_name():
    """Each input, list and button has a label or a text for those who hear the page."""
    text = render_page([ENTRY], About()).decode().partition('<script id="data"')[0]
    for tag in re.findall(r"<(?:input|select)[^>]*>", text):
        name = re.search(r'id="([^"]+)"', tag)[1]
        assert re.search(rf'<label[^>]*>[^<]*<(?:input|select)[^>]*id="{name}"', text), tag
    for attributes, content in re.findall(r"<button([^>]*)>(.*?)</button>", text, re.DOTALL):
        assert "aria-label" in attributes or re.search("[A-Za-z]{3}", re.sub("<[^>]+>", "", content)), content


def test_a_page_of_nothing_is_a_page():
    """No entry is no error."""
    assert Reader(render_page([], About())).data["scans"] == []


def test_of_too_many_scans_those_to_look_at_are_on_the_page(monkeypatch):
    """And the page says how many are left out."""
    monkeypatch.setattr(render, "MOST_SCANS", 2)
    entries = [ENTRY, replace(ENTRY, key="b", level_confidence=0.3), Entry("c", outcome=FAILED), ENTRY]
    data = Reader(render_page(entries, About())).data
    assert [scan["key"] for scan in data["scans"]] == ["c", "b"] and data["left_out"] == 2


def test_facts_that_are_not_known_are_left_out():
    """The methods name the version and the network where they are known."""
    assert [name for name, _ in About().rows()] == ["Versions"]
    about = About("lab", model={"file": "installed", "sha256": "ab" * 32}, versions={"deepspine_sct": "9.9"})
    assert "version 9.9 (network SHA-256 abababababab)" in about.methods()
    assert "version 9.9" in render_page([], about).decode()


def test_the_vendored_library_carries_its_licence():
    """Chart.js is MIT: its notice stays in the file, and its licence lies beside it."""
    assets = Path(__file__).resolve().parent.parent / "deepspine_sct" / "quality_control" / "assets"
    assert "Released under the MIT License" in (assets / SCRIPTS[0]).read_text()[:300]
    assert "MIT" in (assets / "chart.LICENSE").read_text()


@pytest.mark.parametrize("text", ["</script><b>", "<!--<script>"])
def test_no_text_ends_the_data_block(text):
    """Whatever a file name holds."""
    page = render_page([replace(ENTRY, image=text)], About())
    block = page.partition(b'<script id="data" type="application/json">')[2].partition(b"</script>")[0]
    assert json.loads(block)["scans"][0]["image"] == text
