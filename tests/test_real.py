"""Annotated real slices: kept apart by site, and carried through augmentation with their points."""

import json
from pathlib import Path

import numpy as np
import pytest

from deepspine_sct.training import real
from deepspine_sct.training.real import ANNOTATIONS, RealSlice, augment, load_slices

SLICES = Path(__file__).resolve().parents[2] / "shared" / "real" / "slices"
TABLE = json.loads(ANNOTATIONS.read_text())
needs_slices = pytest.mark.skipif(not SLICES.is_dir(), reason="needs the development slices")


def test_annotations_are_anatomically_ordered():
    """In every slice the discs descend, without a gap from C2/C3 on, at distances that a spine can have."""
    for name, entry in TABLE["slices"].items():
        values = sorted(map(int, entry["discs_xyz_mm"]))
        points = np.array([entry["discs_xyz_mm"][str(v)] for v in values])
        below = np.array(values) >= 3
        assert np.array(values)[below].tolist() == list(range(3, values[-1] + 1)), name
        assert (np.diff(points[:, 2]) < 0).all(), name
        steps_mm = np.linalg.norm(np.diff(points[below], axis=0), axis=1)
        assert steps_mm.min() > 10 and steps_mm.max() < 32, name


@needs_slices
def test_evaluation_sites_never_train():
    """No slice of an evaluation-only site is handed to training, and every slice has one role."""
    held_out = set(TABLE["about"]["evaluation_only_sites"])
    train, evaluation = load_slices(SLICES, evaluation=False), load_slices(SLICES, evaluation=True)
    assert {s.site for s in evaluation} == held_out
    assert not {s.site for s in train} & held_out
    assert len(train) + len(evaluation) == len(TABLE["slices"])


def marked_slice() -> RealSlice:
    """A dark slice with a bright Gaussian blob at each of nine tips."""
    tips_rc = np.full((25, 2), np.nan)
    tips_rc[:9] = np.column_stack([np.arange(15, 87, 8), 50 + 6 * np.sin(np.arange(9))])
    rows, cols = np.mgrid[:100, :100]
    image = sum(np.exp(-0.5 * ((rows - r) ** 2 + (cols - c) ** 2) / 1.5**2) for r, c in tips_rc[:9])
    return RealSlice("x", "site", "T1w", image.astype(np.float32), tips_rc, 2.5)


def test_points_stay_on_their_pixels(monkeypatch):
    """Wherever the random warp takes a blob, the point of its disc goes with it, to half a pixel."""
    monkeypatch.setattr(real, "scan", lambda rng, image, mm: (image, np.ones(image.shape, bool)))
    monkeypatch.setattr(real, "_recolour", lambda rng, image: image)
    n_checked = 0
    for seed in range(15):
        case = augment(np.random.default_rng(seed), marked_slice(), (96, 80), 2.0)
        for row, col in case.tips_rc[case.presence == 1]:
            r, c = int(round(row)), int(round(col))
            if 5 <= r < 91 and 5 <= c < 75:
                window = case.image[r - 4 : r + 5, c - 4 : c + 5]
                weight = window / window.sum()
                offset = [(weight * axis).sum() for axis in np.mgrid[-4:5, -4:5]]
                assert np.hypot(r + offset[0] - row, c + offset[1] - col) < 0.5
                n_checked += 1
    assert n_checked > 50


def test_nothing_is_claimed_below_the_last_annotated_disc():
    """The truth of an augmented slice ends half a disc below its last point."""
    case = augment(np.random.default_rng(3), marked_slice(), (128, 128), 2.0)
    last = np.nanmax(np.where(case.presence[:, None] == 1, case.tips_rc, np.nan)[:, 0])
    assert not case.known[int(last) + 12 :].all()
    assert case.known[: int(last)].mean() > 0.9
