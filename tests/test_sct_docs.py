"""The page on SCT: its commands exist and are accepted; `make sct` runs them all with the real SCT."""

import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from test_help import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
PAGES = {name: (ROOT / "docs" / name).read_text() for name in ("sct.md", "upstream.md")}
ENDS = {"|", "||", ">", "&>", ">>", "&&"}
"""Words of the shell after which a command is over."""


def calls() -> list[list[str]]:
    """Every call of one of our commands on the pages, run or only shown."""
    blocks = [
        block for page in PAGES.values() for block in re.findall(r"^```sh(?:ell)?\n(.*?)^```$", page, re.M | re.S)
    ]
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    words = [shlex.split(line) for line in lines if line.split(" ")[0] in COMMANDS]
    return [line[: next((n for n, word in enumerate(line) if word in ENDS), None)] for line in words]


@pytest.mark.parametrize("call", calls(), ids=lambda call: " ".join(call)[:60])
def test_every_call_is_accepted_by_its_parser(call):
    """No option on the page is misspelt or out of date."""
    import_module(COMMANDS[call[0]].partition(":")[0]).get_parser().parse_args(call[1:])


@pytest.mark.parametrize("page", PAGES)
def test_files_that_the_page_points_to_exist(page):
    """Links, and the files of the checkout that its commands use."""
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", PAGES[page])
    assert links
    for link in links:
        assert (ROOT / "docs" / link).exists(), link
    for path in re.findall(r"\$CHECKOUT/([^\" ]+)", PAGES[page]):
        assert (ROOT / path).exists(), path


def test_the_outputs_name_no_folder_of_the_machine():
    """What the page shows could come from anybody's machine."""
    shown = "".join(re.findall(r"^```text\n(.*?)^```$", PAGES["sct.md"], re.M | re.S))
    assert len(shown.splitlines()) > 80 and not re.search(r"(^|[\s\"'])/(home|root|tmp|work|usr|data)/", shown)


def test_without_sct_nothing_is_run(tmp_path):
    """The script says so and ends well, and the page stays as it is."""
    page = tmp_path / "page.md"
    page.write_text("```sh\ntouch made\n```\n")
    command = [sys.executable, str(ROOT / "docs" / "run_commands.py"), str(page), str(tmp_path / "out"), "-update"]
    done = subprocess.run(
        [*command, "-needs", "sct_version"], env=os.environ | {"PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout.startswith("Skipped: sct_version is not on the PATH")
    assert not (tmp_path / "out").exists()
