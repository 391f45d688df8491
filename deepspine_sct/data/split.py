"""Training, validation and test subjects: chosen by chance, by seed, and never mixed."""

from collections.abc import Mapping, Sequence

import numpy as np

from deepspine_sct.errors import DeepspineError

PARTS = ("train", "val", "test")


def split_subjects(
    site_of: Mapping[str, str],
    shares: Sequence[float] = (0.8, 0.1, 0.1),
    by_site: bool = False,
    seed: int = 0,
) -> dict[str, str]:
    """Give every subject a part.

    Parameters
    ----------
    site_of : site of each subject
    shares : of the subjects in training, validation and test; they sum to one
    by_site : keep the subjects of a site together, so that the test shows how well the network does
        at a new site
    seed : of the choice; it depends on the names alone, not on their order

    Returns
    -------
    dict of subject to "train", "val" or "test". A part with a share gets a subject (or a site)
    where there are enough of them: training first, then validation, then test.

    Raises
    ------
    DeepspineError
        Where the shares are no shares, or there is but one site to split by.
    """
    if len(shares) != len(PARTS) or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
        raise DeepspineError(f"the shares {list(shares)} must be three numbers of at least 0 that sum to 1")
    unit_of = {subject: site_of[subject] if by_site else subject for subject in sorted(site_of)}
    units = np.array(sorted(set(unit_of.values())))
    if by_site and len(units) < 2:
        raise DeepspineError(
            "a split by site needs at least two sites, but the subjects are of one site or of unknown ones; give "
            "the sites in participants.tsv, or split by subject"
        )
    np.random.default_rng(seed).shuffle(units)
    part_of_unit = dict(zip(units.tolist(), _parts(len(units), shares), strict=True))
    return {subject: part_of_unit[unit] for subject, unit in unit_of.items()}


def _parts(n: int, shares: Sequence[float]) -> list[str]:
    """Part of each of n units in a row, by the largest remainder."""
    wanted = np.asarray(shares) * n
    counts = np.floor(wanted + 1e-9).astype(int)
    while counts.sum() < n:
        counts[np.argmax(wanted - counts)] += 1
    for part in range(1, len(PARTS)):  # a share that rounds to nothing takes one unit, where training can spare it
        if shares[part] > 0 and counts[part] == 0 and counts[0] > 1:
            counts[[0, part]] += (-1, 1)
    return np.repeat(PARTS, counts).tolist()
