"""A prepared set: what training, validation and evaluation need of a data set, in one folder.

The format, which ``set.json`` also explains in its ``about``:

* ``set.json`` holds ``format``, ``version``, how the set was made (``spacing_mm``, ``step_mm``,
  ``thickness_mm``, ``straightened``, ``split``, ``made_by``, and ``data_set``, the way from the set
  to the data set that it was made from), ``cases``, and ``dropped`` (images
  left out, and why).
* A case holds ``name``, ``subject``, ``session``, ``site``, ``contrast``, ``part`` (train, val or
  test), ``image`` (path below the data set), ``slabs`` (path below the set) and ``discs_xyz_mm``,
  the world RAS+ position [mm] of the posterior tip of each disc by its value.
* A slab file is a NumPy archive without pickled objects: ``data`` (N, H, W) float32, sagittal slabs
  from right to left, rows from superior to inferior, columns from anterior to posterior, in the
  scanner's intensities; and ``affine`` (4, 4), from indices to world RAS+ mm.

``set.json`` is written last: a folder without it was not finished.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from deepspine_sct.anatomy import check_values
from deepspine_sct.data.labelled_image import LabelledImage
from deepspine_sct.errors import DeepspineError
from deepspine_sct.files.atomic import atomic_path
from deepspine_sct.files.tables import read_json, write_json
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.labels import check_distances, check_order
from deepspine_sct.image.volume import Volume

FORMAT = "deepspine_sct prepared set"
FORMAT_VERSION = 1
INDEX = "set.json"
SLABS = "slabs"
PARTS = ("train", "val", "test")

_ABOUT = (
    "Sagittal slabs of MRI scans with disc positions. cases[].slabs: NumPy archive, data (N, H, W)"
    " float32 (slabs right to left, rows superior to inferior, columns anterior to posterior) and"
    " affine (4, 4) from indices to world RAS+ mm. cases[].discs_xyz_mm: SCT disc value to"
    " posterior tip, world RAS+ mm. dropped: what was left out, and why."
)


@dataclass(frozen=True, eq=False)
class PreparedSet:
    """A prepared set that was read: its description and its images, in the order of the file.

    The images' `load` gives slabs.
    """

    folder: Path
    description: dict
    cases: list[LabelledImage]

    @property
    def spacing_mm(self) -> float:
        """Size of a pixel."""
        return float(self.description["spacing_mm"])

    @property
    def thickness_mm(self) -> float:
        """Left-right width that a slab is the average of."""
        return float(self.description["thickness_mm"])

    def original(self, case: LabelledImage) -> Path | None:
        """Return the image that a case was cut from: None where it is gone, or was straightened first."""
        data_set = self.description.get("data_set")
        if data_set is None or self.description.get("straightened"):
            return None
        path = self.folder / data_set / case.path
        return path if path.is_file() else None

    def select(self, part: str | None = None, contrasts: tuple[str, ...] | None = None) -> list[LabelledImage]:
        """Return the cases of a part and of some contrasts (None: of all)."""
        return [
            case
            for case in self.cases
            if part in (None, case.part) and (contrasts is None or case.contrast in contrasts)
        ]


def read_slabs(path: Path) -> Volume:
    """Read a slab file: (N, H, W) float32.

    Raises
    ------
    DeepspineError
        Where the file is missing or no slab file.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            data = arrays["data"]
            return Volume(data, Grid(data.shape, arrays["affine"]))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise DeepspineError(f"{path}: not a slab file ({error}); prepare the set again") from error


def write_slabs(path: Path, slabs: Volume) -> None:
    """Write a slab file, whole or not at all; the same slabs give the same bytes."""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, data=slabs.data.astype(np.float32, copy=False), affine=slabs.grid.affine)


def slabs_file(name: str) -> str:
    """Path of an image's slab file below the set."""
    return f"{SLABS}/{name}.npz"


def write_index(folder: Path, description: Mapping, cases: list[LabelledImage], dropped: list[dict]) -> None:
    """Write ``set.json``: the last step, which makes the set readable."""
    index = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "about": _ABOUT,
        **description,
        "cases": [_entry(case) for case in cases],
        "dropped": dropped,
    }
    write_json(folder / INDEX, index)


def read_set(folder: Path) -> PreparedSet:
    """Read the index of a prepared set; the slabs stay on disk until they are asked for.

    Raises
    ------
    DeepspineError
        Where there is no finished set, or one of another format, or the discs of a case lie as no spine does.
    """
    path = folder / INDEX
    try:
        index = read_json(path)
    except FileNotFoundError as error:
        raise DeepspineError(f"{path}: no such file; make the set with sct_deepspine_prepare") from error
    except (OSError, ValueError) as error:
        raise DeepspineError(f"{path}: cannot be read ({error}); prepare the set again") from error
    if not isinstance(index, dict) or (index.get("format"), index.get("version")) != (
        FORMAT,
        FORMAT_VERSION,
    ):
        raise DeepspineError(f"{path}: not a prepared set of format {FORMAT_VERSION}; prepare it again")
    try:
        if not isinstance(index.get("data_set"), str | None):
            raise TypeError("data_set is no path")
        cases = [_case(entry, folder) for entry in index.pop("cases")]
    except (KeyError, TypeError, ValueError, AttributeError, DeepspineError) as error:
        raise DeepspineError(f"{path}: is incomplete or wrong ({error}); prepare the set again") from error
    return PreparedSet(folder, index, cases)


def _entry(case: LabelledImage) -> dict:
    return {
        "name": case.name,
        "subject": case.subject,
        "session": case.session,
        "site": case.site,
        "contrast": case.contrast,
        "part": case.part,
        "image": case.path,
        "slabs": slabs_file(case.name),
        "discs_xyz_mm": {str(value): np.round(xyz_mm, 3).tolist() for value, xyz_mm in sorted(case.points.items())},
    }


def _case(entry: dict, folder: Path) -> LabelledImage:
    points = {int(value): np.array(xyz_mm, float).reshape(3) for value, xyz_mm in entry["discs_xyz_mm"].items()}
    if not check_values(points):
        raise ValueError(f"{entry['name']} has no disc")
    if not np.isfinite(list(points.values())).all():
        raise ValueError(f"{entry['name']} has a disc without a place")
    check_order(entry["name"], points)
    check_distances(entry["name"], points)
    if entry["part"] not in PARTS:
        raise ValueError(f"{entry['name']} is in no part")
    about = {name: entry[name] for name in ("name", "subject", "session", "site", "contrast", "part")}
    load = partial(read_slabs, folder / entry["slabs"])
    return LabelledImage(points=points, load=load, path=entry["image"], has_slabs=True, **about)
