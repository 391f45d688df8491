"""Heatmaps are read back to where the discs are."""

import numpy as np
import pytest
from gaussians import draw_gaussians

from deepspine_sct.image.grid import Grid
from deepspine_sct.labeling.heatmap import Candidates, find_candidates
from deepspine_sct.model.output import Prediction

H, W, K = 64, 40, 6
NAMES = {
    "certain": np.eye(K),
    "two names": 0.5 * np.eye(K) + 0.5 * np.eye(K, k=1),
    "three names": 0.5 * np.eye(K) + 0.25 * np.eye(K, k=1) + 0.25 * np.eye(K, k=-1),
}


def _grid(n, zoom_mm, step_mm=5.0):
    """An oblique (L, I, P) grid: the spine of the patient is tilted in the scanner."""
    tilt = np.radians(12)
    affine = np.eye(4)
    affine[:3, 0] = np.array([-1, 0, 0]) * step_mm
    affine[:3, 1] = np.array([0, -np.sin(tilt), -np.cos(tilt)]) * zoom_mm
    affine[:3, 2] = np.array([0, -np.cos(tilt), np.sin(tilt)]) * zoom_mm
    affine[:3, 3] = (12.0, 30.0, 110.0)
    return Grid((n, H, W), affine)


def _spine_ijk(rng, zoom_mm, spacing_mm):
    """A tilted, curved chain of K discs, sub-pixel, each with its own left-right place."""
    rows = 6 + rng.uniform(-0.5, 0.5) + np.arange(K) * spacing_mm / zoom_mm
    cols = W / 2 + 8 / zoom_mm * np.sin(np.arange(K) / 2) + rng.uniform(-0.5, 0.5)
    cols += rng.uniform(-1, 1, K) / zoom_mm
    slabs = 3 + np.linspace(-1.2, 1.2, K) + rng.uniform(-0.1, 0.1, K)
    return np.stack([slabs, rows, cols], axis=1)


def _predict(ijk, grid, names, sigma_px, seen_mm=10.0):
    """Heatmaps of discs that fade away from their own slab and have the given share of names."""
    away_mm = (np.arange(grid.shape[0])[:, None] - ijk[:, 0]) * grid.zooms_mm[0]
    fade = np.exp(-0.5 * (away_mm / seen_mm) ** 2)  # (N, K)
    spots = draw_gaussians(ijk[:, 1:], grid.shape[1:], sigma_px)
    heatmaps = np.einsum("nd,dhw,dk->nkhw", fade, spots, names)
    heatmaps /= np.maximum(heatmaps.sum(axis=1, keepdims=True), 1)
    level_mm = np.broadcast_to(400.0 - 3 * np.arange(H)[:, None], grid.shape)
    return Prediction(heatmaps.astype(np.float32), level_mm, np.zeros(grid.shape), grid)


def _errors(names, zoom_mm, sigma_px):
    """Errors (m, 3) [voxels] of discs 12 mm apart, each of which must be found once, in order."""
    rng, grid, errors = np.random.default_rng(4), _grid(7, zoom_mm), []
    for _ in range(20):
        ijk = _spine_ijk(rng, zoom_mm, spacing_mm=12)
        found = find_candidates(_predict(ijk, grid, names, sigma_px))
        assert len(found) == K
        assert (np.diff(found.xyz_mm[:, 2]) < 0).all()
        errors.append(grid.to_index(found.xyz_mm) - ijk)
    return np.concatenate(errors)


@pytest.mark.parametrize("sigma_px", [1.0, 1.5, 2.0])
def test_named_discs_are_found_to_a_tenth_of_a_pixel(sigma_px):
    """Discs 12 mm apart come back to 0.1 px, with their own left-right, on a tilted spine."""
    error = _errors(NAMES["certain"], 2.0, sigma_px)
    assert np.linalg.norm(error[:, 1:], axis=1).max() < 0.1
    assert np.abs(error[:, 0]).max() < 0.1


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES.keys())
@pytest.mark.parametrize(("zoom_mm", "sigma_px"), [(2.0, 1.5), (2.0, 2.0), (4.0, 1.0)])
def test_discs_are_found_to_a_millimetre_whatever_they_are_called(zoom_mm, sigma_px, names):
    """Names that the network cannot tell apart, or 4 mm pixels, cost at most a millimetre."""
    error_mm = _errors(names, zoom_mm, sigma_px) * [5.0, zoom_mm, zoom_mm]
    assert np.linalg.norm(error_mm[:, 1:], axis=1).max() < 1
    assert np.abs(error_mm[:, 0]).max() < 1


def test_evidence_is_the_share_of_the_names_and_strength_that_of_the_background():
    """A disc seen with probability 0.8, as 0.6 to 0.2, says so; its level is the map's there."""
    grid = _grid(3, 2.0)
    ijk = np.array([[1.0, 20.3, 15.6], [1.0, 45.0, 22.2]])
    names = np.zeros((2, K))
    names[0, 1:3], names[1, 4] = (0.6, 0.2), 0.5
    found = find_candidates(_predict(ijk, grid, names, 1.5, seen_mm=1e3))
    assert found.strength == pytest.approx([0.8, 0.5], abs=0.05)
    assert found.evidence[0, 1] / found.evidence[0, 2] == pytest.approx(3, rel=1e-3)
    assert (found.evidence.sum(axis=1) <= found.strength + 1e-6).all()
    assert found.evidence[1].argmax() == 4
    assert found.level_mm == pytest.approx(400 - 3 * np.array([20, 45]))


def test_one_slab_gives_that_slab():
    """A 2-D image needs no other path: every candidate lies on the only slab."""
    grid = _grid(1, 2.0)
    ijk = _spine_ijk(np.random.default_rng(1), 2.0, 15) * [0, 1, 1]
    found = find_candidates(_predict(ijk, grid, np.eye(K), 1.5))
    assert grid.to_index(found.xyz_mm) == pytest.approx(ijk, abs=0.1)


def test_a_lobe_in_a_distant_slab_does_not_pull_the_disc():
    """Left-right is the centroid of the run of slabs around the best one only."""
    grid = _grid(9, 2.0)
    ijk = np.array([[2.0, 30.0, 20.0]])
    prediction = _predict(ijk, grid, np.eye(K)[:1], 1.5, seen_mm=4)
    prediction.heatmaps[7] += 0.7 * prediction.heatmaps[2]
    found = find_candidates(prediction)
    assert len(found) == 1
    assert grid.to_index(found.xyz_mm)[0, 0] == pytest.approx(2.0, abs=0.05)


def test_two_peaks_nearer_than_the_separation_are_one():
    """The stronger of two peaks 5 mm apart stays; at 9 mm both do."""
    grid = _grid(1, 1.0)
    for gap_px, count in ((5, 1), (9, 2)):
        ijk = np.array([[0, 20.0, 20.0], [0, 20.0 + gap_px, 20.0]])
        names = np.eye(K)[:2] * [[0.9], [0.6]]
        found = find_candidates(_predict(ijk, grid, names, 1.2))
        assert len(found) == count
        assert grid.to_index(found.xyz_mm)[0, 1] == pytest.approx(20, abs=0.1)


def test_discs_at_the_border_stay_inside_their_pixel():
    """A disc on the first row or the last column is found there, not pulled inwards."""
    grid = _grid(1, 2.0)
    ijk = np.array([[0, 0.0, 17.3], [0, 30.4, W - 1.0]])
    found = find_candidates(_predict(ijk, grid, np.eye(K)[:2], 1.5))
    assert grid.to_index(found.xyz_mm) == pytest.approx(ijk, abs=0.1)


@pytest.mark.parametrize("beyond_mm", [1.0, 3.0, 5.0])
def test_a_disc_beyond_the_border_is_found_beyond_it(beyond_mm):
    """The tail of a Gaussian that lies outside of the map says where its centre is, on all four sides."""
    grid = _grid(1, 4.0)
    beyond_px = 0.5 + beyond_mm / 4
    far_row, far_col = H - 1 + beyond_px, W - 1 + beyond_px
    for rc in ((-beyond_px, 17.3), (far_row, 9.0), (20.0, -beyond_px), (40.0, far_col)):
        found = find_candidates(_predict(np.array([[0, *rc]]), grid, np.eye(K)[:1], 1.0))
        assert grid.to_index(found.xyz_mm) == pytest.approx(np.array([[0, *rc]]), abs=0.1)


def test_noise_moves_a_disc_by_less_than_a_millimetre():
    """With 3 % noise on every channel the mean error stays below 0.5 mm and no disc is lost."""
    rng = np.random.default_rng(0)
    grid, errors_mm = _grid(5, 2.0), []
    for _ in range(10):
        ijk = _spine_ijk(rng, 2.0, 15) - [1, 0, 0]
        prediction = _predict(ijk, grid, np.eye(K), 1.5)
        noise = np.abs(rng.normal(0, 0.03, prediction.heatmaps.shape)).astype(np.float32)
        noisy = Prediction(prediction.heatmaps + noise, prediction.level_mm, noise[:, 0], grid)
        found = find_candidates(noisy, threshold=0.5)
        assert len(found) == K
        errors_mm.append(np.linalg.norm((grid.to_index(found.xyz_mm) - ijk)[:, 1:], axis=1) * 2)
    assert np.mean(errors_mm) < 0.5


def test_dark_heatmaps_hold_no_candidate():
    """Nothing above the threshold gives an empty, well-shaped set."""
    grid = _grid(2, 2.0)
    dark = np.full((2, K, H, W), 0.01, dtype=np.float32)
    found = find_candidates(Prediction(dark, dark[:, 0], dark[:, 0], grid))
    assert len(found) == 0 and found.evidence.shape == (0, K) and found.xyz_mm.shape == (0, 3)


def test_shapes_that_disagree_are_refused():
    """Predictions and candidates check their shapes when they are made."""
    grid = _grid(2, 2.0)
    maps = np.zeros((2, K, H, W), dtype=np.float32)
    with pytest.raises(ValueError, match="level_mm"):
        Prediction(maps, maps[:, 0, :, :-1], maps[:, 0], grid)
    with pytest.raises(ValueError, match=r"\(N, K, h, w\)"):
        Prediction(maps[0], maps[:, 0], maps[:, 0], grid)
    with pytest.raises(ValueError, match="disagree"):
        Candidates(np.zeros((2, 3)), np.zeros(3), np.zeros((2, K)), np.zeros(2))
