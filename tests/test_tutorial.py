"""The tutorial: its commands exist and are accepted; `make tutorial` runs them all."""

import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from test_help import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", TUTORIAL, flags=re.MULTILINE | re.DOTALL)


def calls() -> list[list[str]]:
    """Every call of one of our commands in the shell blocks, split as a shell does."""
    lines = "\n".join(BLOCKS).replace("\\\n", " ").splitlines()
    words = [shlex.split(line.partition(" ; done")[0], comments=True) for line in lines]
    return [line for line in words if line and line[0] in COMMANDS]


@pytest.mark.parametrize("call", calls(), ids=lambda call: " ".join(call)[:60])
def test_every_call_is_accepted_by_its_parser(call):
    """No option in the tutorial is misspelt or out of date."""
    module = import_module(COMMANDS[call[0]].partition(":")[0])
    module.get_parser().parse_args(call[1:])


def test_pictures_and_links_exist():
    """Every picture and file that the tutorial points to is there."""
    links = re.findall(r"\]\(([^)#:]+)\)", TUTORIAL)
    assert links
    for link in links:
        assert (ROOT / "docs" / link).exists(), link


DOCUMENT = """\
# Doc

```sh
echo one > a.txt
seq 100
echo "two words" >&2
```

```text
one
```

```sh
cat a.txt
```

![A picture](images/doc_a_b.png)
"""


def run(folder: Path, *more: str) -> subprocess.CompletedProcess:
    """Run the blocks of a document of ours."""
    program = str(ROOT / "docs" / "run_commands.py")
    command = [sys.executable, program, str(folder / "doc.md"), str(folder / "out"), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_what_the_commands_printed_goes_into_the_document(tmp_path):
    """On request alone; long outputs lose their middle, and pictures are renewed."""
    (tmp_path / "images").mkdir()
    picture = tmp_path / "images" / "doc_a_b.png"
    picture.write_text("old")
    text = DOCUMENT.replace("cat a.txt", "cat a.txt; mkdir a; echo new > a/b.png")
    (tmp_path / "doc.md").write_text(text)
    shown = run(tmp_path)
    assert shown.returncode == 0 and "two words" in shown.stdout and "minutes" in shown.stdout
    assert (tmp_path / "doc.md").read_text() == text and picture.read_text() == "old"
    assert run(tmp_path, "-update").returncode == 0
    lines = [*map(str, range(1, 13)), "...", *map(str, range(91, 101)), "two words"]
    expected = text.replace("```text\none\n", "```text\n" + "\n".join(lines) + "\n")
    assert (tmp_path / "doc.md").read_text() == expected and picture.read_text() == "new\n"


def test_the_first_command_that_fails_ends_the_run(tmp_path):
    """Also within a block; the document stays as it was."""
    text = DOCUMENT.replace("seq 100", "false")
    (tmp_path / "doc.md").write_text(text)
    failed = run(tmp_path, "-update")
    assert failed.returncode and "failed with status 1" in failed.stderr
    assert "\ntwo words" not in failed.stdout
    assert (tmp_path / "doc.md").read_text() == text
