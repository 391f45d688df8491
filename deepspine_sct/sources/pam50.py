"""PAM50 (De Leener et al. 2018) from an installation of SCT: `pam50/`, what `simulation.atlas` reads."""

import shutil
from pathlib import Path

from deepspine_sct.errors import DeepspineError
from deepspine_sct.files.atomic import atomic_path
from deepspine_sct.image.nifti import read_volume, write_volume
from deepspine_sct.sources.block_mean import block_mean

MASKS = ("PAM50_spine", "PAM50_cord", "PAM50_csf", "PAM50_label_discPosterior")
"""Files that are taken as they are."""
T2 = "PAM50_t2"
SMALL_T2 = "PAM50_small_t2"
BLOCK = (2, 2, 4)
"""Voxels of `T2` that one of `SMALL_T2` is the average of: 1 x 1 x 2 mm."""

_PLACES = ("data/PAM50/template", "PAM50/template", "template", ".")


def lay_out(archive: Path, folder: Path) -> int:
    """Write the template files.

    Parameters
    ----------
    archive : SCT's folder, or the template's anywhere on the way down to its files
    folder : the training sources; ``pam50/`` is made in it

    Returns
    -------
    int
        Number of files.

    Raises
    ------
    DeepspineError
        Where a file is missing or cannot be read.
    """
    template = next((archive / place for place in _PLACES if (archive / place / f"{MASKS[0]}.nii.gz").exists()), None)
    if template is None:
        raise DeepspineError(f"{archive}: holds no {_PLACES[0]}/{MASKS[0]}.nii.gz; give the folder of SCT with -pam50")
    names = [*MASKS, SMALL_T2 if (template / f"{SMALL_T2}.nii.gz").exists() else T2]
    missing = [name for name in names if not (template / f"{name}.nii.gz").exists()]
    if missing:
        raise DeepspineError(f"{template}: {missing[0]}.nii.gz is missing; install SCT's data again")
    out = folder / "pam50"
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        target = out / f"{SMALL_T2 if name == T2 else name}.nii.gz"
        if name == T2:
            # From the array's first corner on, as the atlas lays the two sets over each other.
            write_volume(target, block_mean(read_volume(template / f"{T2}.nii.gz"), BLOCK))
            continue
        with atomic_path(target) as temporary:
            shutil.copyfile(template / f"{name}.nii.gz", temporary)
    return len(names)
