"""Find and name the intervertebral discs of spinal MRI.

From Python::

    from deepspine_sct import label

    for disc in label("t2.nii.gz", "t2").discs:
        print(disc.value, disc.name, disc.xyz_mm, disc.confidence)
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from deepspine_sct.api import label
    from deepspine_sct.caution import Caution
    from deepspine_sct.errors import DeepspineError, NoDiscFound
    from deepspine_sct.image.grid import Grid
    from deepspine_sct.image.nifti import read_volume, write_discs
    from deepspine_sct.image.volume import Volume
    from deepspine_sct.labeling.discs import Disc
    from deepspine_sct.labeling.predictor import Predictor
    from deepspine_sct.scan.label_scan import Labelled
    from deepspine_sct.scan.report import Report

__all__ = [
    "Caution",
    "DeepspineError",
    "Disc",
    "Grid",
    "Labelled",
    "NoDiscFound",
    "Predictor",
    "Report",
    "Volume",
    "label",
    "read_volume",
    "write_discs",
]

_HOMES = {
    "Caution": "caution",
    "DeepspineError": "errors",
    "Disc": "labeling.discs",
    "Grid": "image.grid",
    "Labelled": "scan.label_scan",
    "NoDiscFound": "errors",
    "Predictor": "labeling.predictor",
    "Report": "scan.report",
    "Volume": "image.volume",
    "label": "api",
    "read_volume": "image.nifti",
    "write_discs": "image.nifti",
}


def __getattr__(name: str) -> object:
    """Import what is asked for only when it is: the commands' help must not wait for it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
