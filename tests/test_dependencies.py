"""What the package depends on: bounds that were tested, licences that are known, and what a bare installation is."""

import re
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = sorted((ROOT / "tests" / "constraints").glob("*.txt"))


def declared() -> list[Requirement]:
    """Read every requirement of the installed package and of its extras, but for its own extras in one another."""
    all_of_them = [Requirement(text) for text in requires("deepspine_sct")]
    return [one for one in all_of_them if one.name.replace("-", "_") != "deepspine_sct"]


def pins(path: Path) -> dict[str, Requirement]:
    """Read a file of constraints, by package."""
    lines = path.read_text().splitlines()
    return {pin.name: pin for pin in map(Requirement, (line for line in lines if not line.startswith("#")))}


def test_every_lower_bound_is_one_that_was_tested():
    """The versions in ``lowest.txt`` are the lower bounds of the package, no more and no fewer."""
    lowest = pins(ROOT / "tests" / "constraints" / "lowest.txt")
    bounds = {(of.name, one.version) for of in declared() for one in of.specifier if one.operator == ">="}
    assert set(lowest) == {name for name, _ in bounds}
    for name, bound in bounds:
        assert lowest[name].specifier.contains(bound), f"{name}: {bound} allowed, {lowest[name]} tested"


@pytest.mark.parametrize("path", CONSTRAINTS, ids=lambda path: path.stem)
def test_the_environments_that_are_tested_are_allowed(path):
    """Every version of a file of constraints lies in the range of the package."""
    allowed = {one.name: one.specifier for one in declared()}
    for name, pin in pins(path).items():
        (version,) = (one.version.removesuffix(".*") for one in pin.specifier)
        assert allowed[name].contains(version), pin


def test_labelling_needs_neither_torch_nor_a_cluster():
    """What is large or rarely needed comes with an extra."""
    always = {one.name for one in declared() if one.marker is None}
    assert not always & {"torch", "safetensors", "onnx", "distributed", "pytest", "ruff", "mypy"}
    assert {"numpy", "onnxruntime", "matplotlib"} <= always


def test_every_dependency_has_a_known_licence():
    """``docs/dependencies.md`` lists all that is declared, but for what builds the pages, and no licence is missing."""
    table = (ROOT / "docs" / "dependencies.md").read_text()
    rows = re.findall(r"^\| [^|]+ \| ([^|]+) \| [^|]+ \| ([^|]+) \|", table, re.MULTILINE)
    licences = dict(rows)
    listed = {one.name for one in declared() if 'extra == "docs"' not in str(one.marker)}
    assert listed <= set(licences)
    assert "not declared" not in licences.values()
