"""SCT's registration to its template takes our disc file: the real SCT, on a template made here."""

import os
import shutil
import subprocess

import nibabel as nib
import numpy as np
import pytest

from deepspine_sct.image.displacement_field import read_field
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.nifti import write_discs

NO_SCT = "no SCT on the PATH: sct_register_to_template -ldisc is not tried"
AFFINE = np.diag([-1.0, 1.0, 1.0, 1.0])
TEMPLATE_MM = {2: 100, 3: 84, 4: 66, 5: 48, 6: 30, 7: 14}
"""Height of each disc in the template."""
SCAN_MM = {3: 70, 4: 55, 5: 37, 6: 22}
"""And in the scan: other distances, fewer discs."""


def tube(height: int, bend_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw a cord of 4 mm radius, bent sideways, and its middle (height,) along the first axis."""
    x, y, z = np.indices((44, 44, height))
    middle = 22 + bend_mm * np.sin(np.arange(height) / 18)
    return (np.hypot(x - middle[z], y - 22) <= 4).astype(np.uint8), middle


def save(path, data) -> None:
    """Write 1 mm voxels with the code of a scanner."""
    image = nib.Nifti1Image(data, AFFINE)
    image.set_qform(AFFINE, 1)
    image.set_sform(AFFINE, 1)
    nib.save(image, path)


def write_template(folder) -> None:
    """Write the files of a template that SCT asks for: image, cord, discs and their list."""
    folder.mkdir(parents=True)
    cord, _ = tube(116, bend_mm=0)
    discs = np.zeros_like(cord)
    for value, z in TEMPLATE_MM.items():
        discs[22, 30, z] = value
    save(folder / "t2.nii.gz", 100 * cord.astype(np.float32))
    save(folder / "cord.nii.gz", cord)
    save(folder / "discs.nii.gz", discs)
    rows = ("1, T2 template, t2.nii.gz", "3, spinal cord, cord.nii.gz", "10, discs, discs.nii.gz")
    (folder / "info_label.txt").write_text("# Keyword=IndivLabels\n# ID, name, file\n" + "\n".join(rows) + "\n")


@pytest.mark.skipif(shutil.which("sct_register_to_template") is None, reason=NO_SCT)
def test_our_disc_file_aligns_a_scan_with_the_template(tmp_path):
    """It is accepted, and the cord at our discs comes to the height of the template's discs.

    At the uppermost disc SCT's own field ends, and what it holds there is not looked at.
    """
    write_template(tmp_path / "template" / "template")
    cord, middle = tube(92, bend_mm=5)
    save(tmp_path / "seg.nii.gz", cord)
    save(tmp_path / "t2.nii.gz", 100 * cord.astype(np.float32))
    points = {v: np.array([-middle[z], 30.0, z]) for v, z in SCAN_MM.items()}
    write_discs(tmp_path / "discs.nii.gz", Grid(cord.shape, AFFINE), points)
    done = subprocess.run(
        ["sct_register_to_template", "-i", "t2.nii.gz", "-s", "seg.nii.gz", "-c", "t2", "-ldisc", "discs.nii.gz"]
        + ["-t", str(tmp_path / "template"), "-ofolder", "out", "-param", "step=1,type=seg,algo=centermassrot"],
        cwd=tmp_path, env=os.environ | {"ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    to_template = read_field(tmp_path / "out" / "warp_template2anat.nii.gz")
    for value, z in list(SCAN_MM.items())[1:]:
        moved = to_template.move(np.array([[-middle[z], 22.0, z]]))[0]
        assert abs(moved[2] - TEMPLATE_MM[value]) < 2 and np.hypot(moved[0] + 22, moved[1] - 22) < 2
