"""Is it a spine, and is it the right way up: what a labeling is worth when the image may be neither.

The ordering gives its best labeling of whatever it is shown. How well the best one fits tells a
spine from a brain, from noise and from a spine that stands on its head. All limits are in nats of
`Labeling.fit` and `Labeling.score`, and were chosen from the table of ``make doubtful``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from ..caution import Caution
from ..errors import DeepspineError
from .cautions import doubted
from .discs import Labeling, Rating

CONVINCING_FIT = 10.0
"""From here on nobody asks whether the image is upside down: no turned spine reaches it."""
CONVINCING_SCORE = 150.0
"""Nor from here on: it takes so many discs, 15 or more, that no turned spine shows as many that fit. The best of 723
turned images reached 135."""
DOUBTFUL_FIT = 6.5
"""Below this it need not be a spine."""
LEAST_SCORE = 20.0
"""A doubtful labeling of less than this in total, two good discs, is no finding."""
THICK_MM = 3.0
"""Coarser than this in the sagittal plane, as across thick axial or coronal slices, a disc of 4 to
10 mm is a matter of one or two voxels."""
TURNED_FIT = 7.5
"""A turned image must fit so well to be taken for the upright one."""
TURNED_DISCS = 5
"""And show so many discs: four thoracic ones look much the same either way up."""
TURNED_ADVANTAGE = 1.25
"""It must also have this many times the merit of the image as the header presents it."""
RIVAL_FIT = 7.0
"""A turned image must fit so well to make the discs doubtful."""
RIVAL_SHARE = 0.95
"""It must also have this share of the image's merit, which is below 0.8 for upright spines and above
1.1 for reversed ones."""

Axes = tuple[int, ...]

TURNS: dict[Axes, str] = {
    (1,): "superior and inferior",
    (2,): "anterior and posterior",
    (1, 2): "superior and inferior, and also anterior and posterior,",
}
"""Axes of a (L, I, P) image that a wrong header may reverse. Left and right are not among them: a
mid-sagittal image does not show which is which, and the discs lie in the same voxels either way."""


def judge(
    labeling: Labeling,
    look_turned: Callable[[Collection[Axes]], list[Rating]],
    named: Collection[int] = (),
) -> Labeling:
    """Lower the confidence in what fits a spine badly, and refuse what is no upright spine.

    Parameters
    ----------
    labeling : Labeling
        Of the image as its header presents it.
    look_turned : callable
        Rates the image turned over along some of its axes (1: superior-inferior, 2:
        anterior-posterior), for each of several choices of them, one of which is none.
    named : collection of int
        Discs that the user has named. Who names a disc knows that it is a spine, which way up it
        is, and at which level: nothing is turned over or doubted, and only where next to nothing
        fits is there a warning.

    Returns
    -------
    Labeling
        The same where it fits; else with at most half of each confidence and a warning; without a
        disc where next to nothing fits.

    Raises
    ------
    DeepspineError
        When the header contradicts the anatomy: the turned image fits better by far.
    """
    if not labeling.discs or labeling.fit >= CONVINCING_FIT:
        return labeling
    beyond_doubt = named or labeling.score >= CONVINCING_SCORE
    rivalled = not beyond_doubt and _is_rivalled(labeling, look_turned)
    if labeling.fit >= DOUBTFUL_FIT or (named and labeling.score >= LEAST_SCORE):
        if not rivalled:
            return labeling
        return doubted(
            labeling,
            0.5,
            Caution(
                "upside_down",
                "the image may be upside down or back to front: after turning it over, it looks as much like"
                " a spine as before; check every disc by eye",
            ),
        )
    if not named and labeling.score < LEAST_SCORE:
        return Labeling(
            warnings=[
                Caution(
                    "no_disc",
                    "no disc found: nothing in the image looks like a spine; if it shows one, name a"
                    " disc with -initlabel or -initz",
                )
            ]
        )
    return doubted(
        labeling,
        1.0 if named else 0.5 * max(labeling.fit, 0) / DOUBTFUL_FIT,
        Caution(
            "poor_fit",
            "what was found fits a spine badly, as in an image of something else, of poor quality or"
            " with a wrong orientation in its header; check every disc by eye",
        ),
    )


def _is_rivalled(labeling: Labeling, look_turned: Callable[[Collection[Axes]], list[Rating]]) -> bool:
    """Whether a turned image is about as much like a spine as the image; refuses where it is so by far.

    A turned image is rated by one slab. Discs of several slabs fit less well than those of one, which lie in a plane.
    So that slab is rated as it is, too, and the image has the better one of both merits.
    """
    as_it_is, *ratings = look_turned([(), *TURNS])
    own = max(_merit(labeling), _merit(as_it_is))
    turned = dict(zip(TURNS, ratings, strict=True))
    merits = {axes: _merit(of) for axes, of in turned.items() if of.fit >= RIVAL_FIT}
    fitting = [a for a in merits if turned[a].fit >= TURNED_FIT and turned[a].n_discs >= TURNED_DISCS]
    best = max(fitting, key=merits.__getitem__, default=None)
    if best is not None and merits[best] > TURNED_ADVANTAGE * own:
        raise DeepspineError(
            f"the header contradicts the anatomy: {TURNS[best]} seem to be swapped; correct the"
            " orientation in the header, or name a disc with -initlabel if it is right"
        )
    return max(merits.values(), default=0.0) > RIVAL_SHARE * own


def _merit(labeling: Labeling | Rating) -> float:
    """Many discs that fit well: neither a few good ones alone nor a crowd of poor ones."""
    return labeling.score * labeling.fit


def judge_sampling(labeling: Labeling, pixel_mm: float) -> Labeling:
    """Halve the confidence in what thick axial or coronal slices show from the side.

    Parameters
    ----------
    labeling : Labeling
        Of the image.
    pixel_mm : float
        Longer side of its voxels in the sagittal plane.

    Returns
    -------
    Labeling
        The same up to `THICK_MM`; else with half of each confidence and a warning.
    """
    if not labeling.discs or pixel_mm <= THICK_MM:
        return labeling
    return doubted(
        labeling,
        0.5,
        Caution(
            "thick_slices",
            f"voxels of {pixel_mm:.1f} mm in the sagittal plane, as in thick axial or coronal slices,"
            " hardly show discs; check every disc by eye, or use a sagittal scan",
        ),
    )
