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

_OF_SEVEN = (0, 1, 2, 0, 3, 1, 2)  # dealt out in turn: fold 0 gets two of seven


def deal(names: Iterable[str]) -> dict[str, int]:
    """Return the fold of each name; it depends on the set of names, not on their order."""
    ordered = sorted(set(names))
    last = {6: 3}  # every second time the seventh goes to the fold that has fewest
    folds = {}
    for i, name in enumerate(ordered):
        place = i % len(_OF_SEVEN)
        folds[name] = last[place] if place in last and i // len(_OF_SEVEN) % 2 else _OF_SEVEN[place]
    return folds
