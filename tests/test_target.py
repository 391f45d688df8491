"""Outputs that are links, devices, streams or protected: written where they lead to, or refused untouched."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from deepspine_sct.errors import DeepspineError
from deepspine_sct.files.atomic import atomic_path
from deepspine_sct.files.target import remove

ROOT = Path(__file__).resolve().parent.parent


def write(path) -> None:
    """Write a word through `atomic_path`."""
    with atomic_path(path) as temporary:
        temporary.write_text("new")


def snapshot(folder: Path) -> dict[str, tuple]:
    """Kind, content and target of everything below a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        state = path.lstat()
        link = os.readlink(path) if path.is_symlink() else ""
        content = path.read_bytes() if stat.S_ISREG(state.st_mode) else b""
        found[str(path)] = (stat.S_IFMT(state.st_mode), link, content)
    return found


LINKS = {
    "absolute": lambda folder: str(folder / "store" / "real.txt"),
    "relative": lambda folder: "store/real.txt",
    "through a folder that is a link": lambda folder: "other/real.txt",
    "through another link": lambda folder: "second.txt",
    "up and down": lambda folder: f"../{folder.name}/store/real.txt",
}


@pytest.mark.parametrize("exists", [True, False])
@pytest.mark.parametrize("how", LINKS)
def test_a_link_stays_and_its_target_gets_the_content(tmp_path, how, exists):
    """However the link leads there, and whether or not there is a file yet; no half file is left in either place."""
    (tmp_path / "store").mkdir()
    (tmp_path / "other").symlink_to("store")
    (tmp_path / "second.txt").symlink_to("store/real.txt")
    if exists:
        (tmp_path / "store" / "real.txt").write_text("old")
    link = tmp_path / "a.txt"
    link.symlink_to(LINKS[how](tmp_path))
    write(link)
    assert link.is_symlink() and (tmp_path / "second.txt").is_symlink()
    assert (tmp_path / "store" / "real.txt").read_text() == "new" == link.read_text()
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["real.txt"]


def make_annex(path: Path) -> None:
    """A file as git-annex and DataLad keep it: a link to a write-protected content."""
    content = path.parent / ".git" / "annex" / "objects" / "Xx" / "Yy" / "MD5E-s3--ab.txt"
    content.mkdir(parents=True)
    (content / content.name).write_text("old")
    (content / content.name).chmod(0o444)
    path.symlink_to((content / content.name).relative_to(path.parent))


def make_linked_annex(path: Path) -> None:
    """A link of the user's to such a file."""
    make_annex(path.with_name("inner.txt"))
    path.symlink_to("inner.txt")


def make_socket(path: Path) -> None:
    """A socket of another program; its name is short enough only from its folder."""
    here = os.getcwd()
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)
    os.chdir(here)


def make_protected(path: Path) -> None:
    """A file that its owner has protected, as for a label corrected by hand."""
    path.write_text("old")
    path.chmod(0o444)


UNTOUCHABLE = {
    "git-annex": (make_annex, "git annex unlock"),
    "a link to git-annex": (make_linked_annex, "git annex unlock"),
    "git-annex without content": (lambda path: path.symlink_to(".git/annex/objects/Xx/a"), "git annex unlock"),
    "a link to itself": (lambda path: path.symlink_to(path.name), "leads to itself"),
    "a link into nowhere": (lambda path: path.symlink_to("no/where/a.txt"), "leads into a folder that does not exist"),
    "a link to a folder": (lambda path: (path.parent.joinpath("d").mkdir(), path.symlink_to("d")), "is a folder"),
    "a pipe": (os.mkfifo, "is a device or a pipe"),
    "a link to a pipe": (
        lambda path: (os.mkfifo(path.with_name("p")), path.symlink_to("p")),
        "is a device or a pipe",
    ),
    "a link to a device": (lambda path: path.symlink_to("/dev/full"), "is a device or a pipe"),
    "a socket": (make_socket, "is a device or a pipe"),
    "a protected file": (make_protected, "is write-protected; allow it (chmod u+w)"),
    "a link to a protected file": (
        lambda path: (make_protected(path.with_name("b")), path.symlink_to("b")),
        "is write-protected",
    ),
}


@pytest.mark.parametrize("case", UNTOUCHABLE)
def test_what_must_not_be_replaced_is_refused_and_stays(tmp_path, case):
    """Also for root: kind, link and content of everything are as they were, and nothing is added."""
    make, message = UNTOUCHABLE[case]
    path = tmp_path / "a.txt"
    make(path)
    before = snapshot(tmp_path)
    with pytest.raises(DeepspineError) as caught:
        write(path)
    assert str(caught.value).startswith(f"{path}: cannot be written") and message in str(caught.value)
    with pytest.raises(DeepspineError):
        remove(path)
    assert snapshot(tmp_path) == before


def test_what_may_be_replaced_may_be_removed(tmp_path):
    """A plain file; one that is not there is no fault."""
    path = tmp_path / "a.txt"
    path.write_text("labels")
    for _ in range(2):
        remove(path)
        assert not path.exists()


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
@pytest.mark.parametrize("kind", ["file", "pipe"])
@pytest.mark.parametrize("name", ["link", "file"])
def test_our_own_streams_are_refused(tmp_path, stream, kind, name):
    """`-json /dev/stdout > f`, through a private link to the same: neither f nor the link is replaced."""
    number = {"stdout": 1, "stderr": 2}[stream]
    link, file = tmp_path / "link", tmp_path / "f"
    link.symlink_to(f"/proc/self/fd/{number}")
    source = (
        "import sys\nfrom deepspine_sct.files.atomic import atomic_path\n"
        "from deepspine_sct.errors import DeepspineError\n"
        "try:\n    with atomic_path(sys.argv[1]) as path:\n        path.write_text('new')\n"
        "except DeepspineError as error:\n    sys.exit(7)\n"
    )
    target = link if name == "link" else file
    with file.open("w") as output:
        where = {stream: output if kind == "file" else subprocess.PIPE}
        done = subprocess.run([sys.executable, "-c", source, str(target)], cwd=ROOT, check=False, **where)
    refused = name == "link" or kind == "file"
    assert done.returncode == (7 if refused else 0)
    assert link.is_symlink() and os.readlink(link) == f"/proc/self/fd/{number}"
    assert file.read_text() == ("" if refused else "new")
