"""Larger voxels: the average of whole blocks."""

import numpy as np

from deepspine_sct.image.grid import Grid
from deepspine_sct.image.volume import Volume


def block_mean(volume: Volume, block: tuple[int, ...]) -> Volume:
    """Average blocks of voxels; what is left over at the upper ends of the axes is cut off."""
    n = np.array(volume.data.shape) // block
    i, j, k = n * block
    blocks = volume.data[:i, :j, :k].reshape(n[0], block[0], n[1], block[1], n[2], block[2])
    affine = volume.grid.affine.copy()
    affine[:3, 3] = volume.grid.to_world((np.array(block) - 1) / 2)
    affine[:3, :3] *= block
    data = blocks.mean(axis=(1, 3, 5), dtype=np.float32)
    return Volume(data, Grid(data.shape, affine))
