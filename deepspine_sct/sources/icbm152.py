"""The average brain ICBM 152 (2009) from its archive: `head/icbm152_t1.nii.gz`, the brain alone."""

from pathlib import Path

import numpy as np

from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.nifti import read_any, read_volume, write_volume
from deepspine_sct.image.volume import Volume
from deepspine_sct.sources.eight_bit import eight_bit

IMAGE = "mni_icbm152_t1_tal_nlin_*"
_MASK = "_mask"


def lay_out(archive: Path, folder: Path) -> int:
    """Write the brain.

    Parameters
    ----------
    archive : folder of one release, such as ``mni_icbm152_nlin_sym_09a``, with the T1w average and its mask
    folder : the training sources; ``head/`` is made in it

    Returns
    -------
    int
        Number of files.

    Raises
    ------
    DeepspineError
        Where there is not exactly one average with its mask.
    """
    files = {path.name.removesuffix(".gz").removesuffix(".nii"): path for path in sorted(archive.glob(f"{IMAGE}.nii*"))}
    images = [stem for stem in files if f"{stem}{_MASK}" in files]
    if len(images) != 1:
        raise DeepspineError(
            f"{archive}: holds {len(images)} images {IMAGE} with a {_MASK} file beside them, not one; give the folder"
            " of one release of the ICBM 152 template with -icbm152"
        )
    image, mask = read_volume(files[images[0]]), read_any(files[f"{images[0]}{_MASK}"])
    if image.data.shape != mask.data.shape or not np.allclose(image.grid.affine, mask.grid.affine, atol=1e-3):
        raise DeepspineError(f"{files[images[0]]}: its mask lies on another grid; unpack the archive again")
    (folder / "head").mkdir(parents=True, exist_ok=True)
    brain = Volume(eight_bit(image.data * (mask.data > 0.5)), image.grid)
    write_volume(folder / "head" / "icbm152_t1.nii.gz", brain)
    return 1
