"""A BIDS data set into a prepared set: check every label, cut the slabs, say what was left out."""

import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from deepspine_sct import __version__
from deepspine_sct.anatomy import Points
from deepspine_sct.data.bids import Scan
from deepspine_sct.data.labelled_image import LabelledImage
from deepspine_sct.data.prepared_set import (
    INDEX,
    SLABS,
    PreparedSet,
    read_set,
    read_slabs,
    slabs_file,
    write_index,
    write_slabs,
)
from deepspine_sct.data.split import split_subjects
from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.extent import check_extent
from deepspine_sct.image.grid import CANONICAL
from deepspine_sct.image.labels import check_distances, check_inside, check_order, read_labels
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.image.slab import SlabSpec, extract_slabs
from deepspine_sct.image.volume import Volume

FEWEST_DISCS = 2  # one disc has no neighbour to tell the level around it

Straighten = Callable[[Scan, Points], tuple[Volume, Points]]


def prepare(
    scans: Iterable[Scan],
    folder: Path,
    spec: SlabSpec | None = None,
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1),
    by_site: bool = False,
    seed: int = 0,
    straighten: Straighten | None = None,
) -> PreparedSet:
    """Write a prepared set.

    Parameters
    ----------
    scans : images to take; what cannot be used is left out with a reason in ``set.json``
    folder : of the set; made when missing
    spec : how the slabs are cut
    shares, by_site, seed : see `split_subjects`
    straighten : makes a straight image, and the same discs in it, from a scan and its discs

    Raises
    ------
    DeepspineError
        Where no image can be used.
    """
    spec = spec or SlabSpec()
    (folder / SLABS).mkdir(parents=True, exist_ok=True)
    usable: list[tuple[Scan, Points, Path]] = []
    dropped = []
    for scan in scans:
        try:
            volume, points = load_labelled(scan, straighten)
        except DeepspineError as error:
            reason = str(error).removeprefix(f"{scan.image}: ")
            dropped.append({"image": scan.path, "reason": reason})
            continue
        if not usable:  # from here on an older set in this folder is none
            (folder / INDEX).unlink(missing_ok=True)
        path = folder / slabs_file(scan.stem)
        write_slabs(path, extract_slabs(canonical(volume), spec.step_mm, spec.thickness_mm, spec.spacing_mm))
        usable.append((scan, points, path))
    if not usable:
        reason = dropped[0]["reason"] if dropped else "there is none"
        raise DeepspineError(f"{folder}: no image can be used; the reason for the first one is: {reason}")
    part = split_subjects({scan.subject: scan.site for scan, _, _ in usable}, shares, by_site, seed)
    cases = [
        LabelledImage(
            scan.stem, points, partial(read_slabs, path), scan.subject, scan.session, scan.site, scan.contrast,
            part[scan.subject], scan.path, has_slabs=True,
        )
        for scan, points, path in usable
    ]  # fmt: skip
    description = {
        "data_set": _way_to(usable[0][0], folder),
        "made_by": {"deepspine_sct": __version__},
        "spacing_mm": spec.spacing_mm,
        "step_mm": spec.step_mm,
        "thickness_mm": spec.thickness_mm,
        "straightened": straighten is not None,
        "split": {"shares": list(shares), "by": "site" if by_site else "subject", "seed": seed},
    }
    write_index(folder, description, cases, dropped)
    return read_set(folder)


def _way_to(scan: Scan, folder: Path) -> str:
    """Return the relative path from the set to the data set of a scan: both may move together."""
    root = scan.image.parents[len(Path(scan.folder).parts)]
    return Path(os.path.relpath(root.resolve(), folder.resolve())).as_posix()


def load_labelled(scan: Scan, straighten: Straighten | None = None) -> tuple[Volume, Points]:
    """Read an image and its discs, or say why they cannot be used.

    Raises
    ------
    DeepspineError
        Where a file is missing or unreadable (a git-annex pointer says ``git annex get``), or the
        labels contradict the image or themselves; see `check_labels`.
    """
    if scan.label is None:
        raise DeepspineError(f"{scan.image}: has no disc labels; see -label-suffix and -label-folder")
    points = read_labels(scan.label)
    volume = read_volume(scan.image)
    check_labels(scan.label, points, volume)
    try:
        check_extent(volume.grid.reoriented(CANONICAL))
    except DeepspineError as error:
        raise DeepspineError(f"{scan.image}: {error}") from error
    if straighten:
        volume, moved = straighten(scan, points)
        check_labels(scan.label, moved, volume)
        return volume, moved
    return volume, points


def check_labels(path: Path, points: Points, volume: Volume) -> None:
    """Refuse discs that are too few, outside of the image, out of order, as no spine has them or with a gap between.

    A gap is refused because training takes every place between the first and the last disc that has
    no label for a place without a disc.

    Raises
    ------
    DeepspineError
        Naming ``path`` and the first disc that is wrong.
    """
    values = sorted(points)
    if len(values) < FEWEST_DISCS:
        raise DeepspineError(f"{path}: holds only {len(values)} disc; at least {FEWEST_DISCS} are needed")
    check_inside(path, points, volume.grid)
    check_order(path, points)
    check_distances(path, points)
    for upper, lower in zip(values, values[1:], strict=False):
        if lower != upper + 1:
            raise DeepspineError(f"{path}: disc {upper + 1} is missing between {upper} and {lower}; mark it")
