"""What the network saw of scans, kept: the scans of a session are looked at, and named, once each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DeepspineError
from ..image.nifti import read_volume
from ..image.volume import Volume
from ..labeling.predictor import Look, Predictor
from ..stopwatch import Stopwatch

if TYPE_CHECKING:
    from ..labeling.companions import Together


SAME_BRIGHTNESS = 0.02
"""Of images that were brought to unit variance: a copy in other units differs by rounding, a second acquisition by its
noise."""


class Looks:
    """Looks at the scans of one session after another.

    Parameters
    ----------
    predictor : Predictor
        The network.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self._known: dict[Path, Look | DeepspineError] = {}
        self._together: dict[tuple[tuple[Path, ...], float | None], Together] = {}

    def at(self, path: Path, watch: Stopwatch, volume: Volume | None = None) -> Look | DeepspineError:
        """Look at a scan, or return what was seen before.

        Parameters
        ----------
        path : Path
            Its file.
        watch : Stopwatch
            Takes the times of the stages.
        volume : Volume, optional
            The scan, where it was read before.

        Returns
        -------
        Look or DeepspineError
            In place of one that cannot be used, the reason.
        """
        if path not in self._known:
            try:
                if volume is None:
                    with watch.stage("read"):
                        volume = read_volume(path, lazy=True)
                self._known[path] = self.predictor.look(volume, watch)
            except DeepspineError as error:
                self._known[path] = error
        return self._known[path]

    def repeated(self, paths: Sequence[Path], watch: Stopwatch) -> dict[Path, Path]:
        """Find the scans that show what a scan before them shows: a copy says nothing new of the names.

        Parameters
        ----------
        paths : sequence of Path
            The files, the one that is to be labelled first.
        watch : Stopwatch
            Takes the times of the stages.

        Returns
        -------
        dict of Path to Path
            Each such file, and the first one that shows the same.
        """
        seen = {path: look.seen.slabs.data for path in paths if isinstance(look := self.at(path, watch), Look)}
        copies: dict[Path, Path] = {}
        for path, image in seen.items():
            for first, other in seen.items():
                if first == path:
                    break
                if image.shape == other.shape and np.allclose(image, other, rtol=0, atol=SAME_BRIGHTNESS):
                    copies[path] = first
                    break
        return copies

    def together(self, paths: Sequence[Path], threshold: float | None, watch: Stopwatch) -> tuple[list[Path], Together]:
        """Name the scans of a session; those of other sessions are forgotten.

        Returns
        -------
        list of Path
            The scans in the order of the answer.
        Together
            How they are named.
        """
        from ..labeling.companions import name_together  # not for the many that are alone

        paths = sorted(paths)
        key = tuple(paths), threshold
        if key not in self._together:
            self._known = {path: look for path, look in self._known.items() if path in paths}
            looks = [self.at(path, watch) for path in paths]
            with watch.stage("ordering"):
                self._together = {key: name_together(self.predictor, looks, threshold)}
        return paths, self._together[key]
