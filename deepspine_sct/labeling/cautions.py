"""What a user must be told about the names that the ordering gave, and what else is found wrong with them later."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from ..anatomy import disc_name
from ..caution import Caution
from ..wording import counted
from .confidence import SURE, in_two_digits, least_sure
from .discs import Disc, Labeling
from .level_shifts import shifts_to_say

_ABOUT_NAMES = ("disc_missing", "levels_uncertain", "few_discs")  # codes of `about_names`
FEW = 3  # fewer discs than this are no chain that could be checked against the spacing


def about_names(
    discs: Sequence[Disc], asked: Container[int], shifts: Mapping[int, float] = MappingProxyType({})
) -> list[Caution]:
    """Write sentences about gaps, uncertain names and few discs.

    Parameters
    ----------
    discs : sequence of Disc
        All that were found, values increasing, at least one; also those not asked for.
    asked : container of int
        Disc values that were asked for: no other one is missed.
    shifts : mapping of int to float
        Of `Labeling`: other names that are possible.
    """
    values = [disc.value for disc in discs]
    first, last = disc_name(values[0]), disc_name(values[-1])
    missed = [v for v in range(values[0], values[-1]) if v in asked and v not in values]
    warnings = [
        Caution("disc_missing", f"{disc_name(v)} (disc {v}) was not found between its neighbours") for v in missed
    ]
    if least_sure(discs) < SURE:
        warnings.append(_about_levels(discs, shifts))
    if len(values) < FEW:
        text = f"only 1 disc found ({first}): check its name"
        if len(values) > 1:
            text = f"only {len(values)} discs found ({first} to {last}): check their names"
        warnings.append(Caution("few_discs", text))
    return warnings


def told_anew(labeling: Labeling, n_before: int, asked: Container[int]) -> Labeling:
    """Say of the names again how sure they are, where discs were left out or are less sure than before.

    Parameters
    ----------
    labeling : Labeling
        The discs that are left, with what was said of all.
    n_before : int
        How many discs there were.
    asked : container of int
        Disc values that were asked for.
    """
    level_confidence = least_sure(labeling.discs)
    if not labeling.discs or (len(labeling.discs), level_confidence) == (n_before, labeling.level_confidence):
        return labeling
    anew = about_names(labeling.discs, asked, labeling.shifts)
    others = [warning for warning in labeling.warnings if warning.code not in _ABOUT_NAMES]
    return replace(labeling, level_confidence=level_confidence, warnings=[*anew, *others])


def doubted(labeling: Labeling, share: float, caution: Caution, values: Collection[int] | None = None) -> Labeling:
    """Leave a share of every confidence, or of that in some discs alone, and say why before all other cautions.

    Where the levels are called uncertain, that is said anew, with the confidence that is left.
    """
    of_names = share if values is None else 1.0
    discs = [
        replace(disc, confidence=share * disc.confidence, name_confidence=of_names * disc.name_confidence)
        if values is None or disc.value in values
        else disc
        for disc in labeling.discs
    ]
    others = [
        _about_levels(discs, labeling.shifts) if warning.code == "levels_uncertain" else warning
        for warning in labeling.warnings
    ]
    return replace(labeling, discs=discs, level_confidence=least_sure(discs), warnings=[caution, *others])


def _about_levels(discs: Sequence[Disc], shifts: Mapping[int, float]) -> Caution:
    """Write the sentence about uncertain names of discs, at least one."""
    values = [disc.value for disc in discs]
    text = (
        f"the levels may be shifted (confidence {in_two_digits(least_sure(discs))}): {disc_name(values[0])} to"
        f" {disc_name(values[-1])} is assumed{_others(values, shifts)}; check {_which(discs)} and give it with"
        " -initz or -initlabel"
    )
    return Caution("levels_uncertain", text)


def _which(discs: Sequence[Disc]) -> str:
    """Say which disc is to be checked: any, or one of a part that alone has unsure names."""
    unsure = [disc.name for disc in discs if disc.name_confidence < SURE]
    first, last = unsure[0], unsure[-1]
    if (first, last) == (discs[0].name, discs[-1].name):
        return "one disc"
    return first if first == last else f"one disc from {first} to {last}"


def _others(values: Sequence[int], shifts: Mapping[int, float]) -> str:
    """List the other names that must be said, as a part of a sentence."""
    others = [
        f"{disc_name(values[0] + shift)} to {disc_name(values[-1] + shift)} ({shifts[shift]:.2f})"
        for shift in shifts_to_say(shifts)[1:]
    ]
    return f", but it may be {' or '.join(others)}" if others else ""


def about_given_beside(beside_mm: Mapping[int, float]) -> Caution:
    """Write a sentence about known discs that lie beside the spine: value to distance [mm], at least one."""
    named = ", ".join(f"{value} ({disc_name(value)}, {mm:.0f} mm)" for value, mm in beside_mm.items())
    text = f"discs that were given lie beside the spine that the image shows: {named}"
    return Caution("given_beside_spine", f"{text}; check that they belong to this image")


def about_given_between(values: Sequence[int]) -> Caution:
    """Write a sentence about known discs, at least one, that lie between two discs of the image."""
    named = ", ".join(f"{value} ({disc_name(value)})" for value in values)
    text = f"discs that were given lie between two discs that the image shows: {named}"
    return Caution("given_between_discs", f"{text}; are they labels of vertebral bodies? check them by eye")


def about_slice_between(value: int, slice_index: int, lower: float, upper: float) -> Caution:
    """Write a sentence about the slice of a known disc that lies between discs in slices ``lower`` and ``upper``."""
    text = (
        f"slice {slice_index}, which was given for {disc_name(value)}, lies about half way between two discs that the"
        f" image shows, in slices {round(lower)} and {round(upper)}; check which of them is meant"
    )
    return Caution("given_between_discs", text)


def about_given_count(upper: int, lower: int, n_seen: int) -> Caution:
    """Write a sentence about two known discs of which the image shows the second ``n_seen`` discs below the first."""
    text = (
        f"of the discs that were given, {lower} ({disc_name(lower)}) lies {counted(n_seen, 'disc')} below {upper} "
        f"({disc_name(upper)}) in the image; check their values"
    )
    return Caution("given_out_of_count", text)


def about_what_was_given(seen: Labeling, asked: Labeling, is_range: bool) -> list[Caution]:
    """Write a sentence where the image by itself contradicts what the user gave.

    To overrule the image is what a pin is for, unless the image is sure. A range may have been
    meant to leave out discs and not to rename any.

    Parameters
    ----------
    seen : Labeling
        Of the image by itself.
    asked : Labeling
        With the disc or the range that the user gave.
    is_range : bool
        Whether that is a range.
    """
    if not is_range and seen.level_confidence < SURE:
        return []
    plain = {tuple(disc.xyz_mm): disc.name for disc in seen.discs}
    for disc in asked.discs:
        name = plain.get(tuple(disc.xyz_mm), disc.name)
        if name != disc.name:
            text = (
                f"the image by itself has {name} (confidence {in_two_digits(seen.level_confidence)}) where"
                f" {disc.name} is now, because of the disc or the range that was given: check both"
            )
            return [Caution("contradicts_given", text)]
    return []
