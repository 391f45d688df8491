"""Label a scan: from a request to named discs and a report, without writing a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..caution import Caution
from ..errors import DeepspineError, NoDiscFound
from ..image.disc_voxels import place_discs
from ..image.sform_qform import geometry_warnings
from ..image.volume import Volume
from ..labeling.confidence import in_two_digits
from ..labeling.discs import Disc
from ..stopwatch import Stopwatch
from ..wording import counted
from .inputs import ScanInputs, no_cord_levels, read_inputs
from .report import Report, build_report, result_cautions
from .request import ScanRequest, Straightening

if TYPE_CHECKING:
    from ..anatomy import Points
    from ..image.straight import Straight
    from ..labeling.cord_levels import CordLabels
    from ..labeling.pins import Height
    from ..labeling.predictor import Predictor, Result
    from .looks import Looks
    from .session_report import SessionReport


@dataclass(frozen=True, eq=False)
class Labelled:
    """A scan with its discs, and all that is needed to write its files.

    Attributes
    ----------
    request : ScanRequest
        What was asked.
    volume : Volume
        The scan.
    result : Result
        What the network and the ordering answered. Its discs may lie outside of the image.
    straight : Straight or None
        The straight image that the discs were found in, where it is another one.
    voxels : mapping of int to tuple of int
        Voxel (i, j, k) of each disc that lies in the image.
    cord_labels : CordLabels or None
        Levels of the segmented cord.
    report : Report
        The answer as data.
    """

    request: ScanRequest
    volume: Volume
    result: Result
    straight: Straight | None
    voxels: Mapping[int, tuple[int, ...]]
    cord_labels: CordLabels | None
    report: Report

    def __repr__(self) -> str:
        """Say in one line what was found, as notebooks show it, in place of all arrays."""
        names = [disc.name for disc in self.discs]
        found = f"{counted(len(names), 'disc')}, {names[0]} to {names[-1]}" if names else "no disc"
        sure = in_two_digits(self.level_confidence)
        told = counted(len(self.cautions), "warning")
        return f"<Labelled {self.request.name}: {found}; confidence of the levels {sure}; {told}>"

    @property
    def discs(self) -> list[Disc]:
        """Discs that lie in the image, superior to inferior, in world RAS+ mm."""
        return [disc for disc in self.result.labeling.discs if disc.value in self.voxels]

    @property
    def points(self) -> dict[int, np.ndarray]:
        """World RAS+ position (3,) [mm] of each disc value, superior to inferior."""
        return {disc.value: disc.xyz_mm for disc in self.discs}

    @property
    def level_confidence(self) -> float:
        """Probability that the names as a whole are right, not shifted by a level."""
        return self.result.labeling.level_confidence

    @property
    def cautions(self) -> tuple[Caution, ...]:
        """What should be known before the labels are trusted."""
        return self.report.warnings


def label_scan(
    request: ScanRequest,
    predictor: Predictor,
    inputs: ScanInputs | None = None,
    watch: Stopwatch | None = None,
    looks: Looks | None = None,
) -> Labelled:
    """Find and name the discs of a scan, and refuse whatever cannot be written.

    Parameters
    ----------
    request : ScanRequest
        What is asked.
    predictor : Predictor
        The network.
    inputs : ScanInputs, optional
        What was read before; by default it is read now.
    watch : Stopwatch, optional
        Takes the times of the stages.
    looks : Looks, optional
        What was seen of the scans of its session before.

    Returns
    -------
    Labelled

    Raises
    ------
    DeepspineError
        When an input or the request cannot be used, or the voxels are too coarse for the discs.
    NoDiscFound
        When the image holds no disc.
    """
    watch = watch or Stopwatch()
    if inputs is None:
        with watch.stage("read"):
            inputs = read_inputs(request)
    straight: Straight | None = None
    session: SessionReport | None = None
    of_session: list[Caution] = []
    if request.beside:
        result, session, of_session = _find_together(request, looks or _new_looks(predictor), inputs, watch)
    else:
        result, straight = _find_discs(request, predictor, inputs)
        watch.seconds.update(result.seconds)
    everything = result.labeling  # also what was not asked for, without which a level of the cord would go on too far
    result = replace(result, labeling=everything.only(request.values))
    _refuse_without_disc(request, result, everything.discs)
    with watch.stage("write"):
        grid, name = inputs.volume.grid, request.outputs.discs or request.name
        try:
            voxels = place_discs(name, grid, result.labeling.points)
        except NoDiscFound as error:  # all of them lie outside of the image
            raise _no_disc(request) from error
        centres = {value: grid.to_world(ijk) for value, ijk in place_discs(name, grid, everything.points).items()}
        cord_labels, of_cord = _label_cord(request, inputs, centres)
        if cord_labels and request.values:
            cord_labels = cord_labels.only(request.values)
    of_header = geometry_warnings(request.image) if request.image else []
    for path in filter(None, (request.cord, request.initlabel)):
        of_header += [Caution(caution.code, f"{request.named(path)}: {caution}") for caution in geometry_warnings(path)]
    cautions = result_cautions(result, voxels, request)
    report = build_report(
        request,
        result.labeling,
        voxels,
        warnings=[*of_session, *cautions, *of_header, *inputs.cautions, *of_cord],
        checksum=predictor.checksum,
        seconds=watch.seconds,
        has_levels=cord_labels is not None,
        given=[inputs.height.value] if inputs.height else inputs.pins,
        session=session,
    )
    return Labelled(request, inputs.volume, result, straight, voxels, cord_labels, report)


def _find_discs(request: ScanRequest, predictor: Predictor, inputs: ScanInputs) -> tuple[Result, Straight | None]:
    """Run the network and the ordering, in the scan or in a straight image of it."""
    volume, pins, height = inputs.volume, inputs.pins, inputs.height
    if request.straighten == Straightening.NONE:
        return _look(request, predictor, volume, pins, height, request.values), None
    from .straightened import find_straightened, make_straight  # not for the many that ask for none

    first = None
    if height or request.straighten == Straightening.BY_DISCS:
        first = _look(request, predictor, volume, pins, height)
    if height and first:  # a slice of the scan is none of the straight image
        pins = {height.value: first.labeling.points[height.value]}

    def look_again(image: Volume, known: Points) -> Result:
        return _look(request, predictor, image, known, None, request.values)

    straight = make_straight(request, volume, first)
    result = find_straightened(look_again, straight, pins)
    if height and first:  # the second look knows where the disc is, but not which slice was given for it
        from ..labeling.given import doubt_slice

        result = replace(result, labeling=doubt_slice(result.labeling, height, first.labeling))
    _refuse_without_disc(request, result)
    return result, straight


def _new_looks(predictor: Predictor) -> Looks:
    from .looks import Looks  # not for the many that are alone

    return Looks(predictor)


def _find_together(
    request: ScanRequest, looks: Looks, inputs: ScanInputs, watch: Stopwatch
) -> tuple[Result, SessionReport, list[Caution]]:
    """Name the scan together with others of its session."""
    from ..labeling.companions import Companion, conclude_together  # not for the many that are alone
    from .session_report import session_cautions, session_report

    if request.image is None:
        raise DeepspineError(f"{request.name}: the scans of a session must be files; write the image to a file first")
    look = looks.at(request.image, watch, inputs.volume)
    if isinstance(look, DeepspineError):
        raise _about_scan(request, look) from look
    scans = [request.image, *request.beside]
    copies = looks.repeated(scans, watch)
    paths, together = looks.together([path for path in scans if path not in copies], request.threshold, watch)
    try:
        joined = conclude_together(
            looks.predictor, look, together, paths.index(request.image), watch, request.threshold, request.values
        )
    except DeepspineError as error:
        raise _about_scan(request, error) from error
    _refuse_without_disc(request, joined.result)
    of_path = dict(zip((path for path in paths if path != request.image), joined.companions, strict=True))
    of_path |= {path: Companion(f"it shows the same image as {request.named(first)}") for path, first in copies.items()}
    report = session_report(request, of_path, joined)
    return joined.result, report, session_cautions(report, joined.alone.discs)


def _look(
    request: ScanRequest,
    predictor: Predictor,
    volume: Volume,
    pins: Points,
    height: Height | None,
    values: tuple[int, ...] | None = None,
) -> Result:
    """Run the predictor; it knows no file, so its refusals are given the name of the image."""
    try:
        result = predictor.predict(
            volume, threshold=request.threshold, values=values, pins=dict(pins) or None, height=height
        )
    except DeepspineError as error:
        raise _about_scan(request, error) from error
    _refuse_without_disc(request, result)
    return result


def _about_scan(request: ScanRequest, error: DeepspineError) -> DeepspineError:
    """Name the image that is refused, and what else is odd about its header, as that may be why it is."""
    cautions = geometry_warnings(request.image) if request.image else []
    also_odd = "".join(f"; note that {str(caution).partition(':')[0]}" for caution in cautions)
    return type(error)(f"{request.name}: {error}{also_odd}")


def _refuse_without_disc(request: ScanRequest, result: Result, found: Sequence[Disc] = ()) -> None:
    """Refuse a result without a disc; `found` are those that were found and not asked for."""
    if found and not result.labeling.discs:
        shown = found[0].name if len(found) == 1 else f"{found[0].name} to {found[-1].name}"
        raise NoDiscFound(
            f"{request.name}: none of the discs that were asked for was found, so nothing was written, as the scan "
            f"seems to show {shown}; check which discs to ask for"
        )
    if not result.labeling.discs:
        raise _no_disc(request)


def _no_disc(request: ScanRequest) -> NoDiscFound:
    return NoDiscFound(
        f"{request.name}: no disc was found, so nothing was written; check that the scan shows the spine from the side"
    )


def _label_cord(request: ScanRequest, inputs: ScanInputs, centres: Points) -> tuple[CordLabels | None, list[Caution]]:
    """Label the segmented cord, if there is one, from the centres of the discs' voxels, as SCT does."""
    if inputs.cord is None:
        return None, []
    from ..labeling.cord_levels import label_cord

    try:
        labels = label_cord(inputs.cord, centres)
    except DeepspineError as error:
        if request.cord_may_fail:
            return None, [no_cord_levels(error)]
        raise DeepspineError(f"{request.cord}: {error}") from error
    return labels, labels.warnings
