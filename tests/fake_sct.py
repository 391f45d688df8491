"""A stand-in for three of SCT's commands, which slides a scan sideways by a known curve.

It writes the files that `sct_straighten_spinalcord` writes, with nibabel alone. What it proves is our
reading of such files and our calling of such commands, not SCT: for that, see the tests that run
when the real one is on the PATH.
"""

import os
import stat
import sys
from pathlib import Path

import nibabel as nib
import numpy as np

VERSION = "7.0-fake"
UNDEFINED_MM = -100000.0


def bend_mm(z_mm):
    """How far to the right the curved spine lies at a height."""
    return 6 * np.sin(np.asarray(z_mm) / 15)


def install(folder: Path) -> None:
    """Put the commands into a folder; each call leaves a line in ``calls.txt`` beside it."""
    folder.mkdir(exist_ok=True)
    for name in ("sct_version", "sct_straighten_spinalcord", "sct_deepseg"):
        program = folder / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" {name} "$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)


def _field(image, sign) -> nib.Nifti1Image:
    ijk = np.moveaxis(np.indices(image.shape), 0, -1)
    z_mm = nib.affines.apply_affine(image.affine, ijk)[..., 2]
    vectors_lps = np.zeros((*image.shape, 1, 3))
    vectors_lps[..., 0, 0] = -sign * bend_mm(z_mm)
    vectors_lps[:, :, 0] = UNDEFINED_MM  # as at the ends of the cord
    field = nib.Nifti1Image(vectors_lps, image.affine)
    field.header.set_intent("vector")
    return field


def _straighten(arguments: dict) -> None:
    image = nib.load(arguments["-i"])
    nib.load(arguments["-s"])
    folder = Path(arguments["-ofolder"])
    data = image.get_fdata()
    straight = np.empty_like(data)
    along = image.affine[:3, 0]  # a whole voxel or none, whatever the orientation
    for k in range(data.shape[2]):
        z_mm = nib.affines.apply_affine(image.affine, (0, 0, k))[2]
        shift = int(np.rint(bend_mm(z_mm) * along[0] / (along @ along)))
        straight[:, :, k] = np.roll(data[:, :, k], -shift, axis=0)
    nib.save(nib.Nifti1Image(straight, image.affine), folder / "straight_ref.nii.gz")
    nib.save(_field(image, 1), folder / "warp_curve2straight.nii.gz")
    nib.save(_field(image, -1), folder / "warp_straight2curve.nii.gz")


def _main(name: str, *words: str) -> None:
    with open(Path(os.environ["FAKE_SCT_CALLS"]), "a") as calls:
        calls.write(" ".join((name, *words)) + "\n")
    if name == "sct_version":
        print(f"\n{VERSION}\n")
    elif name == "sct_straighten_spinalcord":
        if "FAKE_SCT_FAILS" in os.environ:
            sys.exit("something\nno cord in slice 7")
        _straighten(dict(zip(words[::2], words[1::2], strict=True)))
    else:
        image = nib.load(words[words.index("-i") + 1])
        cord = np.zeros(image.shape, np.uint8)
        cord[4:6, 4:6] = 1
        nib.save(nib.Nifti1Image(cord, image.affine), words[words.index("-o") + 1])


if __name__ == "__main__":
    _main(*sys.argv[1:])
