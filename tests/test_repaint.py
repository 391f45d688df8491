"""Other contrasts for real images: every tissue gets the brightness that was asked for, at its place."""

import numpy as np
import pytest

from deepspine_sct.simulation import repaint as module
from deepspine_sct.simulation.repaint import brightness_marks, filtered, repaint, repaint_rest

MEANS = {
    "air": 0.0, "cortex": 0.1, "muscle": 0.35, "body": 0.8, "fat": 0.95,
    "annulus": 0.15, "nucleus": 0.25, "cord": 1.3, "csf": 0.9,
}  # fmt: skip
BOXES = {"bone": np.s_[5:45, 10:40], "disc": np.s_[45:55, 10:40], "canal": np.s_[5:55, 45:58]}


@pytest.fixture
def scan():
    """A T2w image with a vertebra, a disc and a canal on muscle, and the shares of these tissues."""
    rng = np.random.default_rng(0)
    image = np.full((64, 64), 0.2, np.float32)
    tissue = np.zeros((64, 64, 3), np.float32)
    for k, (name, mean) in enumerate({"bone": 0.45, "disc": 0.3, "canal": 0.9}.items()):
        image[BOXES[name]] = mean
        tissue[(*BOXES[name], k)] = 1.0
    image[60:] = 0.8  # fat
    return (image * rng.normal(1, 0.05, image.shape)).astype(np.float32), tissue


@pytest.fixture
def means(monkeypatch):
    """Make the wanted contrast known."""
    monkeypatch.setattr(module, "random_contrast", lambda rng, family: (family, MEANS))
    return MEANS


def test_each_tissue_gets_its_wanted_mean(scan, means):
    """Marrow its mean, a disc between annulus and nucleus, the canal between cord and fluid, muscle about its own."""
    muscle = []
    for seed in range(12):
        out = repaint(np.random.default_rng(seed), *scan)
        assert out.shape == (64, 64) and out.dtype == np.float32 and out.min() >= 0
        assert np.median(out[BOXES["bone"]]) == pytest.approx(means["body"], rel=0.03)
        assert means["annulus"] < out[BOXES["disc"]].mean() < means["nucleus"]
        assert means["csf"] < out[BOXES["canal"]].mean() < means["cord"]
        muscle.append(np.median(out[20:50, 60:]))
    assert np.mean(muscle) == pytest.approx(means["muscle"], rel=0.1)


def test_tissues_keep_their_places(scan, means):
    """The jump from bone to canal and from bone to disc stays between the same two pixels."""
    image, tissue = scan
    out = repaint(np.random.default_rng(1), image, tissue)
    columns = np.abs(np.diff(out[10:40].mean(0)))
    rows = np.abs(np.diff(out[:, 15:35].mean(1)))
    assert {9, 39, 44} <= set(np.argsort(columns)[-4:].tolist())
    assert 44 in np.argsort(rows)[-4:]


def test_details_of_a_tissue_stay_in_it(scan, means):
    """A spot in the marrow is a spot at the same pixel afterwards, brighter or darker than the rest of the marrow."""
    image, tissue = scan
    image[20, 25] = 1.2
    bone = repaint(np.random.default_rng(2), image, tissue)[BOXES["bone"]]
    assert np.unravel_index(np.abs(bone - np.median(bone)).argmax(), bone.shape) == (15, 15)


def test_beside_the_spine_nothing_is_repainted(scan, means):
    """Without a vertebra to measure on the image comes back as it was."""
    image, tissue = scan
    out = repaint(np.random.default_rng(0), image, np.zeros_like(tissue))
    np.testing.assert_array_equal(out, image)


def test_the_rest_follows_the_marks():
    """Averaged over many draws, the brightness of muscle, marrow and fat turns into the wanted means."""
    marks = (0.2, 0.45, 0.9)
    rng = np.random.default_rng(3)
    out = np.mean([repaint_rest(rng, np.array([0.0, *marks]), marks, MEANS) for _ in range(300)], axis=0)
    np.testing.assert_allclose(out, [MEANS[t] for t in ("air", "muscle", "body", "fat")], rtol=0.03)


def test_marks_are_measured_on_the_scan(scan):
    """Marrow is the median of the bone; muscle is darker and fat brighter, also where the scan shows nothing else."""
    image, tissue = scan
    marks = brightness_marks(image, tissue[..., 0] == 1, tissue.sum(-1) == 0)
    assert marks[1] == pytest.approx(0.45, rel=0.02)
    assert marks[0] == pytest.approx(0.2, rel=0.1) and marks[2] == pytest.approx(0.8, rel=0.2)
    alone = brightness_marks(image, tissue[..., 0] == 1, np.zeros(image.shape, bool))
    assert alone[0] < alone[1] < alone[2]


def test_a_filtered_image_keeps_its_edges(scan):
    """After a random filter the strongest jump of the mean row is still at a border of the boxes."""
    for seed in range(5):
        out = filtered(np.random.default_rng(seed), scan[0])
        assert out.shape == scan[0].shape and out.min() >= 0 and out.max() <= 1.5
        assert min(abs(int(np.abs(np.diff(out[10:40].mean(0))).argmax()) - at) for at in (9, 39, 44, 57)) <= 1
