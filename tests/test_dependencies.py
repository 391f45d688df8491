"""What the package depends on: bounds that were tested, and licences that are known."""

import configparser
import re
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent


def declared() -> list[Requirement]:
    """Read every requirement of ``setup.cfg``, of the package and of its extras."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    texts = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    return [Requirement(line) for text in texts for line in text.splitlines() if line.strip()]


def test_every_lower_bound_is_one_that_was_tested():
    """The versions in ``tests/lowest.txt`` are the bounds of ``setup.cfg``, no more and no fewer."""
    lines = (ROOT / "tests" / "lowest.txt").read_text().splitlines()
    pins = {pin.name: pin.specifier for pin in (Requirement(line) for line in lines if not line.startswith("#"))}
    bounds = {(of.name, one.version) for of in declared() for one in of.specifier if one.operator == ">="}
    assert set(pins) == {name for name, _ in bounds}
    for name, bound in bounds:
        assert pins[name].contains(bound), f"{name}: {bound} allowed, {pins[name]} tested"


def test_every_dependency_has_a_known_licence():
    """``docs/dependencies.md`` lists all that is declared, and no licence is missing there."""
    table = (ROOT / "docs" / "dependencies.md").read_text()
    rows = re.findall(r"^\| [^|]+ \| ([^|]+) \| [^|]+ \| ([^|]+) \|", table, re.MULTILINE)
    licences = dict(rows)
    assert {one.name for one in declared()} <= set(licences)
    assert "not declared" not in licences.values()
