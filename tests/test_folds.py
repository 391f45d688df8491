"""Folds of the real subjects: everybody in one, as many as promised, whatever the order."""

from collections import Counter

from deepspine_sct.training.folds import N_FOLDS, SHIPPED, deal

NAMES = [f"subject{n:03d}" for n in range(28)]


def test_every_subject_is_in_exactly_one_fold():
    """Each name gets one fold of 0 to 3; names given twice are one subject."""
    folds = deal(NAMES + NAMES[:5])
    assert sorted(folds) == NAMES and set(folds.values()) == set(range(N_FOLDS))


def test_the_shipped_fold_has_eight_of_28():
    """Fold 0 has two of seven, and the other three share the rest as evenly as it goes."""
    sizes = Counter(deal(NAMES).values())
    assert sizes[SHIPPED] == 8
    assert max(sizes[k] for k in (1, 2, 3)) - min(sizes[k] for k in (1, 2, 3)) <= 2


def test_the_order_of_the_names_does_not_matter():
    """Reversed or shuffled, the same names get the same folds."""
    assert deal(reversed(NAMES)) == deal(NAMES) == deal(NAMES[13:] + NAMES[:13])


def test_nobody_is_in_no_fold():
    """No name, no fold."""
    assert deal([]) == {}
