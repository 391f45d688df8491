"""From a volume to named discs: slabs, network, candidates, order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np

from ..errors import DeepspineError
from ..image.extent import check_extent
from ..image.grid import Grid, round_index
from ..image.preprocessing import canonical, normalise, without_margins
from ..image.slab import SlabStack, pad_to_multiple
from ..image.volume import Volume, crop
from ..model.output import Maps, Prediction
from ..model.runtime import Runtime, load_runtime
from . import refinement
from .confidence import within_image
from .discs import Labeling
from .heatmap import find_candidates
from .pins import FAINT, Height, locate
from .plausibility import judge, judge_sampling
from .skeleton import SkeletonPrior, order
from .survey import FINE_STEP_MM, body, coarse_slabs, slabs_around_spine, without_air

THRESHOLD = 0.15
"""Least probability of a disc at a candidate."""


@dataclass(frozen=True)
class Result:
    """Everything that labeling a volume gives.

    Attributes
    ----------
    labeling : Labeling
        The named discs.
    slabs : Volume
        (N, H, W) normalised slabs that the network saw around the spine.
    prediction : Prediction
        Its heatmaps, level and attention on them.
    seconds : dict of str to float
        Time of each stage.
    """

    labeling: Labeling
    slabs: Volume
    prediction: Prediction
    seconds: dict[str, float]


class Predictor:
    """A network with the preprocessing and the ordering prior that belong to it.

    Parameters
    ----------
    runtime : Runtime
        The network, ready to run.

    Raises
    ------
    DeepspineError
        When the network does not say, or not sensibly, how it wants its images.
    """

    def __init__(self, runtime: Runtime):
        self.runtime = runtime
        self.config: dict = runtime.description
        self.checksum: str = runtime.checksum
        try:
            self.spacing_mm = float(self.config["spacing_mm"])
            self.thickness_mm = float(self.config["thickness_mm"])
            self.prior = SkeletonPrior.from_dict(self.config.get("prior", {}))
            if not (0.5 <= self.spacing_mm <= 5 and 0.5 <= self.thickness_mm <= 50):
                raise ValueError(f"slabs of {self.thickness_mm} mm, pixels of {self.spacing_mm} mm")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DeepspineError(f"the network's description cannot be used ({error}); check -model") from error

    @classmethod
    def load(cls, model_path: Path | None = None, device: str = "auto") -> Predictor:
        """Load a network, by default the shipped one; see `load_runtime`.

        Raises
        ------
        DeepspineError
            When it cannot be read, or the device is not available.
        """
        return cls(load_runtime(model_path, device))

    def predict(
        self,
        volume: Volume,
        *,
        threshold: float | None = None,
        values: tuple[int, ...] | None = None,
        pins: dict[int, np.ndarray] | None = None,
        height: Height | None = None,
    ) -> Result:
        """Find and name the discs of a volume in any orientation.

        Parameters
        ----------
        volume : Volume
            The image.
        threshold : float, optional
            Least probability of a disc at a candidate.
        values : tuple of int, optional
            Disc values asked for; see `order`.
        pins : dict of int to (3,) array, optional
            World positions [mm] of discs whose name is known.
        height : Height, optional
            In place of `pins`, a disc of which the axial slice is known.

        Returns
        -------
        Result
            Discs in world mm, and what they were read from.

        Raises
        ------
        DeepspineError
            When the volume is too small or too coarse to show discs, its header contradicts the
            anatomy, or the discs that are known cannot be where they are said to be.
        """
        seconds: dict[str, float] = {}
        whole = without_margins(canonical(volume))
        check_extent(whole.grid)
        image, slabs, prediction = self._look(whole, seconds)
        labeling = self._order(prediction, seconds, threshold, values, pins, height)
        named = [height.value] if height else pins or ()
        labeling = self._refine(image, labeling, seconds, named)
        started_s = perf_counter()
        turned = partial(self._label_turned, slabs, prediction)
        labeling = within_image(labeling, whole.grid, self.prior.tip_sd_mm, named)
        labeling = judge_sampling(judge(labeling, turned, named), max(whole.grid.zooms_mm[1:]))
        seconds["plausibility"] = perf_counter() - started_s
        return Result(labeling, slabs, prediction, seconds)

    def predict_slabs(self, slabs: Volume) -> Result:
        """Find and name the discs in slabs that were cut beforehand, as a prepared set holds them.

        Parameters
        ----------
        slabs : Volume
            (N, H, W) sagittal slabs in (L, I, P), in any intensities, of the network's pixel size.

        Returns
        -------
        Result
            Discs in world mm, and what they were read from.

        Raises
        ------
        DeepspineError
            When the pixels have another size.
        """
        pixel_mm = slabs.grid.zooms_mm[1:]
        if not np.allclose(pixel_mm, self.spacing_mm, rtol=1e-3):
            raise DeepspineError(
                f"the slabs have pixels of {pixel_mm[0]:.2f} mm, the network works on"
                f" {self.spacing_mm:.2f} mm; prepare the set with -spacing {self.spacing_mm:g}"
            )
        seconds: dict[str, float] = {}
        slabs, prediction = self._read(slabs, seconds)
        return Result(self._order(prediction, seconds), slabs, prediction, seconds)

    def _order(
        self,
        prediction: Prediction,
        seconds: dict[str, float],
        threshold: float | None = None,
        values: tuple[int, ...] | None = None,
        pins: dict[int, np.ndarray] | None = None,
        height: Height | None = None,
    ) -> Labeling:
        started_s = perf_counter()
        candidates = find_candidates(prediction, THRESHOLD if threshold is None else threshold)
        if height is not None:
            faint = find_candidates(prediction, FAINT)
            spine = order(candidates, self.prior)
            if not spine.discs:
                spine = order(faint, self.prior)
            pins = {height.value: locate(height, spine, faint)}
        labeling = order(candidates, self.prior, values, pins)
        seconds["ordering"] = perf_counter() - started_s
        return labeling

    def _refine(self, image: Volume, labeling: Labeling, seconds: dict[str, float], named) -> Labeling:
        """Look at the discs again, on finer pixels."""
        if not labeling.discs:
            return labeling
        started_s = perf_counter()
        near = refinement.surroundings(image, labeling)
        stack = self._stack(near, refinement.PIXEL_MM)
        slabs = stack.extract(refinement.slabs_of_discs(stack.grid, labeling))
        _, prediction = self._read(slabs, {})
        second = find_candidates(prediction, THRESHOLD)
        labeling = refinement.refine(labeling, second, image.grid, named)
        seconds["refinement"] = perf_counter() - started_s
        return labeling

    def _label_turned(self, slabs: Volume, prediction: Prediction, axes: tuple[int, ...]) -> Labeling:
        """Label the slab that shows most of the spine as if it were turned over along some axes."""
        best = int(prediction.heatmaps.sum(axis=(1, 2, 3)).argmax())
        maps = self.runtime.run(np.flip(slabs.data[best : best + 1], axes))
        seen = prediction.heatmaps[best].any(axis=0)[None]  # (1, h, w), not the padding
        heatmaps = maps.heatmaps * np.flip(seen, axes)[:, None]
        grid = Grid(seen.shape, prediction.grid.affine)
        turned = Prediction(heatmaps, maps.level_mm, maps.attention, grid)
        return order(find_candidates(turned, THRESHOLD), self.prior)

    def _look(self, whole: Volume, seconds: dict[str, float]) -> tuple[Volume, Volume, Prediction]:
        """Run the network on every third slab, then on the missing ones where the spine is.

        The part of the image that is no air goes before the slabs.
        """
        started_s = perf_counter()
        stack = self._stack(whole)
        n_slabs = stack.grid.shape[0]
        coarse = coarse_slabs(n_slabs)
        slabs = stack.extract(coarse)
        coarse, image = coarse[body(slabs.data)], without_air(whole, slabs)
        stack = self._stack(image)
        low_ijk = round_index(slabs.grid.to_index(stack.grid.to_world((coarse[0], 0, 0))))
        slabs = crop(slabs, low_ijk, low_ijk + (len(coarse), *stack.grid.shape[1:]))
        seconds["slabs"] = perf_counter() - started_s
        slabs, prediction = self._read(slabs, seconds)
        fine = slabs_around_spine(coarse, prediction.heatmaps, n_slabs)
        if fine == coarse:
            return image, slabs, prediction
        maps = zip(prediction.heatmaps, prediction.level_mm, prediction.attention, strict=True)
        known = {fine.index(i): of_slab for i, of_slab in zip(coarse, maps, strict=True) if i in fine}
        started_s = perf_counter()
        slabs = stack.extract(fine)
        seconds["slabs"] += perf_counter() - started_s
        return image, *self._read(slabs, seconds, known)

    def _stack(self, image: Volume, spacing_mm: float | None = None) -> SlabStack:
        return SlabStack(image, FINE_STEP_MM, self.thickness_mm, spacing_mm or self.spacing_mm, anchored=True)

    def _read(
        self,
        slabs: Volume,
        seconds: dict[str, float],
        known: Mapping[int, tuple[np.ndarray, ...]] | None = None,
    ) -> tuple[Volume, Prediction]:
        """Run the network on slabs, made fit for it; return them as it saw them.

        ``known`` holds the maps of slabs that were run before.
        """
        started_s = perf_counter()
        seen = slabs.grid
        # Padded dark before it is normalised, as the training images' empty margins are.
        slabs = pad_to_multiple(slabs, self.runtime.multiple, slabs.data.min(axis=(1, 2)))
        slabs = Volume(normalise(slabs.data), slabs.grid)
        sliced_s = perf_counter()
        maps = self._run(slabs.data, known or {})
        # A heatmap pixel covers a block of image pixels: the same centre, larger zooms.
        shape = maps.level_mm.shape
        grid = slabs.grid.resampled(shape, slabs.grid.zooms_mm * slabs.grid.shape / shape)
        _silence_outside(maps.heatmaps, grid, seen)
        prediction = Prediction(*maps, grid)
        seconds["slabs"] = seconds.get("slabs", 0.0) + sliced_s - started_s
        seconds["network"] = seconds.get("network", 0.0) + perf_counter() - sliced_s
        return slabs, prediction

    def _run(self, images: np.ndarray, known: Mapping[int, tuple[np.ndarray, ...]]) -> Maps:
        if not known:
            return self.runtime.run(images)
        fresh = [i for i in range(len(images)) if i not in known]
        of_image = known | dict(zip(fresh, zip(*self.runtime.run(images[fresh]), strict=True), strict=True))
        rows = (of_image[i] for i in range(len(images)))
        return Maps(*(np.stack(maps) for maps in zip(*rows, strict=True)))


def _silence_outside(heatmaps: np.ndarray, grid: Grid, seen: Grid) -> None:
    """Set the heatmaps (N, K, h, w) to zero, in place, at pixels that show padding only."""
    _, height, width = grid.shape
    for axis, n in ((1, height), (2, width)):
        ijk = np.zeros((n, 3))
        ijk[:, axis] = np.arange(n)
        at = seen.to_index(grid.to_world(ijk))[:, axis]
        outside = (at < -1) | (at > seen.shape[axis])
        np.moveaxis(heatmaps, axis + 1, 0)[outside] = 0
