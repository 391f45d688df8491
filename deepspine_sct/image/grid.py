"""Where voxels are: the geometry conventions of the package, stated once.

The world is RAS+ millimetres (nibabel's sense; SCT calls the same thing LPI). An integer index is
the centre of a voxel, so a grid of ``n`` voxels reaches from ``-0.5`` to ``n - 0.5``, a flip maps
``i`` to ``n - 1 - i``, and downsampling by ``s`` maps ``i`` to ``s * i + (s - 1) / 2``. Stages
exchange world millimetres, never indices.

Axis codes name the direction of INCREASING index, as in nibabel: (L, I, P) means that the first
index grows to the left, the second downwards and the third to the back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

CANONICAL = ("L", "I", "P")
"""Orientation in which ``data[k]`` is an upright sagittal image, anterior left (SCT: RSA)."""

UPRIGHT = ("L", "A", "S")
"""Orientation that SCT calls RPI: its last index counts axial slices upwards."""

_WORLD_CODES = (("L", "R"), ("P", "A"), ("I", "S"))  # negative and positive end of world x, y, z


@dataclass(frozen=True, eq=False)
class Grid:
    """Shape of an array and the map from its indices to the world.

    Parameters
    ----------
    shape : (3,) tuple of int
        Number of voxels along each axis, at least 1.
    affine : (4, 4) array
        Voxel index to world RAS+ mm. Kept as a read-only float64 copy.

    Raises
    ------
    ValueError
        When the shape is not three positive numbers or the affine is not finite and invertible.
    """

    shape: tuple[int, ...]
    affine: np.ndarray

    def __post_init__(self) -> None:
        shape = tuple(int(n) for n in self.shape)
        affine = np.array(self.affine, dtype=np.float64)
        if len(shape) != 3 or min(shape) < 1:
            raise ValueError(f"a grid needs three positive dimensions, not {shape}")
        if affine.shape != (4, 4) or not np.array_equal(affine[3], (0, 0, 0, 1)):
            raise ValueError("an affine is 4x4 and ends in the row 0 0 0 1")
        # Judged on unit columns: voxels may be small, but their three directions must differ.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            volume = np.linalg.det(affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0))
        if not (np.isfinite(affine).all() and 1e-6 < abs(volume) < np.inf):
            raise ValueError("the affine is singular or not finite")
        affine.flags.writeable = False
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", affine)

    @classmethod
    def sagittal(cls, shape: tuple[int, int, int], zooms_mm: Sequence[float]) -> Grid:
        """Return a grid in (L, I, P) whose first voxel lies at the world's origin.

        Parameters
        ----------
        shape : (3,) tuple of int
            Slices from right to left, rows from superior to inferior, columns from anterior to posterior.
        zooms_mm : sequence of 3 floats
            Distances between neighbouring slices, rows and columns.
        """
        slice_mm, row_mm, column_mm = map(float, zooms_mm)
        return cls(shape, np.array([[-slice_mm, 0, 0, 0], [0, 0, -column_mm, 0], [0, -row_mm, 0, 0], [0, 0, 0, 1]]))

    @property
    def zooms_mm(self) -> np.ndarray:
        """(3,) Distance between neighbouring voxel centres along each axis, in mm."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @property
    def corners_ijk(self) -> np.ndarray:
        """(8, 3) indices of the voxels at the corners."""
        return np.indices((2, 2, 2)).reshape(3, -1).T * (np.array(self.shape) - 1)

    @property
    def axcodes(self) -> tuple[str, ...]:
        """(3,) Nearest world direction in which each index increases, for example (L, I, P)."""
        return tuple(_WORLD_CODES[world][int(positive)] for world, positive in self._nearest_world_axes)

    @cached_property
    def _nearest_world_axes(self) -> tuple[tuple[int, bool], ...]:
        """World axis of each array axis, and whether both increase together.

        The signed permutation nearest to the direction cosines: the one of the six that maximises
        the sum of the absolute cosines. Unlike a choice axis by axis it never turns a rotation into
        a reflection.
        """
        cosines = self.affine[:3, :3] / self.zooms_mm  # (world, array axis)

        def nearness(worlds: tuple[int, ...]) -> tuple[float, ...]:
            aligned = cosines[:, np.argsort(worlds)]
            aligned = aligned * np.where(np.diag(aligned) > 0, 1, -1)
            # At 45 degrees two choices are equally near. The directions themselves then decide,
            # not their order in the array, so that a reoriented grid keeps the choice.
            return (round(np.trace(aligned), 13), *aligned.ravel())

        worlds = max(permutations(range(3)), key=nearness)
        return tuple((w, bool(cosines[w, axis] > 0)) for axis, w in enumerate(worlds))

    def to_world(self, ijk: ArrayLike) -> np.ndarray:
        """Map indices to the world.

        Parameters
        ----------
        ijk : (..., 3) array
            Continuous voxel indices, inside or outside of the grid.

        Returns
        -------
        (..., 3) array
            World RAS+ mm, float64.
        """
        return np.asarray(ijk, dtype=np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def to_index(self, xyz_mm: ArrayLike) -> np.ndarray:
        """Map world points to continuous indices, the inverse of `to_world`.

        Parameters
        ----------
        xyz_mm : (..., 3) array
            World RAS+ mm.

        Returns
        -------
        (..., 3) array
            Continuous voxel indices, float64; an integer is a voxel centre.
        """
        offsets_mm = np.asarray(xyz_mm, dtype=np.float64) - self.affine[:3, 3]
        return offsets_mm @ np.linalg.inv(self.affine[:3, :3]).T

    def contains(self, ijk: ArrayLike) -> np.ndarray:
        """Tell which indices fall into a voxel of the grid.

        Parameters
        ----------
        ijk : (..., 3) array
            Continuous voxel indices.

        Returns
        -------
        (...) array of bool
            True where the index rounds to a voxel of the grid; False for NaN.
        """
        index = np.asarray(ijk, dtype=np.float64)
        return np.all((index >= -0.5) & (index < np.array(self.shape) - 0.5), axis=-1)

    def moves_to(self, axcodes: Sequence[str]) -> tuple[tuple[int, ...], tuple[bool, ...]]:
        """Find the transposition and the flips that lead to another orientation.

        Parameters
        ----------
        axcodes : (3,) sequence of str
            Wanted axis codes: one of L/R, one of P/A and one of I/S, in any order.

        Returns
        -------
        axes : (3,) tuple of int
            Axis of this grid that becomes each new axis.
        flips : (3,) tuple of bool
            Whether each NEW axis runs against the old one.

        Raises
        ------
        ValueError
            When `axcodes` do not name each world axis once.
        """
        lookup = {
            code: (world, bool(positive))
            for world, ends in enumerate(_WORLD_CODES)
            for positive, code in enumerate(ends)
        }
        wanted = [lookup[code] for code in axcodes if code in lookup]
        if {world for world, _ in wanted} != {0, 1, 2} or len(axcodes) != 3:
            raise ValueError(f"axis codes must name each of L/R, P/A and I/S once, not {axcodes}")
        worlds = [world for world, _ in self._nearest_world_axes]
        axes = tuple(worlds.index(world) for world, _ in wanted)
        flips = tuple(
            self._nearest_world_axes[axis][1] != positive for axis, (_, positive) in zip(axes, wanted, strict=True)
        )
        return axes, flips

    def reoriented(self, axcodes: Sequence[str]) -> Grid:
        """Describe the same voxels with their axes transposed and flipped.

        Parameters
        ----------
        axcodes : (3,) sequence of str
            Wanted axis codes.

        Returns
        -------
        Grid
            Grid of the reoriented array; each voxel keeps its place in the world.

        Raises
        ------
        ValueError
            When `axcodes` do not name each world axis once.
        """
        axes, flips = self.moves_to(axcodes)
        new_to_old = np.zeros((4, 4))
        new_to_old[3, 3] = 1
        for new, (old, flipped) in enumerate(zip(axes, flips, strict=True)):
            new_to_old[old, new] = -1 if flipped else 1
            new_to_old[old, 3] = self.shape[old] - 1 if flipped else 0
        return Grid(tuple(self.shape[axis] for axis in axes), self.affine @ new_to_old)

    def resampled(self, shape: Sequence[int], zooms_mm: ArrayLike) -> Grid:
        """Lay another lattice over the same axes and the same centre.

        Parameters
        ----------
        shape : (3,) sequence of int
            Number of new voxels along each axis.
        zooms_mm : (3,) array
            Distance between new voxel centres along each axis, in mm.

        Returns
        -------
        Grid
            Grid with this one's directions, whose centre is exactly this one's centre.
        """
        ratio = np.asarray(zooms_mm) / self.zooms_mm
        new_to_old = np.diag([*ratio, 1.0])
        new_to_old[:3, 3] = (np.array(self.shape) - 1) / 2 - ratio * (np.array(shape) - 1) / 2
        return Grid(tuple(shape), self.affine @ new_to_old)


def round_index(ijk: ArrayLike) -> np.ndarray:
    """Round continuous indices to the voxel that contains them, halves upwards.

    ``numpy.rint`` rounds halves to the even neighbour, which would make a voxel's share of a
    boundary depend on whether its index is odd.

    Parameters
    ----------
    ijk : array
        Continuous, finite voxel indices of any shape.

    Returns
    -------
    array of int
        Integer indices, same shape.
    """
    return np.floor(np.asarray(ijk, dtype=np.float64) + 0.5).astype(np.int64)
