"""Images that are learnt again: altered, and what is said of them stays true."""

import numpy as np
import pytest
import torch
from gaussians import draw_gaussians
from test_dataset import stream

from deepspine_sct.image.preprocessing import normalise as normalise_one
from deepspine_sct.training import variation
from deepspine_sct.training.targets import make_targets
from deepspine_sct.training.variation import normalise, vary

SHAPE = (96, 128)
SPACING_MM = 2.0


def generator(seed: int = 0) -> torch.Generator:
    """All chance of a test."""
    return torch.Generator().manual_seed(seed)


def batch_of_spots(n: int = 24) -> dict[str, torch.Tensor]:
    """Images of three bright spots, which are the discs 2, 3 and 7; the level is the row of the image."""
    rng = np.random.default_rng(1)
    tips_rc = np.full((n, 25, 2), np.nan, np.float32)
    for value in (2, 3, 7):
        tips_rc[:, value - 1] = rng.uniform((30, 40), (66, 88), (n, 2))
    image = np.stack([draw_gaussians(tips, SHAPE, 2.0).max(0) for tips in tips_rc])[:, None]
    level = np.broadcast_to(np.arange(SHAPE[0] / 2, dtype=np.float32)[:, None], (n, 1, SHAPE[0] // 2, SHAPE[1] // 2))
    tips = torch.from_numpy(tips_rc)
    presence = (~tips[..., 0].isnan()).float()
    batch = {
        "image": torch.from_numpy(image),
        "tips_rc": tips,
        "presence": presence,
        "level": torch.from_numpy(level.copy()),
        "known": torch.ones(n, 1, SHAPE[0] // 2, SHAPE[1] // 2),
        "fold": torch.arange(n),
    }
    return batch | make_targets(tips, presence, SHAPE, SPACING_MM)


@pytest.fixture
def only_moved(monkeypatch):
    """Leave the intensities as they are, and nothing cut."""
    monkeypatch.setattr(variation, "_degrade", lambda chance, image: image)
    monkeypatch.setattr(variation, "_cut", lambda chance, shape, spacing_mm: torch.ones(1, 1, *shape))


def test_the_truth_moves_with_the_image(only_moved):
    """Around every tip that is said to be seen the moved image has its spot, to a quarter of a pixel."""
    varied = vary(batch_of_spots(), generator(), SPACING_MM)
    checked = 0
    for image, tips_rc, presence in zip(varied["image"][:, 0], varied["tips_rc"], varied["presence"], strict=True):
        for row, col in tips_rc[presence > 0].tolist():
            others = tips_rc[presence > 0] - torch.tensor([row, col])
            near = others.norm(dim=1).sort().values[1:]
            window = slice(max(0, round(row) - 4), round(row) + 5), slice(max(0, round(col) - 4), round(col) + 5)
            spot = image[window] - image.min()
            if spot.shape != (9, 9) or (len(near) and near[0] < 16):
                continue
            rows, cols = (torch.arange(9.0) + part.start for part in window)
            middle = (spot.sum(1) * rows).sum() / spot.sum(), (spot.sum(0) * cols).sum() / spot.sum()
            assert (float(middle[0]), float(middle[1])) == pytest.approx((row, col), abs=0.25)
            checked += 1
    assert checked > 20


def test_the_level_moves_with_the_image(only_moved):
    """At every moved tip the level is still the old row's, to a pixel of the heatmap."""
    before = batch_of_spots()
    after = vary(before, generator(), SPACING_MM)
    checked = 0
    for n, value in torch.nonzero(after["presence"]).tolist():
        row, col = ((after["tips_rc"][n, value] - 0.5) / 2).round().long().tolist()
        level = float(after["level"][n, 0, max(row, 0), max(col, 0)])
        if not np.isnan(level):
            assert level == pytest.approx((float(before["tips_rc"][n, value, 0]) - 0.5) / 2, abs=1.3)
            checked += 1
    assert checked > 40


def test_what_is_cut_off_is_not_claimed():
    """Where the new image shows nothing there is no disc, no level, and it is known that there is no disc."""
    before = batch_of_spots()
    before["known"] *= 0
    after = vary(before, generator(3), SPACING_MM)
    assert (after["presence"] <= before["presence"]).all() and (after["presence"] < before["presence"]).any()
    absent = after["presence"] == 0
    assert after["target"][:, :25].amax((2, 3))[absent & before["presence"].bool()].max() <= 0.08 + 1e-6
    unknown = after["known"] == 0
    assert after["level"][~unknown].isnan().all() and unknown.any()
    torch.testing.assert_close(after["target"].sum(1), torch.ones_like(after["target"][:, 0]))


def test_chance_comes_from_the_generator_alone():
    """The same seed gives the same bytes, another seed other ones, and the batch itself stays as it was."""
    batch = batch_of_spots(3)
    kept = {key: value.clone() for key, value in batch.items()}
    one, two, other = (vary(batch, generator(seed), SPACING_MM) for seed in (1, 1, 2))
    assert all(torch.equal(one[key].nan_to_num(), two[key].nan_to_num()) for key in one)
    assert not torch.equal(one["image"], other["image"])
    assert all(torch.equal(batch[key].nan_to_num(), kept[key].nan_to_num()) for key in batch)
    assert one.keys() == batch.keys() and torch.equal(one["fold"], batch["fold"])
    assert all(one[key].shape == batch[key].shape and one[key].dtype == batch[key].dtype for key in batch)


def test_images_are_normalised_as_inference_does():
    """A batch comes out as numpy normalises each image alone; a constant image is zero."""
    images = torch.rand(4, 1, 40, 30, generator=generator()) ** 3
    images[2] = 0.7
    expected = np.stack([normalise_one(image[0].numpy()) for image in images])[:, None]
    np.testing.assert_allclose(normalise(images).numpy(), expected, atol=2e-4)


def test_every_kind_of_change_happens():
    """In 200 variations of one image some are turned by more than 20 degrees, some cut."""
    spots = batch_of_spots(1)
    batch = {key: value.repeat(200, *[1] * (value.ndim - 1)) for key, value in spots.items()}
    after = vary(batch, generator(), SPACING_MM)
    n_seen = after["presence"].sum(1)
    assert {int(n) for n in n_seen} == {0, 1, 2, 3}
    step = after["tips_rc"][:, 2] - after["tips_rc"][:, 1]
    before = batch["tips_rc"][0, 2] - batch["tips_rc"][0, 1]
    angle = torch.rad2deg(torch.atan2(step[:, 0], step[:, 1]) - torch.atan2(before[0], before[1]))
    angle = (angle[~angle.isnan()] + 180) % 360 - 180
    assert (angle.abs() > 20).float().mean() > 0.05 and (angle.abs() < 12).float().mean() > 0.5
    assert angle.abs().max() < 41


def test_fields_of_view_end_early_or_are_short_and_never_empty():
    """Some lose an end, some a side, some are but 45 to 120 mm high, and most are whole."""
    cuts = variation._cut(variation._Chance(generator(), 400, torch.device("cpu")), SHAPE, SPACING_MM)[:, 0]
    rows, columns = cuts.amax(2).sum(1) * SPACING_MM, cuts.amax(1).sum(1)
    assert rows.min() >= 45 - SPACING_MM and columns.min() > 0
    assert 0.05 < (rows <= 120).float().mean() < 0.5
    assert 0.3 < (rows == SHAPE[0] * SPACING_MM).float().mean() < 0.8
    assert 0.1 < (columns < SHAPE[1]).float().mean() < 0.6


def test_images_darken_along_the_rows_get_noise_and_other_brightness():
    """Of 400 images of two brightnesses some fall off along the rows, some are noisy, some exchange bright and dark."""
    plain = torch.full((400, 1, 60, 40), 0.4)
    plain[..., 20:] = 0.8
    made = variation._degrade(variation._Chance(generator(), 400, torch.device("cpu")), plain)[:, 0]
    bright, dark = made[..., 24:], made[..., :16]
    ends = bright[:, :10].mean((1, 2)) / bright[:, -10:].mean((1, 2)).clamp(min=1e-3)
    assert 0.1 < ((ends > 1.5) | (ends < 0.67)).float().mean() < 0.3
    noise = (bright[:, :, 1:] - bright[:, :, :-1]).std((1, 2))
    assert 0.25 < (noise > 0.01).float().mean() < 0.75
    assert 0.02 < (dark.mean((1, 2)) > bright.mean((1, 2))).float().mean() < 0.2
    assert ((dark.mean((1, 2)) - 0.4).abs() > 0.05).float().mean() > 0.2


def test_a_stream_varies_by_seed_and_step():
    """The same step of the same stream always gives the same images."""
    batch = stream()[1]
    one, again, later = (stream().vary(batch, step) for step in (5, 5, 6))
    assert torch.equal(one["image"], again["image"]) and not torch.equal(one["image"], later["image"])
