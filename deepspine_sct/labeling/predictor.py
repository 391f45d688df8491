"""From a volume to named discs: slabs, network, candidates, order."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..anatomy import DISC_VALUES
from ..errors import DeepspineError
from ..image.arrays import as_read
from ..image.brightness import even_brightness
from ..image.extent import check_extent
from ..image.grid import Grid
from ..image.preprocessing import canonical, without_fill, without_margins
from ..image.segmented import check_is_scan
from ..image.volume import Volume
from ..model.output import Prediction
from ..model.runtime import Runtime, load_runtime
from ..parallel import in_threads
from ..stopwatch import Stopwatch
from .cautions import told_anew
from .confidence import within_image
from .discs import Labeling, Rating
from .heatmap import Candidates, find_candidates
from .observer import Observer, Seen
from .pins import Height, locate
from .plausibility import judge, judge_sampling
from .prior import SkeletonPrior
from .refinement import look_again
from .second_opinion import other_opinions
from .second_spine import about_second_spine
from .settings import DEFAULTS, PredictorSettings
from .skeleton import order, rate


class Look(NamedTuple):
    """A volume after the network has seen it.

    Attributes
    ----------
    grid : Grid
        Of the volume in (L, I, P), without empty margins.
    body : Volume
        The part of it that is no air.
    seen : Seen
        Slabs around the spine.
    turned : callable
        Rates it as if it were turned over along some axes: looked at when first asked for.
    """

    grid: Grid
    body: Volume
    seen: Seen
    turned: Callable[[tuple[int, ...]], Rating]


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

    It can be sent to other processes, which load the network's file again, and refuse another network in its place.

    Parameters
    ----------
    runtime : Runtime
        The network, ready to run.
    settings : PredictorSettings
        What the steps go by.

    Raises
    ------
    DeepspineError
        When the network does not say, or not sensibly, how it wants its images.
    """

    def __init__(self, runtime: Runtime, settings: PredictorSettings = DEFAULTS):
        self.runtime = runtime
        self.settings = settings
        self.config: dict[str, Any] = runtime.description
        self.checksum: str = runtime.checksum
        try:
            self.spacing_mm = float(self.config["spacing_mm"])
            thickness_mm = float(self.config["thickness_mm"])
            self.prior = SkeletonPrior.from_dict(self.config.get("prior", {}))
            if not (0.5 <= self.spacing_mm <= 5 and 0.5 <= thickness_mm <= 50):
                raise ValueError(f"slabs of {thickness_mm} mm, pixels of {self.spacing_mm} mm")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DeepspineError(f"the network's description cannot be used ({error}); check -model") from error
        self.observer = Observer(runtime, self.spacing_mm, thickness_mm, settings)

    def __reduce__(self) -> tuple[type[Predictor], tuple[Runtime, PredictorSettings]]:
        """Pickle what it is made from, so that description and network never come from two files."""
        return type(self), (self.runtime, self.settings)

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
            The image. What is no number, infinite or masked in it is 0, as in a file that is read.
        threshold : float, optional
            Least probability of a disc at a candidate.
        values : tuple of int, optional
            Disc values asked for, which decide where the image leaves the names open; see `order`. The answer has
            all discs; `Labeling.only` leaves out those not asked for.
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
            When the volume shows nothing, is a segmentation, too small or too coarse to show discs, its header
            contradicts the anatomy, or the discs that are known cannot be where they are said to be.
        """
        watch = Stopwatch()
        named = [height.value] if height else pins or ()
        look = self.look(volume, watch)
        with watch.stage("ordering"):
            labeling = self._name(look.seen.prediction, threshold, values, pins, height)
        return self.conclude(look, labeling, watch, named, values)

    def look(self, volume: Volume, watch: Stopwatch) -> Look:
        """Show a volume to the network, once.

        Raises
        ------
        DeepspineError
            When the volume shows nothing, is a segmentation, or too small or too coarse to show discs.
        """
        volume = canonical(as_read(volume))
        check_is_scan(volume)
        whole = without_margins(without_fill(volume))
        check_extent(whole.grid)
        whole = even_brightness(whole)
        body, seen = self.observer.survey(whole, watch)
        return Look(whole.grid, body, seen, cache(partial(self._rate_turned, seen)))

    def candidates(self, look: Look, threshold: float | None = None) -> Candidates:
        """Find the places that may be discs."""
        return find_candidates(look.seen.prediction, self.settings.threshold if threshold is None else threshold)

    def conclude(
        self,
        look: Look,
        labeling: Labeling,
        watch: Stopwatch,
        named: Collection[int] = (),
        asked: Collection[int] | None = None,
        joined: bool = False,
    ) -> Result:
        """Look again at the discs of a labeling, and judge it.

        Parameters
        ----------
        look : Look
            What the network has seen.
        labeling : Labeling
            The discs, named.
        watch : Stopwatch
            Takes the times of the stages.
        named : collection of int
            Discs that the user has named, which are not doubted.
        asked : collection of int, optional
            Disc values that were asked for, by default all: no other one is missed.
        joined : bool
            Whether other scans of the session have named the discs as well. Neither then nor where the user has
            named one does what this image says by itself, on other looks, lower the confidence in a name.

        Raises
        ------
        DeepspineError
            When the header contradicts the anatomy.
        """
        grid, body, seen, _ = look
        n_found, asked = len(labeling.discs), DISC_VALUES if asked is None else asked
        with watch.stage("refinement"):
            labeling, second = look_again(self.observer, body, labeling, named)
            labeling = within_image(labeling, grid, self.prior, named)
            if not (named or joined):
                labeling = other_opinions(labeling, second, partial(self._from_afar, look, labeling), self.prior, asked)
        with watch.stage("plausibility"):
            labeling = told_anew(labeling, n_found, asked)
            labeling = self.judge(look, labeling, named)
            labeling = judge_sampling(labeling, max(grid.zooms_mm[1:]))
            beside = about_second_spine(labeling, seen.prediction, self.prior)
            labeling = replace(labeling, warnings=[*labeling.warnings, *beside])
        return Result(labeling, seen.slabs, seen.prediction, watch.seconds)

    def predict_slabs(self, slabs: Volume) -> Result:
        """Find and name the discs in slabs that were cut beforehand, as a prepared set holds them.

        The steps are those of `predict`. Only the search for the spine is left out, and the second look has no finer
        pixels than those of the slabs.

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
            When the pixels have another size, or the slabs seem to be upside down.
        """
        slabs = even_brightness(slabs)
        first, watch = self.look_at_slabs(slabs), Stopwatch()
        seen = Seen(first.slabs, first.prediction)
        look = Look(slabs.grid, slabs, seen, cache(partial(self._rate_turned, seen)))
        result = self.conclude(look, first.labeling, watch)
        return replace(result, seconds=first.seconds | result.seconds)

    def look_at_slabs(self, slabs: Volume) -> Result:
        """Name what one look at slabs shows, without any of the checks that follow.

        Parameters
        ----------
        slabs : Volume
            As for `predict_slabs`.

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
        watch = Stopwatch()
        seen = self.observer.show(slabs, watch)
        with watch.stage("ordering"):
            labeling = self._name(seen.prediction)
        return Result(labeling, seen.slabs, seen.prediction, watch.seconds)

    def _name(
        self,
        prediction: Prediction,
        threshold: float | None = None,
        values: tuple[int, ...] | None = None,
        pins: dict[int, np.ndarray] | None = None,
        height: Height | None = None,
    ) -> Labeling:
        """Find the candidates and put them in order; see `predict` for what may be known."""
        candidates = find_candidates(prediction, self.settings.threshold if threshold is None else threshold)
        if height is not None:
            from .given import doubt_slice  # not for the many that know no disc

            faint = find_candidates(prediction, self.settings.faint)
            spine = order(candidates, self.prior)
            if not spine.discs:
                spine = order(faint, self.prior)
            pins = {height.value: locate(height, spine, faint)}
            return doubt_slice(order(candidates, self.prior, values, pins), height, spine)
        return order(candidates, self.prior, values, pins)

    def judge(self, look: Look, labeling: Labeling, named: Collection[int] = ()) -> Labeling:
        """Ask whether it is a spine, and the right way up; see `plausibility.judge`."""
        return judge(labeling, partial(in_threads, look.turned, threads=self.runtime.threads), named)

    def _from_afar(self, look: Look, labeling: Labeling) -> Candidates:
        discs_xyz_mm = np.array([disc.xyz_mm for disc in labeling.discs])
        prediction = self.observer.look_from_afar(look.body, look.seen, discs_xyz_mm)
        return find_candidates(prediction, self.settings.threshold)

    def _rate_turned(self, seen: Seen, axes: tuple[int, ...]) -> Rating:
        return rate(find_candidates(self.observer.turned(seen, axes), self.settings.threshold), self.prior)
