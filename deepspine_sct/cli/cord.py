"""What -s and -straighten add to a run: the labeled cord, and the detour through a straight image."""

from __future__ import annotations

import shutil
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from deepspine_sct.errors import DeepspineError
from deepspine_sct.scan.output_paths import Outputs

if TYPE_CHECKING:
    from deepspine_sct.image.grid import Grid
    from deepspine_sct.image.straight import Straight
    from deepspine_sct.image.volume import Volume
    from deepspine_sct.labeling.cord_levels import CordLabels
    from deepspine_sct.labeling.predictor import Result

THROUGH_SCT, BY_OWN_DISCS = 1, 2
"""Values of -straighten besides 0."""


def label_segmentation(args: Namespace, cord: Volume, image: Grid, voxels: Mapping[int, Sequence[int]]) -> CordLabels:
    """Label the cord, before anything is written.

    Parameters
    ----------
    args : Namespace
        With `s`, the segmentation's name.
    cord : Volume
        The segmentation.
    image : Grid
        Grid of the image.
    voxels : mapping of int to (3,) sequence of int
        Voxel of the image that each disc is written to: SCT works from the same.

    Raises
    ------
    DeepspineError
        When the segmentation lies beside the discs.
    """
    from deepspine_sct.labeling.cord_levels import label_cord

    try:
        return label_cord(cord, {v: image.to_world(ijk) for v, ijk in voxels.items()})
    except DeepspineError as error:
        raise DeepspineError(f"{args.s}: {error}") from error


def write_cord(args: Namespace, outputs: Outputs, labels: CordLabels) -> list[str]:
    """Write the labeled cord and the discs on its middle line; return the warnings on them."""
    from deepspine_sct.image.nifti import write_volume

    write_volume(outputs.levels, labels.levels, like=args.s)
    write_volume(outputs.cord_discs, labels.discs, like=args.s)
    return labels.warnings


def make_straight(
    args: Namespace,
    outputs: Outputs,
    volume: Volume,
    first: Result | None,
) -> Straight:
    """Straighten the image as -straighten asks.

    Parameters
    ----------
    args : Namespace
        With `straighten`, `i`, `s` and `r`.
    outputs : Outputs
        Where to leave SCT's files.
    volume : Volume
        The image.
    first : Result or None
        Of a first look at it, which `BY_OWN_DISCS` needs.

    Raises
    ------
    DeepspineError
        When SCT is asked for and is not found, or fails.
    """
    import numpy as np

    if args.straighten == BY_OWN_DISCS:
        from deepspine_sct.image.reformation import reform

        return reform(volume, np.array(list(first.labeling.points.values())))
    from deepspine_sct.sct.environment import segment_cord
    from deepspine_sct.sct.straightening import straighten

    folder = outputs.discs.parent.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    image = Path(args.i).resolve()
    with temporary_folder(keep=args.r == 0) as work:
        cord = Path(args.s).resolve() if args.s else work / "cord.nii.gz"
        if not args.s:
            segment_cord(image, cord, work)
        return straighten(image, cord, work, [Path.cwd(), folder])


@contextmanager
def temporary_folder(keep: bool) -> Iterator[Path]:
    """Make a folder for temporary files; remove it at the end, or say on stderr where it stays."""
    folder = Path(tempfile.mkdtemp(prefix="deepspine_"))
    try:
        yield folder
    finally:
        if keep:
            print(f"Temporary files are kept in {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
