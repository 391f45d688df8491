"""Which real lumbar subjects a network never sees.

The subjects are dealt into folds by the order of their names. A network of fold ``k`` trains on all other folds. The
shipped weights are those of fold 0, whose subjects therefore only ever evaluate; the networks of the other folds show
what holds for all subjects.
"""

from collections.abc import Iterable

N_FOLDS = 4
SHIPPED = 0
"""The fold that the shipped weights never see."""

NO_FOLD = -1
"""Of images that show no subject of any fold."""

_TURNS = (0, 1, 2, 0, 3, 1, 2, 0, 1, 2, 0, 3, 1, 3)  # dealt out again and again: fold 0 gets two of seven


def deal(names: Iterable[str]) -> dict[str, int]:
    """Return the fold of each name; it depends on the set of names, not on their order."""
    return {name: _TURNS[i % len(_TURNS)] for i, name in enumerate(sorted(set(names)))}
