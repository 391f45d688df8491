"""The scans of SCT's own documentation: how far from where their discs are known to lie does each call put them?

``python -m benchmarks.acceptance.sct_scans [-data ../shared/real/volumes]``. With SCT on the PATH it also tries
``-straighten 1``. The known discs are those of the data's README: axial slices, counted from the lowest one.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.sources import REAL, ROOT
from deepspine_sct.image.grid import UPRIGHT
from deepspine_sct.image.nifti import read_volume


@dataclass(frozen=True)
class KnownScan:
    """A scan with discs of which the axial slice is known.

    Attributes
    ----------
    name, contrast : its file without suffix, and what -c says of it
    slices : slice of each disc value, counted upwards; the first disc is the one to give with -initz
    """

    name: str
    contrast: str
    slices: dict[int, int]


SCANS = (
    KnownScan("sct_t2", "t2", {3: 34, 4: 16}),
    KnownScan("sct_t1", "t1", {3: 55}),
    KnownScan("t2_lumbar", "t2", {17: 187}),
)


def calls(scan: KnownScan, cord: Path) -> list[list[str]]:
    """Options to try: none, the cord, one disc, and each straightening with it."""
    value, slice_z = next(iter(scan.slices.items()))
    start = ["-initz", f"{slice_z},{value}"]
    options = [[], ["-straighten", "2"], start, [*start, "-straighten", "2"]]
    if cord.exists() and shutil.which("sct_straighten_spinalcord"):
        options += [[*start, "-straighten", "1", "-s", str(cord)]]
    return options


def label(image: Path, contrast: str, options: list[str]) -> dict | None:
    """Run the command; its report, or None where it found no disc."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "deepspine_sct.cli.label", "-i", str(image), "-c", contrast, *options]
        command += ["-ofolder", folder, "-json", f"{folder}/report.json", "-v", "0"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode == 3:
            return None
        if done.returncode:
            sys.exit(done.stderr)
        return json.loads(Path(folder, "report.json").read_text())


def row(scan: KnownScan, image: Path, options: list[str]) -> str:
    """Write a line of the table: what a call makes of a scan."""
    words = " ".join(word if "/" not in word else f"{scan.name}_seg.nii.gz" for word in options) or "(none)"
    report = label(image, scan.contrast, options)
    if report is None:
        return f"{scan.name:10s} {words:55s} no disc is named (exit status 3)"
    upright = read_volume(image, lazy=True).grid.reoriented(UPRIGHT)
    found = {disc["value"]: upright.to_index(np.array(disc["world_mm"]))[2] for disc in report["discs"]}
    parts = []
    for value, slice_z in scan.slices.items():
        off_mm = abs(found[value] - slice_z) * upright.zooms_mm[2] if value in found else None
        parts.append(f"disc {value}: " + ("missing" if off_mm is None else f"{off_mm:.1f} mm off"))
    return f"{scan.name:10s} {words:55s} {', '.join(parts)}; confidence {report['level_confidence']:.2f}"


def main() -> None:
    """Print a line for each scan and call."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-data", type=Path, default=REAL / "volumes", help="the scans")
    data = parser.parse_args().data.resolve()
    for scan in SCANS:
        image = data / f"{scan.name}.nii.gz"
        for options in calls(scan, data / f"{scan.name}_seg.nii.gz"):
            print(row(scan, image, options), flush=True)


if __name__ == "__main__":
    main()
