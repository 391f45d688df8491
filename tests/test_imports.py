"""Rooms import in one direction only: the design, checked on the source of every module."""

import ast
from pathlib import Path

import pytest

PACKAGE = "deepspine_sct"
ROOT = Path(__file__).resolve().parent.parent / PACKAGE

_GROUND = {"errors", "anatomy", "files", "caution", "stopwatch", "parallel", "wording"}
_IMAGES = _GROUND | {"image"}
_CORE = _IMAGES | {"model", "labeling"}
_SCAN = _CORE | {"landmarks", "pictures", "sct", "quality_control"}

ALLOWED_ROOMS = {
    "errors": set(),
    "anatomy": {"errors"},
    "caution": set(),
    "stopwatch": set(),
    "parallel": set(),
    "wording": set(),
    "files": {"errors"},
    "image": _GROUND,
    "data": _IMAGES,
    "model": _IMAGES,
    "labeling": _IMAGES | {"model.output"},
    "labeling.observer": _IMAGES | {"model"},  # the network, with what it is shown
    "labeling.predictor": _IMAGES | {"model"},  # the one place where the network meets the ordering
    "pictures": _CORE,
    "sct": _IMAGES,
    "landmarks": _CORE,
    "quality_control": _CORE | {"landmarks", "pictures"},
    "scan": _SCAN,
    "cohort": _SCAN | {"scan", "data"},
    "simulation": _IMAGES | {"data"},
    "training": _CORE | {"data", "simulation"},
    "sources": _CORE | {"data", "simulation.lumbar", "training"},
    "evaluation": _CORE | {"pictures", "data"},
    "cli": _SCAN | {"scan", "data", "cohort", "simulation", "training", "evaluation"},
    "api": _SCAN | {"scan"},
    "pipelines": set(),
    "__main__": {"cli"},
}
"""What each room or module may import from the package besides itself and the version. A module's own
row goes before its room's. A name with a dot allows that module alone.

The way of a scan: errors, anatomy < files < image < model < labeling < landmarks, pictures, sct < quality_control <
scan < cohort < cli. Research stands beside it: data < simulation < training, evaluation < cli. So a scan is labelled
without the rooms that train and score."""

ALLOWED_LIBRARIES = {
    "torch": {"model", "training"},
    "nibabel": {"image.nifti"},
    "onnxruntime": {"model.onnx_runtime", "model.quantization"},
    "onnx": {"model.export", "model.quantization"},
    "matplotlib": {"pictures"},
    "PIL": {"quality_control.slice_pictures", "evaluation.training_diary"},
    "jinja2": {"quality_control.render", "evaluation.study_page"},
    "bids_validator": {"data.discovery"},
    "distributed": {"cohort.cluster"},
    "nipype": {"pipelines.nipype"},
    "SimpleITK": {"sources.spider"},
}
"""Where a library that is slow to load, or that holds a convention of its own, may be imported."""

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
    if path != ROOT / "__init__.py"
}


def imported_names(module: str, source: str, is_package: bool = False) -> set[str]:
    """Absolute names that a module imports anywhere in it, in functions as well.

    ``from a import b`` counts as ``a.b``, since b may be a module.
    """
    here = [PACKAGE, *module.split(".")]
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = here[: len(here) - node.level + is_package] if node.level else []
            base = [*parents, *filter(None, [node.module])]
            names.update(".".join([*base, alias.name]) for alias in node.names)
    return names


def is_within(name: str, place: str) -> bool:
    """Tell whether a dotted name is a place or lies in it."""
    return name == place or name.startswith(f"{place}.")


def forbidden_imports(module: str, source: str, is_package: bool = False) -> list[str]:
    """List the imports of a module that the two tables do not allow."""
    room = module.split(".")[0]
    allowed = ALLOWED_ROOMS[module if module in ALLOWED_ROOMS else room] | {room, "__version__"}
    forbidden = []
    for name in sorted(imported_names(module, source, is_package)):
        inside = name.removeprefix(f"{PACKAGE}.")
        if is_within(name, PACKAGE):
            if not any(is_within(inside, place) for place in allowed):
                forbidden.append(name)
        else:
            places = ALLOWED_LIBRARIES.get(name.split(".")[0])
            if places is not None and not any(is_within(module, place) for place in places):
                forbidden.append(name)
    return forbidden


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_room_may(module):
    """No edge against the order of the rooms, and no heavy library outside of its rooms."""
    path = MODULES[module]
    found = forbidden_imports(module, path.read_text(), is_package=path.name == "__init__.py")
    assert not found, f"{PACKAGE}.{module} must not import {', '.join(found)}"


def test_every_room_stands_in_the_table():
    """A new room has to be given its place in the order."""
    assert {module.split(".")[0] for module in MODULES} <= set(ALLOWED_ROOMS)


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("image.grid", "from deepspine_sct.model.output import Prediction", 1),
        ("image.grid", "from deepspine_sct import labeling", 1),
        ("image.grid", "import deepspine_sct.cli.label as label", 1),
        ("image.grid", "from ..model import output", 1),
        ("image.grid", "from .. import sct", 1),
        ("image.grid", "def f():\n    from deepspine_sct.cohort import runner", 1),
        ("image.grid", "import torch", 1),
        ("image.grid", "from nibabel import load", 1),
        ("image.grid", "from .volume import Volume\nfrom ..errors import DeepspineError", 0),
        ("image.nifti", "import nibabel as nib\nfrom .. import anatomy", 0),
        ("labeling.heatmap", "from ..model.output import Prediction", 0),
        ("labeling.heatmap", "from ..model.checkpoint import load_checkpoint", 1),
        ("labeling.predictor", "from deepspine_sct.model.checkpoint import load_checkpoint", 0),
        ("labeling.predictor", "import torch.nn.functional as F", 1),
        ("training.trainer", "from deepspine_sct.evaluation.metrics import score_case", 1),
        ("quality_control.render", "from deepspine_sct.cli.result_table import disc_table", 1),
        ("cli.label", "from deepspine_sct import __version__\nimport deepspine_sct.quality_control.sct_report", 0),
    ],
)
def test_the_check_itself_sees_every_kind_of_import(module, source, found):
    """Absolute, relative, renamed and late imports: each forbidden one counts, no other does."""
    assert len(forbidden_imports(module, source)) == found


def test_relative_imports_of_a_package_are_resolved_from_itself():
    """In a package's own __init__ one dot is the package, in a module it is the folder around."""
    assert imported_names("image", "from .grid import Grid", is_package=True) == {"deepspine_sct.image.grid.Grid"}
    assert imported_names("image.nifti", "from .grid import Grid") == {"deepspine_sct.image.grid.Grid"}
