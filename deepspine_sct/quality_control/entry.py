"""What the page knows of one scan: a small JSON file, written by whoever labels the scan.

The page of a cohort holds the entries of all its scans, so an entry is kept below 3 kB.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..anatomy import DISC_NAMES
from ..caution import Caution
from ..files.tables import read_json
from .identity import Identity
from .outcomes import DAMAGED, NOT_DONE, OUTCOMES
from .plane import Plane
from .slice_pictures import Picture


@dataclass(frozen=True)
class Entry:
    """A scan on the page.

    Attributes
    ----------
    key : name of the entry's file and of its folder of pictures
    dataset, subject, session, contrast : as in `Identity`
    image : the file, as an absolute path
    outcome : one of `OUTCOMES`, with its reason
    discs : for each disc its value, world RAS+ position [mm] and confidence
    level_confidence : of the names as a whole; None where the scan is not labelled
    warnings : what should be known before the labels are trusted
    plane : `Plane.to_json`; None where there is no picture
    pictures : file name and box of each picture, by its kind, and the caption of a layer
    made : date, command, model (SHA-256) and version of the program
    """

    key: str
    dataset: str = ""
    subject: str = ""
    session: str = ""
    contrast: str = ""
    image: str = ""
    outcome: str = NOT_DONE
    reason: str = ""
    discs: tuple[tuple[int, tuple[float, float, float], float], ...] = ()
    level_confidence: float | None = None
    warnings: tuple[Caution, ...] = ()
    plane: dict | None = None
    pictures: dict[str, dict] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> str:
        """Write the entry in one line."""
        content = asdict(self) | {"warnings": [caution.to_dict() for caution in self.warnings]}
        return json.dumps(content, allow_nan=False, separators=(",", ":"))

    @property
    def points(self) -> dict[int, tuple[float, float, float]]:
        """World RAS+ position [mm] of each disc value."""
        return {value: xyz_mm for value, xyz_mm, _ in self.discs}


def make_entry(
    identity: Identity,
    image: Path,
    outcome: str,
    reason: str = "",
    report: Mapping | None = None,
    plane: Plane | None = None,
    pictures: Mapping[str, Picture] | None = None,
    made: Mapping[str, str] | None = None,
) -> Entry:
    """Gather an entry from its pieces.

    Parameters
    ----------
    identity : Identity
        Which scan it is.
    image : Path
        The file.
    outcome, reason : str
        What became of it.
    report : mapping, optional
        What `sct_deepspine_label -json` writes, of a labelled scan.
    plane, pictures : optional
        From `plane_through` and `draw_pictures`.
    made : mapping of str to str, optional
        What made it, and when.
    """
    report = report or {}
    return Entry(
        key=identity.key,
        dataset=identity.dataset,
        subject=identity.subject,
        session=identity.session,
        contrast=identity.contrast,
        image=str(Path(image).absolute()),
        outcome=outcome,
        reason=reason,
        discs=tuple(_disc(disc) for disc in report.get("discs", ())),
        level_confidence=report.get("level_confidence"),
        warnings=tuple(map(_caution, report.get("warnings", ()))),
        plane=plane.to_json() if plane else None,
        pictures={kind: _picture(picture) for kind, picture in (pictures or {}).items()},
        made=dict(made or {}),
    )


def read_entry(path: Path) -> Entry:
    """Read an entry as the script of the page takes it: every value of the type that it counts on.

    Returns
    -------
    Entry
        One with the outcome `DAMAGED` and the reason where the file cannot be read as an entry.
    """
    try:
        return _checked(path.stem, read_json(path))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        return Entry(path.stem, image=path.name, outcome=DAMAGED, reason=f"{path.name} cannot be read; remove it")


def read_report(path: Path) -> dict[str, Any]:
    """Read the report of a labelled scan, as `sct_deepspine_label -json` writes it.

    Raises
    ------
    OSError
        When it cannot be read.
    ValueError
        When it is no JSON, or lacks what the page and the tables show of a scan.
    """
    report = read_json(path)
    try:
        for disc in report["discs"]:
            _disc(disc)
        for warning in report["warnings"]:
            _caution(warning)
        _number(report["level_confidence"])
        _ = report["model"]["sha256"], report["versions"]["deepspine_sct"]
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError("is no report of a scan") from error
    return report


def _checked(key: str, content: Mapping) -> Entry:
    words = {name: str(content[name]) for name in ("dataset", "subject", "session", "contrast", "image", "reason")}
    if content["outcome"] not in OUTCOMES:
        raise ValueError("unknown outcome")
    level_confidence = content["level_confidence"]
    return Entry(
        key=key,
        **words,
        outcome=content["outcome"],
        discs=tuple(
            _disc({"value": value, "world_mm": xyz_mm, "confidence": sure}) for value, xyz_mm, sure in content["discs"]
        ),
        level_confidence=None if level_confidence is None else _number(level_confidence),
        warnings=tuple(map(_caution, content["warnings"])),
        plane=_checked_plane(content["plane"]),
        pictures={
            str(kind): {
                "file": Path(str(picture["file"])).name,  # beside the entry, wherever an edited one points
                "box": [_number(x) for x in picture["box"]],
                "caption": str(picture["caption"]),
            }
            for kind, picture in content["pictures"].items()
        },
        made={str(name): str(text) for name, text in content["made"].items()},
    )


def _checked_plane(plane: Mapping | None) -> dict | None:
    if plane is None:
        return None
    return {
        "shape": [int(n) for n in plane["shape"]],
        "affine": [_numbers(row, 4) for row in plane["affine"]],
        "pixel_mm": _numbers(plane["pixel_mm"], 2),
        "curve": [_numbers(knot, 2) for knot in plane["curve"]],
    }


def _disc(disc: Mapping) -> tuple[int, tuple[float, float, float], float]:
    value = int(disc["value"])
    if value not in DISC_NAMES:
        raise ValueError("no disc value")
    x_mm, y_mm, z_mm = _numbers(disc["world_mm"], 3)
    return value, (x_mm, y_mm, z_mm), _number(disc["confidence"])


def _picture(picture: Picture) -> dict:
    return {
        "file": picture.name,
        "box": [round(float(x), 4) for x in picture.box],
        "caption": picture.caption,
    }


def _caution(warning: Mapping) -> Caution:
    return Caution(str(warning["code"]), str(warning["text"]))


def _numbers(values: Sequence, n: int) -> list[float]:
    numbers = [_number(value) for value in values]
    if len(numbers) != n:
        raise ValueError(f"expected {n} numbers")
    return numbers


def _number(value: float | str) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number
