"""The page of a study: complete, in one file, and deaf to what names contain."""

from html.parser import HTMLParser

from test_study import MISTAKES, study

from deepspine_sct.evaluation.study import summary_rows
from deepspine_sct.evaluation.study_page import render_study


class Reader(HTMLParser):
    """Collect tags, their attributes and the text of a page."""

    def __init__(self, page: bytes):
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.text = ""
        self.feed(page.decode("ascii"))

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for key, value in attrs if key in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def page(**how) -> Reader:
    """Read the page of a study with every mistake."""
    rows = summary_rows(study(*MISTAKES))
    content = {"title": "T", "notes": ["n"], "rows": rows, "figures": {}, "worst": {}} | how
    return Reader(render_study(**content))


def test_every_group_has_its_row():
    """All, two contrasts, six sites, six levels, and the overall rate with its interval."""
    shown = page()
    assert shown.tags.count("tr") == 4 + 1 + 2 + 6 + 6
    assert "75.0%" in shown.text  # 27 of 36 discs: 6 + 4 + 0 + 5 + 6 + 6
    assert " to " in shown.text and "8 C7/T1: tool" in shown.text


def test_pictures_are_in_the_file_and_nothing_comes_from_outside():
    """Every source is a data URL."""
    shown = page(figures={"a": b"\x89PNG one"}, worst={"b": b"\x89PNG two"})
    assert shown.tags.count("img") == 2
    assert all(source.startswith("data:image/png;base64,") for source in shown.sources)


def test_names_cannot_become_markup():
    """Titles, notes, captions and tools are text, also outside of ASCII."""
    rows = [row | {"tool": "<b>ü"} for row in summary_rows(study("none"))]
    shown = page(title="<script>", notes=["<i>"], rows=rows, figures={"<u>": b""})
    assert not {"script", "i", "u", "b"} & set(shown.tags)
    assert "<b>ü" in shown.text
