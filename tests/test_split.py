"""The split: every subject on one side, by chance but repeatable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepspine_sct.data.split import PARTS, split_subjects
from deepspine_sct.errors import DeepspineError

SHARES = (0.8, 0.1, 0.1)


def counts(part_of: dict[str, str]) -> tuple[int, ...]:
    """Number of subjects in training, validation and test."""
    return tuple(list(part_of.values()).count(part) for part in PARTS)


@pytest.mark.parametrize(
    ("n", "expected"),
    [(1, (1, 0, 0)), (2, (1, 1, 0)), (3, (1, 1, 1)), (10, (8, 1, 1)), (20, (16, 2, 2))],
)
def test_numbers_follow_the_shares(n, expected):
    """80/10/10, and with few subjects validation and test get one where training can spare it."""
    assert counts(split_subjects({f"sub-{i}": "" for i in range(n)}, SHARES)) == expected


@given(st.integers(10, 60), st.sampled_from([SHARES, (0.5, 0.25, 0.25), (0.7, 0.3, 0)]), st.integers(0))
def test_every_subject_has_one_part_whatever_the_order(n, shares, seed):
    """All are placed, counts are within one of the share, and the names' order changes nothing."""
    sites = {f"sub-{i:02d}": "" for i in range(n)}
    part_of = split_subjects(sites, shares, seed=seed)
    assert part_of.keys() == sites.keys()
    assert all(abs(k - n * share) <= 1 for k, share in zip(counts(part_of), shares, strict=True))
    assert part_of == split_subjects(dict(reversed(sites.items())), shares, seed=seed)


def test_another_seed_is_another_split():
    """Two seeds give two splits of the same subjects; one seed gives the same split again."""
    sites = {f"sub-{i:02d}": "" for i in range(40)}
    assert split_subjects(sites, SHARES, seed=0) == split_subjects(sites, SHARES, seed=0)
    assert split_subjects(sites, SHARES, seed=0) != split_subjects(sites, SHARES, seed=1)


def test_sites_stay_together():
    """By site, no site is on two sides, and every part gets one."""
    sites = {f"sub-{site}{i}": site for site in "abcdef" for i in range(3)}
    part_of = split_subjects(sites, SHARES, by_site=True)
    for site in "abcdef":
        assert len({part_of[s] for s, at in sites.items() if at == site}) == 1
    assert set(part_of.values()) == set(PARTS)


@pytest.mark.parametrize("site", ["", "amu"])
def test_one_site_cannot_be_split_by_site(site):
    """Nor can unknown ones: everything would train, and nothing would test."""
    with pytest.raises(DeepspineError, match="needs at least two sites"):
        split_subjects({"sub-1": site, "sub-2": site}, SHARES, by_site=True)


@pytest.mark.parametrize("shares", [(0.8, 0.2), (0.9, 0.3, -0.2), (0.5, 0.1, 0.1)])
def test_what_is_no_split_is_refused(shares):
    """Two shares, negative ones, and a sum that is not 1."""
    with pytest.raises(DeepspineError, match="sum to 1"):
        split_subjects({"sub-1": ""}, shares)
