"""The launchers in bin/: from a checkout, through links, and from any folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from test_help import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
LAUNCHERS = sorted((ROOT / "bin").iterdir())


@pytest.fixture
def checkout(tmp_path) -> Path:
    """Copy what a fresh clone has: the package, bin/ and pyproject.toml, no virtual environment."""
    root = tmp_path / "a checkout"
    ignored = shutil.ignore_patterns("__pycache__", "weights")
    shutil.copytree(ROOT / "deepspine_sct", root / "deepspine_sct", ignore=ignored)
    shutil.copytree(ROOT / "bin", root / "bin")
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


def run(launcher: Path | str, *arguments: str, folder: Path, path: str) -> str:
    """Run a launcher in a folder without any installation; return its stdout."""
    environment = {"PATH": path, "HOME": str(folder)}
    return subprocess.run(
        [str(launcher), *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


@pytest.fixture
def path(tmp_path) -> str:
    """PATH with this interpreter as its only Python."""
    folder = tmp_path / "python"
    folder.mkdir()
    # A script, not a link: a link to a virtual environment's python leaves the environment.
    (folder / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (folder / "python3").chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def test_every_command_has_a_launcher_and_every_launcher_a_command():
    """bin/ and the entry points of the package name the same commands."""
    assert [path.name for path in LAUNCHERS] == sorted(COMMANDS)


def test_launchers_are_executable_and_alike():
    """One text for all, in one file: a launcher knows its command by its own name."""
    assert all(os.access(path, os.X_OK) for path in LAUNCHERS)
    assert len({path.read_text() for path in LAUNCHERS}) == 1
    assert len({path.resolve() for path in LAUNCHERS}) == 1


def test_a_link_may_have_another_name(path, tmp_path):
    """A user's own name for a link does not change which command it leads to."""
    for name in COMMANDS:
        (tmp_path / "mine").unlink(missing_ok=True)
        (tmp_path / "mine").symlink_to(ROOT / "bin" / name)
        assert run(tmp_path / "mine", "-h", folder=tmp_path, path=path).startswith(f"usage: {name} ")


@pytest.mark.parametrize("name", COMMANDS)
def test_works_from_a_checkout_in_any_folder(checkout, path, tmp_path, name):
    """No installation, a space in the path, and another current folder."""
    out = run(checkout / "bin" / name, "-h", folder=tmp_path, path=path)
    assert out.startswith(f"usage: {name} ")


@pytest.mark.parametrize("absolute", [True, False])
def test_works_through_links_in_another_bin_folder(checkout, path, tmp_path, absolute):
    """As in SCT's bin: found on the PATH, through a link to a link, absolute or relative."""
    other = tmp_path / "sct" / "bin"
    other.mkdir(parents=True)
    for name in COMMANDS:
        target = checkout / "bin" / name
        (tmp_path / name).symlink_to(target if absolute else Path("a checkout") / "bin" / name)
        (other / name).symlink_to(tmp_path / name if absolute else Path("..") / ".." / name)
        out = run(name, "-h", folder=tmp_path, path=f"{other}:{path}")
        assert out.startswith(f"usage: {name} ")


def test_prefers_the_environment_of_the_checkout(checkout, path, tmp_path):
    """Where `make` has made .venv, its Python runs, not the first one on the PATH."""
    python = checkout / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "the environment: $*"\n')
    python.chmod(0o755)
    out = run(checkout / "bin" / "sct_deepspine_label", "-h", folder=tmp_path, path=path)
    assert out.startswith("the environment: ")


def test_a_module_in_the_current_folder_is_not_imported(checkout, path, tmp_path):
    """A file of the user's named like a library must not run in its place."""
    for name in ("argparse", "pathlib", "deepspine_sct", "importlib"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a trap')\n")
    out = run(checkout / "bin" / "sct_deepspine_label", "-h", folder=tmp_path, path=path)
    assert out.startswith("usage: sct_deepspine_label ")


def test_arguments_and_exit_status_pass_through(checkout, path, tmp_path):
    """Spaces, quotes and stars reach the command as they are, and its status comes back."""
    with pytest.raises(subprocess.CalledProcessError) as failure:
        run(
            checkout / "bin" / "sct_deepspine_label", "-i", "no 'such' *.nii", "-c", "t1",
            folder=tmp_path, path=path,
        )  # fmt: skip
    assert failure.value.returncode == 1
    assert failure.value.stderr == ("sct_deepspine_label: error: no 'such' *.nii: no such file; check the path\n")
