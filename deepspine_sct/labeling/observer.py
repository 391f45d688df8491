"""The network, and what it is shown: slabs of a volume, made fit for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..image.grid import Grid, round_index
from ..image.preprocessing import normalise
from ..image.slab import SlabStack, pad_to_multiple, slabs_of
from ..image.volume import Volume, crop, crop_around
from ..model.output import Maps, Prediction
from ..model.runtime import Runtime
from ..stopwatch import Stopwatch
from .settings import PredictorSettings
from .survey import (
    coarse_slabs,
    columns_around_spine,
    shows_spine,
    slabs_around_spine,
    slabs_with_contrast,
    window,
    without_air,
)

MapsOfSlab = tuple[np.ndarray, ...]
"""The three `Maps` of one slab."""


Frame = tuple[slice, slice]
"""Rows and columns of padded slabs."""

EVERYWHERE: Frame = slice(None), slice(None)

BEYOND_MM = 8.0
"""So far beyond the border a peak may lie: half of its disc may show, and the fit of the peak needs both of its
sides. With 2 mm, 16 of 174 tips up to 12 mm inside the border were taken for being beyond it, with 8 mm one (60
simulated spines at 40, 60 and 80 %)."""


class Seen(NamedTuple):
    """What the network was shown, and what it answered.

    Attributes
    ----------
    slabs : Volume
        (N, H, W) normalised and padded slabs.
    prediction : Prediction
        Heatmaps, level and attention on them.
    """

    slabs: Volume
    prediction: Prediction


class Observer:
    """A network with the preprocessing that belongs to it.

    Parameters
    ----------
    runtime : Runtime
        The network, ready to run.
    spacing_mm, thickness_mm : float
        Pixels and slabs that it was trained on.
    settings : PredictorSettings
        Where and how often it looks.
    """

    def __init__(self, runtime: Runtime, spacing_mm: float, thickness_mm: float, settings: PredictorSettings):
        self.runtime, self.settings = runtime, settings
        self.spacing_mm, self.thickness_mm = spacing_mm, thickness_mm

    def stack(self, image: Volume, spacing_mm: float | None = None) -> SlabStack:
        """Return the slabs of an image in (L, I, P), none of them computed yet."""
        spacing_mm = spacing_mm or self.spacing_mm
        return SlabStack(image, self.settings.step_mm, self.thickness_mm, spacing_mm, anchored=True)

    def survey(self, whole: Volume, watch: Stopwatch) -> tuple[Volume, Seen]:
        """Run the network on every third slab, then on the missing ones where the spine is.

        Returns
        -------
        Volume
            The part of the image that is no air: it alone is looked at, and looked at again.
        Seen
            Slabs around the spine.
        """
        with watch.stage("slabs"):
            stack = self.stack(whole)
            n_slabs = stack.grid.shape[0]
            coarse = coarse_slabs(n_slabs, self.settings)
            slabs = stack.extract(coarse)
            coarse = coarse[slabs_with_contrast(slabs.data, self.settings)]
            body = without_air(whole, slabs, self.settings)
            stack = self.stack(body)
            low_ijk = round_index(slabs.grid.to_index(stack.grid.to_world((coarse[0], 0, 0))))
            slabs = crop(slabs, low_ijk, low_ijk + (len(coarse), *stack.grid.shape[1:]))
        seen, frame = self._look_coarsely(slabs, watch)
        fine = slabs_around_spine(coarse, seen.prediction.heatmaps, n_slabs, self.settings)
        if fine == coarse:
            return body, seen
        known = {fine.index(i): of_slab for i, of_slab in zip(coarse, _each_slab(seen), strict=True) if i in fine}
        with watch.stage("slabs"):
            slabs = stack.extract(fine)
        return body, self.show(slabs, watch, known, frame)

    def _look_coarsely(self, slabs: Volume, watch: Stopwatch) -> tuple[Seen, Frame]:
        """Show slabs far apart, the middle one first; where that one shows the spine, only what is around it."""
        middle = len(slabs.data) // 2
        first = self.show(crop(slabs, (middle, 0, 0), (middle + 1, *slabs.grid.shape[1:])), watch)
        if not shows_spine(first.prediction.heatmaps, self.settings):
            return self._around_spine(self.show(slabs, watch, {middle: _each_slab(first)[0]}))
        around, frame = self._around_spine(first)
        return self.show(slabs, watch, {middle: _each_slab(around)[0]}, frame), frame

    def _around_spine(self, seen: Seen) -> tuple[Seen, Frame]:
        """Keep the columns around the spine of what was seen; return them and their place in the padded slabs."""
        slabs, prediction = seen
        stride = slabs.grid.shape[2] // prediction.grid.shape[2]
        columns = columns_around_spine(
            prediction.heatmaps, prediction.grid.zooms_mm[2], self.runtime.multiple // stride, self.settings
        )
        frame = slice(None), slice(stride * columns.start, stride * columns.stop)
        maps = Maps(*(part[..., columns] for part in (prediction.heatmaps, prediction.level_mm, prediction.attention)))
        slabs = _framed(slabs, frame)
        return Seen(slabs, Prediction(*maps, _grid_of(maps, slabs.grid))), frame

    def look_closely(self, slab: Volume, first_row: float, last_row: float) -> Prediction:
        """Show some rows of a slab (1, H, W); they may lie beyond it."""
        multiple = self.runtime.multiple
        missing = -slab.grid.shape[1] % multiple
        rows = window(first_row + missing // 2, last_row + missing // 2, slab.grid.shape[1] + missing, multiple)
        return self.show(slab, Stopwatch(), frame=(rows, slice(None))).prediction

    def look_from_afar(self, body: Volume, seen: Seen, discs_xyz_mm: np.ndarray) -> Prediction:
        """Show the slabs that hold discs, at (n, 3), on coarser pixels: as if the spine were smaller.

        It looks as far to the front and to the back as ``seen`` does.
        """
        shown = seen.slabs.grid
        part = crop_around(body, shown.to_world([(0, 0, 0), np.subtract(shown.shape, 1)]))
        stack = self.stack(part, self.settings.afar * self.spacing_mm)
        slabs = slabs_of(stack.grid, discs_xyz_mm)
        return self.show(stack.extract(range(slabs.min(), slabs.max() + 1)), Stopwatch()).prediction

    def turned(self, seen: Seen, axes: tuple[int, ...]) -> Prediction:
        """Show a slab with much of the spine again, turned over along some axes of (N, H, W).

        In an image that is turned over the network sees traces of discs in every slab. So of those that show nearly the
        most it is the middle one.
        """
        prediction = seen.prediction
        seen_of_slab = prediction.heatmaps.sum(axis=(1, 2, 3))
        strong = np.flatnonzero(seen_of_slab >= self.settings.nearly * seen_of_slab.max())
        best = int(strong[np.abs(strong - (len(seen_of_slab) - 1) / 2).argmin()])
        maps = self.runtime.run(np.flip(seen.slabs.data[best : best + 1], axes))
        shown = prediction.heatmaps[best].any(axis=0)[None]  # (1, h, w), not the padding
        heatmaps = maps.heatmaps * np.flip(shown, axes)[:, None]
        grid = Grid(shown.shape, prediction.grid.affine)
        return Prediction(heatmaps, maps.level_mm, maps.attention, grid)

    def show(
        self,
        slabs: Volume,
        watch: Stopwatch,
        known: Mapping[int, MapsOfSlab] | None = None,
        frame: Frame = EVERYWHERE,
    ) -> Seen:
        """Make slabs fit for the network and run it.

        Parameters
        ----------
        slabs : Volume
            (N, H, W) slabs.
        watch : Stopwatch
            Takes the times of the stages.
        known : mapping of int to MapsOfSlab, optional
            Maps of slabs that were run before.
        frame : Frame, optional
            All that is looked at, and all that ``known`` shows.

        Returns
        -------
        Seen
        """
        with watch.stage("slabs"):
            shown = slabs.grid
            # Padded dark before it is normalised, as the training images' empty margins are.
            slabs = pad_to_multiple(slabs, self.runtime.multiple, slabs.data.min(axis=(1, 2)))
            slabs = Volume(normalise(slabs.data), slabs.grid)
            slabs = _framed(slabs, frame)  # after the brightness of the whole slabs was brought to a standard
        with watch.stage("network"):
            maps = self._run(slabs.data, known or {})
            grid = _grid_of(maps, slabs.grid)
            _silence_outside(maps.heatmaps, grid, shown)
        return Seen(slabs, Prediction(*maps, grid))

    def _run(self, images: np.ndarray, known: Mapping[int, MapsOfSlab]) -> Maps:
        of_image = dict(known)
        fresh = [i for i in range(len(images)) if i not in known]
        if fresh:
            of_image |= dict(zip(fresh, zip(*self.runtime.run(images[fresh]), strict=True), strict=True))
        rows = (of_image[i] for i in range(len(images)))
        return Maps(*(np.stack(maps) for maps in zip(*rows, strict=True)))


def _framed(slabs: Volume, frame: Frame) -> Volume:
    (top, bottom), (front, back) = (part.indices(n)[:2] for part, n in zip(frame, slabs.grid.shape[1:], strict=True))
    return crop(slabs, (0, top, front), (len(slabs.data), bottom, back))


def _grid_of(maps: Maps, slabs: Grid) -> Grid:
    """Place maps on their slabs: a pixel covers a block of theirs, with the same centre and larger zooms."""
    shape = maps.level_mm.shape
    return slabs.resampled(shape, slabs.zooms_mm * slabs.shape / shape)


def _each_slab(seen: Seen) -> list[MapsOfSlab]:
    prediction = seen.prediction
    return list(zip(prediction.heatmaps, prediction.level_mm, prediction.attention, strict=True))


def _silence_outside(heatmaps: np.ndarray, grid: Grid, seen: Grid) -> None:
    """Set the heatmaps (N, K, h, w) to zero, in place, where no disc that shows a part can have its tip."""
    _, height, width = grid.shape
    for axis, n in ((1, height), (2, width)):
        beyond = BEYOND_MM / seen.zooms_mm[axis]
        ijk = np.zeros((n, 3))
        ijk[:, axis] = np.arange(n)
        at = seen.to_index(grid.to_world(ijk))[:, axis]
        outside = (at < -beyond) | (at > seen.shape[axis] - 1 + beyond)
        np.moveaxis(heatmaps, axis + 1, 0)[outside] = 0
