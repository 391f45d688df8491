"""What a data set leaves out of itself: the patterns of its `.bidsignore`, which are those of a `.gitignore`."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

NAME = ".bidsignore"
"""The file at the root of a data set. Those of other data sets within it, such as results, say nothing of it."""

_LOG = logging.getLogger(__name__)
_TOKENS = re.compile(r"(?<![^/])\*\*/|/\*\*$|\*+|\[[!^]?\]?[^\]]*\]|\\.|.", re.DOTALL)
_BY_DEFAULT = ("T1w", "T2w")  # suffixes that are looked for if nobody asks for another one


@dataclass(frozen=True)
class Rule:
    """A line of the file.

    Attributes
    ----------
    line : as it is written
    pattern : what it matches whole: a path below the data set, that of a folder with a slash at its end
    takes_back : whether what it matches is part of the data set after all
    """

    line: str
    pattern: re.Pattern[str]
    takes_back: bool = False


class BidsIgnore:
    """What `.bidsignore` leaves out of a data set.

    Parameters
    ----------
    rules : iterable of Rule
        In the order of the file.
    """

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._rules = tuple(rules)
        self._of_suffix: dict[str, tuple[Rule, ...]] = {}

    @classmethod
    def read(cls, root: Path) -> BidsIgnore:
        """Read the file of a data set, if it has one. One that cannot be read leaves out nothing, with a warning."""
        path = root / NAME
        if not os.path.lexists(path):
            return cls()
        try:
            text = path.read_text(encoding="utf-8-sig", errors="surrogateescape")
        except OSError as error:
            _LOG.warning("%s: cannot be read (%s), so it leaves out no image; check the link", path, error.strerror)
            return cls()
        return cls(_rules_of(path, text.split("\n")))

    def reason(self, place: str, suffix: str = "") -> str:
        """Say why a file or a folder is no part of the data set; "" where it is.

        A suffix that BIDS does not know, such as STIR, can only be in a data set if a line leaves out every image that
        has it. Who asks for another suffix than T1w and T2w wants these images: lines that leave out a suffix as such
        do not count for them.

        Parameters
        ----------
        place : str
            Its path below the data set; a folder has a slash at its end.
        suffix : str
            Of an image, its BIDS suffix.
        """
        if not self._rules:
            return ""
        if suffix not in self._of_suffix:
            self._of_suffix[suffix] = tuple(rule for rule in self._rules if not _is_about(rule, suffix))
        rule = _decisive(self._of_suffix[suffix], place)
        if rule is None:
            return ""
        return f"is left out of the data set by the line {rule.line!r} of {NAME}; change that line to label it"


def _decisive(rules: tuple[Rule, ...], place: str) -> Rule | None:
    """Find the rule that leaves out a place: the last one that matches it, or a folder above it, which takes all."""
    for part in (*_folders_above(place), place):
        last = next((rule for rule in reversed(rules) if rule.pattern.fullmatch(part)), None)
        if last and not last.takes_back:
            return last
    return None


def _folders_above(place: str) -> Iterator[str]:
    return (place[: match.end()] for match in re.finditer("/", place[:-1]))


def _is_about(rule: Rule, suffix: str) -> bool:
    """Tell whether a rule is about a suffix as such, and not about some images that have it."""
    if rule.takes_back or not suffix or suffix in _BY_DEFAULT:
        return False
    names = ("sub-x/anat/sub-x_{}", "sub-x/ses-x/anat/sub-x_ses-x_{}")
    plain = [f"{name}{end}" for name in names for end in (".nii.gz", ".nii")]
    return any(_decisive((rule,), name.format(suffix)) and not _decisive((rule,), name.format("T2w")) for name in plain)


def _rules_of(path: Path, lines: Iterable[str]) -> Iterator[Rule]:
    for line in lines:
        written = re.sub(r"(?<!\\)\s+$", "", line)
        glob = written.removeprefix("!")
        if glob.strip("/") and not written.startswith("#"):
            try:
                yield Rule(written, re.compile(_translated(glob), re.DOTALL), written.startswith("!"))
            except re.error:
                _LOG.warning("%s: the line %r cannot be understood, so it leaves out no image", path, written)


def _translated(glob: str) -> str:
    """Write a pattern of a `.gitignore` as a regular expression of whole paths."""
    is_anchored, only_folders = "/" in glob[:-1], glob.endswith("/")
    inner = glob.removeprefix("/").removesuffix("/")
    body = ".+" if inner == "**" else "".join(map(_token, _TOKENS.findall(inner)))
    return ("" if is_anchored else "(?:.*/)?") + body + ("/" if only_folders else "/?")


def _token(token: str) -> str:
    if token == "**/":
        return "(?:[^/]+/)*"
    if token == "/**":
        return "/.+"
    if token == "?":
        return "[^/]"
    if token.startswith("[") and len(token) > 1:
        inside = token[1:-1]
        is_negated = inside.startswith(("!", "^"))
        inside = "".join(character if character == "-" else re.escape(character) for character in inside[is_negated:])
        return f"(?!/)[{'^' * is_negated}{inside}]"
    if token.startswith("*"):
        return "[^/]*"
    return re.escape(token[-1])
