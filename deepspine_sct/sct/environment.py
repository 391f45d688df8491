"""The Spinal Cord Toolbox (SCT) on this machine: where it is, and how to run one of its commands."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from ..errors import DeepspineError

CORD_MODELS = "model_seg_sc_contrast_agnostic*"
"""Folders that `sct_deepseg spinalcord` keeps its model in, one name a version of SCT."""


def find_command(name: str) -> Path:
    """Find one of SCT's commands.

    Parameters
    ----------
    name : str
        For example ``sct_straighten_spinalcord``.

    Returns
    -------
    Path
        Program on the PATH, else in ``$SCT_DIR/bin``.

    Raises
    ------
    DeepspineError
        When there is none.
    """
    home = os.environ.get("SCT_DIR")
    found = shutil.which(name) or (home and shutil.which(name, path=str(Path(home) / "bin")))
    if not found:
        raise DeepspineError(
            f"{name}: not found; install the Spinal Cord Toolbox (spinalcordtoolbox.com) and put its"
            " bin folder on the PATH"
        )
    return Path(found)


def run_command(name: str, arguments: Sequence[str | Path], folder: Path) -> str:
    """Run one of SCT's commands and wait for it.

    Parameters
    ----------
    name : str
        Name of the command.
    arguments : sequence of str or Path
        What follows it; paths must be absolute.
    folder : Path
        Folder to run it in.

    Returns
    -------
    str
        What it printed on stdout.

    Raises
    ------
    DeepspineError
        When it is not found or fails, with the last line that it printed.
    """
    command = [str(find_command(name)), *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines() or ["it said nothing"]
        raise DeepspineError(f"{name} failed ({lines[-1].strip()}); run it by itself to see more")
    return done.stdout


def sct_version(folder: Path) -> str:
    """Ask SCT for its version, as its caches and reports hold it.

    Raises
    ------
    DeepspineError
        When SCT is not found.
    """
    lines = run_command("sct_version", [], folder).split()
    return lines[-1] if lines else ""


def segment_cord(image: Path, cord: Path, folder: Path) -> None:
    """Segment the spinal cord with SCT's network.

    Parameters
    ----------
    image, cord : Path
        Image to read and segmentation to write, absolute.
    folder : Path
        Folder for temporary files.

    Raises
    ------
    DeepspineError
        When SCT is not found, fails, or lacks its model: nothing is downloaded unasked.
    """
    command = find_command("sct_deepseg")
    home = Path(os.environ.get("SCT_DIR", command.parent.parent))
    if not any((home / "data" / "deepseg_models").glob(CORD_MODELS)):
        raise DeepspineError(
            "straightening needs a segmentation of the cord; give it with -s, or run "
            "`sct_deepseg spinalcord -install` once"
        )
    run_command("sct_deepseg", ["spinalcord", "-i", image, "-o", cord], folder)
    if not cord.exists():
        raise DeepspineError("sct_deepseg: wrote no segmentation; give one with -s")
