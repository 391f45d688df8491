"""What the network saw of scans, kept: the scans of a session are looked at once each, whoever they help."""

from __future__ import annotations

from pathlib import Path

from ..errors import DeepspineError
from ..image.nifti import read_volume
from ..image.volume import Volume
from ..labeling.predictor import Look, Predictor
from ..stopwatch import Stopwatch


class Looks:
    """Looks at scans, by their files.

    Parameters
    ----------
    predictor : Predictor
        The network.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor
        self._known: dict[Path, Look | DeepspineError] = {}

    def at(self, path: Path, watch: Stopwatch, volume: Volume | None = None) -> Look:
        """Look at a scan, or return what was seen before.

        Parameters
        ----------
        path : Path
            Its file.
        watch : Stopwatch
            Takes the times of the stages.
        volume : Volume, optional
            The scan, where it was read before.

        Raises
        ------
        DeepspineError
            When it cannot be used.
        """
        seen = self.of_companion(path, watch, volume)
        if isinstance(seen, DeepspineError):
            raise seen
        return seen

    def of_companion(self, path: Path, watch: Stopwatch, volume: Volume | None = None) -> Look | DeepspineError:
        """Return what `at` does, or in place of it why the scan cannot be used."""
        if path not in self._known:
            try:
                if volume is None:
                    with watch.stage("read"):
                        volume = read_volume(path, lazy=True)
                self._known[path] = self.predictor.look(volume, watch)
            except DeepspineError as error:
                self._known[path] = error
        return self._known[path]

    def forget(self, keep: tuple[Path, ...] = ()) -> None:
        """Drop all scans but some, and with them their memory."""
        self._known = {path: seen for path, seen in self._known.items() if path in keep}
