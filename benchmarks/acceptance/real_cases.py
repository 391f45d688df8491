"""The cases of `real_scans.py`: which scans, and what is done to them. All are the same at every call."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from benchmarks.acceptance.real_changes import (
    Change,
    coarsened,
    cut_above,
    cut_below,
    darkened,
    doubled,
    inverted,
    noisy,
    repainted,
    shrunk,
    turned,
    unchanged,
    window,
    with_metal,
)
from benchmarks.acceptance.real_sources import RealScan, names_of, read_scan
from deepspine_sct.training.folds import SHIPPED, deal

L4_L5 = 24
L2_L3 = 22

GROUPS: dict[str, tuple[str, Change]] = {
    "lumbar": ("lumbar", unchanged),
    "lumbar_t1": ("lumbar", repainted("t1")),
    "lumbar_stir": ("lumbar", repainted("stir")),
    "lumbar_water": ("lumbar", repainted("water")),
    "lumbar_fat": ("lumbar", repainted("fat")),
    "lumbar_cut8": ("lumbar", cut_below(L4_L5, 8)),
    "lumbar_cut5": ("lumbar", cut_below(L4_L5, 5)),
    "lumbar_upper": ("lumbar", cut_below(L2_L3)),
    "lumbar_78mm": ("lumbar", window(78.0)),
    "lumbar_78mm_square": ("lumbar", window(78.0, 78.0)),
    "lumbar_turn15": ("lumbar", turned(15)),
    "lumbar_turn30": ("lumbar", turned(30)),
    "lumbar_1.4mm": ("lumbar", coarsened(None, 1.4, 1.4)),
    "lumbar_slices5mm": ("lumbar", coarsened(5.0, None, None)),
    "lumbar_child": ("lumbar", shrunk(0.65)),
    "lumbar_dark": ("lumbar", darkened),
    "lumbar_inverted": ("lumbar", inverted),
    "lumbar_noise": ("lumbar", noisy),
    "lumbar_doubled": ("lumbar", doubled),
    "lumbar_metal": ("lumbar", with_metal),
    "neck": ("neck", unchanged),
    "neck_turn15": ("neck", turned(15)),
    "neck_turn30": ("neck", turned(30)),
    "neck_child": ("neck", shrunk(0.65)),
    "neck_dark": ("neck", darkened),
    "neck_inverted": ("neck", inverted),
    "neck_from_c3c4": ("neck", cut_above(4)),
    "neck_from_c5c6": ("neck", cut_above(6)),
    "neck_noise": ("neck", noisy),
    "neck_doubled": ("neck", doubled),
    "neck_metal": ("neck", with_metal),
    "volume": ("volume", unchanged),
}
"""Name of a group -> the scans, and their change. "Cut" windows end in the middle of L5 and show no sacrum."""


@dataclass(frozen=True)
class CaseKey:
    """A case by its name: small enough to send to another process."""

    group: str
    name: str


def select(data: Path, groups: Sequence[str], names: Sequence[str]) -> list[CaseKey]:
    """List the cases whose group and scan match one of the patterns, all the cases of a scan together.

    Parameters
    ----------
    data : folder of the real scans
    groups, names : patterns such as ``lumbar*``; without one, everything
    """
    chosen = [group for group in GROUPS if not groups or any(fnmatchcase(group, p) for p in groups)]
    keys = []
    for family in dict.fromkeys(GROUPS[group][0] for group in chosen):
        for name in names_of(data, family):
            if not names or any(fnmatchcase(name, p) for p in names):
                keys += [CaseKey(group, name) for group in chosen if GROUPS[group][0] == family]
    return keys


def deal_out(data: Path, keys: Sequence[CaseKey]) -> dict[int, list[CaseKey]]:
    """Sort cases by the fold whose network never saw them; all but the lumbar ones belong to the shipped fold."""
    folds = deal(names_of(data, "lumbar"))
    dealt: dict[int, list[CaseKey]] = {}
    for key in keys:
        dealt.setdefault(folds.get(key.name, SHIPPED), []).append(key)
    return dict(sorted(dealt.items()))


def make(data: Path, key: CaseKey) -> RealScan:
    """Make a case."""
    change = GROUPS[key.group][1]
    return change(read_scan(data, key.name), np.random.default_rng(zlib.crc32(f"{key.group} {key.name}".encode())))
