"""Writes docs/dependencies.md from what is installed: `make dependencies`.

Goes from the package through everything that it needs, and everything that those need. The text is
taken from the metadata that each distribution brings along; nothing is looked up elsewhere.
"""

import re
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

PACKAGE = "deepspine_sct"
EXTRAS = {
    "": "always",
    "train": "training and checkpoints",
    "export": "exporting a network",
    "cluster": "cohorts on a cluster",
    "sources": "reading SPIDER's archive",
    "lint": "checking the code",
    "test": "the tests",
    "docs": "building the documentation",
}
"""Extras of the package, and what each is for; what is needed for several counts for the first."""

HEADER = """\
# Dependencies and their licences

What `pip install` brings along, with the versions that the tests ran with and the licences that the
distributions themselves declare. Written by `make dependencies`; do not edit.

| needed for | package | version | licence | wanted by |
|---|---|---|---|---|
"""


def licence(found: Distribution) -> str:
    """Name the licence of a distribution: its expression, its classifiers, or its own words."""
    metadata = found.metadata
    if metadata.get("License-Expression"):
        return metadata["License-Expression"]
    classifiers = [line.split(" :: ")[-1] for line in metadata.get_all("Classifier", []) if "License ::" in line]
    if classifiers:
        return ", ".join(classifiers)
    lines = (metadata.get("License") or "").strip().splitlines()
    return lines[0][:60] if lines else "not declared"


def requirements(found: Distribution, extra: str) -> list[str]:
    """Names of what a distribution needs here, for an extra of it, other than more extras of its own."""
    wanted = [Requirement(text) for text in found.requires or []]
    names = [_normal(one.name) for one in wanted if one.marker is None or one.marker.evaluate({"extra": extra})]
    return [name for name in names if name != _normal(found.metadata["Name"])]


def _normal(name: str) -> str:
    """Spell the name of a distribution as all tools compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def collect() -> dict[str, tuple[str, Distribution, set[str]]]:
    """Find every dependency: what it is needed for, its distribution, and who wants it."""
    known: dict[str, tuple[str, Distribution, set[str]]] = {}
    root = distribution(PACKAGE)
    direct = {name for name in requirements(root, "")}
    for extra, purpose in EXTRAS.items():
        names = [name for name in requirements(root, extra) if not extra or name not in direct]
        queue = [(name, PACKAGE) for name in names]
        while queue:
            name, parent = queue.pop(0)
            if name in known:
                known[name][2].add(parent)
                continue
            try:
                found = distribution(name)
            except PackageNotFoundError:
                print(f"{name}, wanted by {parent} for {purpose}: not installed", file=sys.stderr)
                continue
            known[name] = (purpose, found, {parent})
            queue += [(of, name) for of in requirements(found, "")]
    return known


def main() -> None:
    """Write the table beside this file."""
    order = list(EXTRAS.values())
    rows = sorted(collect().items(), key=lambda item: (order.index(item[1][0]), item[0]))
    lines = [
        f"| {purpose} | {name} | {found.version} | {licence(found)} | {', '.join(sorted(parents))} |"
        for name, (purpose, found, parents) in rows
    ]
    Path(__file__).with_suffix(".md").write_text(HEADER + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
