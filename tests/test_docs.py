"""The pages in docs/: every link leads somewhere, every room has its row, and the walk through the code is true."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from deepspine_sct.image.labels import read_labels

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PACKAGE = ROOT / "deepspine_sct"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md"), *ROOT.glob("benchmarks/**/*.md")])
STEPS = re.findall(r"^\d+\. (.*?)(?=^\d+\. |\n\n)", (DOCS / "how_it_works.md").read_text(), flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    """What a link may name in a page: its headings, as GitHub and MkDocs spell them."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    titles = re.findall(r"^#+ (.*)$", prose, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    """A relative link names a file that is there, and a heading that this file has."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"https?://|mailto:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page.name} links to {link}"
        assert not anchor or anchor in anchors(target), f"{page.name} links to the heading {link}"


def test_every_page_is_in_the_navigation():
    """A page that nobody can find is no page."""
    navigation = (ROOT / "mkdocs.yml").read_text()
    assert {page.name for page in DOCS.glob("*.md")} == set(re.findall(r"\w+\.md", navigation))


@pytest.mark.parametrize("page", [ROOT / "CONTRIBUTING.md", DOCS / "rooms.md"], ids=lambda page: page.name)
def test_every_room_has_its_row(page):
    """The tables of rooms hold every folder of the package, and no other one."""
    rows = re.findall(r"^\| `(\w+)/` \|", page.read_text(), flags=re.M)
    assert set(rows) == {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


def named(step: str) -> list[str]:
    """Functions that a step of the walk names, with their modules."""
    return [name for name in re.findall(r"`([a-z_]+(?:\.\w+)+)`", step) if (PACKAGE / name.split(".")[0]).is_dir()]


FOLLOW = """
import sys, threading
from deepspine_sct.cli.label import main
seen, beside = [], []
def note(frame, event, _):
    calls = seen if threading.current_thread() is threading.main_thread() else beside
    if event == "call" and "deepspine_sct" in frame.f_code.co_filename:
        module = frame.f_globals["__name__"].removeprefix("deepspine_sct.")
        calls.append(f"{module}.{frame.f_code.co_qualname}" if hasattr(frame.f_code, "co_qualname")
                    else f"{module}.{frame.f_code.co_name}")
threading.setprofile(note)
sys.setprofile(note)
status = main(sys.argv[1:])
sys.setprofile(None)
for calls in (seen, beside):
    print(" ".join(dict.fromkeys(calls)), file=sys.stderr)
sys.exit(status)
"""


def test_the_walk_through_the_code_is_true(tmp_path):
    """A real run calls what the steps name, in their order, or in its second thread; there are twelve at most."""
    scan = ROOT / "data_test" / "t2_lumbar_sim.nii.gz"
    arguments = ["-i", str(scan), "-c", "t2", "-ofolder", str(tmp_path), "-v", "0"]
    done = subprocess.run([sys.executable, "-c", FOLLOW, *arguments], capture_output=True, text=True, check=True)
    calls, beside = (line.split() for line in done.stderr.splitlines())
    if sys.version_info < (3, 11):  # a frame does not know the class of its function there
        calls, beside = ([call.rpartition(".")[2] for call in of_thread] for of_thread in (calls, beside))
    walk = [name if sys.version_info >= (3, 11) else name.rpartition(".")[2] for step in STEPS for name in named(step)]
    assert 8 <= len(STEPS) <= 12 and len(walk) >= len(STEPS)
    walk = [name for name in walk if name in calls or name not in beside]
    assert beside and len(walk) >= len(STEPS)
    places = [calls.index(name) for name in walk]
    assert places == sorted(places), [name for _, name in sorted(zip(places, walk, strict=True))]


def test_the_python_of_the_api_page_runs(tmp_path, monkeypatch, capsys):
    """Each block prints one line for each disc, with the same values: those of the labels that lie beside the scan."""
    for name, source in (
        ("t2.nii.gz", "t2_lumbar_sim.nii.gz"),
        ("t2_labeled_discs.nii.gz", "t2_lumbar_sim_labels.nii.gz"),
    ):
        (tmp_path / name).write_bytes((ROOT / "data_test" / source).read_bytes())
    monkeypatch.chdir(tmp_path)
    found, read = re.findall(r"^```python\n(.*?)^```$", (DOCS / "api.md").read_text(), flags=re.M | re.S)
    known = list(read_labels("t2_labeled_discs.nii.gz"))
    for block in (found, read):
        exec(compile(block, "api.md", "exec"), {})
        assert [int(line.split()[0]) for line in capsys.readouterr().out.splitlines()] == known
