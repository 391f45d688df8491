"""The stream of samples: a function of seed and index alone, and true to its cases."""

from dataclasses import replace

import numpy as np
import phantom
import pytest
import torch
from gaussians import draw_gaussians
from templates import needs_templates
from torch.utils.data import DataLoader

from deepspine_sct.data.labelled_image import LabelledImage
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.image.slab import extract_slabs
from deepspine_sct.image.volume import Volume
from deepspine_sct.simulation import simulator
from deepspine_sct.simulation.simulator import Case
from deepspine_sct.training import dataset, targets
from deepspine_sct.training.dataset import SHAPES, SampleStream, mirror, to_sample
from deepspine_sct.training.folds import NO_FOLD
from deepspine_sct.training.prepared_slices import FULL_MM, SILENT_MM, PreparedSlices, soften, stack_slabs
from deepspine_sct.training.targets import make_targets


def labelled(slabs: Volume, points: dict, contrast: str = "T2w") -> LabelledImage:
    """Slabs with their discs."""
    return LabelledImage("scan", points, lambda: slabs, site="site", contrast=contrast, has_slabs=True)


def stack(contrast: str = "T2w", seed: int = 0) -> PreparedSlices:
    """A phantom scan as a source of training slices."""
    data = phantom.image(phantom.discs(), seed)
    volume = Volume(data, Grid(data.shape, phantom.affine()))
    return stack_slabs(labelled(extract_slabs(canonical(volume), 4.0, 5.0, 2.0), phantom.discs(), contrast))


def stream(**how) -> SampleStream:
    """Ten batches of three real samples of two contrasts."""
    sources = [stack("T1w", 1), stack("T2w", 2), stack("T2w", 3)]
    return SampleStream(None, sources, 3, 10, seed=5, real_share=1.0, **how)


def equal(one: dict, two: dict) -> bool:
    """Tell whether two batches are the same bytes."""
    return all(one[key].numpy().tobytes() == two[key].numpy().tobytes() for key in one)


def test_the_same_seed_gives_the_same_bytes_in_any_order():
    """Batch 7 is the same first or last, in this process or in two others; another one differs."""
    forwards = [stream()[i] for i in range(8)]
    loader = DataLoader(stream(), batch_size=None, num_workers=2)
    for mine, theirs in zip(forwards, loader, strict=False):
        assert equal(mine, theirs)
    assert equal(stream()[7], forwards[7])
    assert not equal(forwards[3], forwards[4])


def test_a_batch_has_one_of_the_window_shapes():
    """Images, targets, level and known fit together, on heatmaps of half the size."""
    for i in range(5):
        batch = stream()[i]
        height, width = batch["image"].shape[2:]
        assert (height, width) in SHAPES
        assert batch["target"].shape == (3, 26, height // 2, width // 2)
        assert batch["level"].shape == batch["known"].shape == (3, 1, height // 2, width // 2)
        assert torch.allclose(batch["target"].sum(1), torch.ones(1), atol=1e-5)


def make_case(height=24, width=32) -> Case:
    """A hand-made case: disc 3 at row 6, column 10, disc 5 half present."""
    rng = np.random.default_rng(0)
    tips_rc = np.full((25, 2), np.nan)
    tips_rc[2], tips_rc[4] = (6.5, 10.5), (16.5, 20.5)
    presence = np.zeros(25)
    presence[2], presence[4] = 1.0, 0.5
    level_mm = rng.normal(400, 5, (height, width)).astype(np.float32)
    known = np.ones((height, width), bool)
    known[-2:] = False
    image = rng.normal(size=(height, width)).astype(np.float32)
    return Case(image, tips_rc, presence, level_mm, known, 2.0)


def test_targets_are_gaussians_at_the_tips_scaled_by_presence():
    """Heatmap pixel (r, c) covers image pixels 2r, 2r + 1: a tip at 6.5 is in the middle of 3."""
    sample = to_sample(make_case())
    assert np.unravel_index(sample["target"][2].argmax(), (12, 16)) == (3, 5)
    assert sample["target"][2].max() == pytest.approx(1, abs=1e-6)
    assert sample["target"][4].max() == pytest.approx(0.5, abs=1e-6)
    assert sample["target"][2, 4, 5] == pytest.approx(np.exp(-0.5), abs=1e-5)  # 4 mm away
    assert sample["target"][[0, 1, 3]].max() == 0
    assert sample["level"][0, 0, 0] == pytest.approx(make_case().level_mm[:2, :2].mean() / 100)
    assert sample["known"][0, :-1].all() and not sample["known"][0, -1].any()


def test_targets_are_the_formula_of_every_disc_also_beyond_the_border():
    """Discs inside, on the border and outside of an image get the Gaussian that brute force draws, absent ones none."""
    tips_rc = np.full((1, 25, 2), np.nan, np.float32)
    tips_rc[0, [0, 2, 4, 24]] = [[13.3, 20.8], [60.0, 79.5], [119.5, 0.0], [-3.0, 61.0]]
    presence = (~np.isnan(tips_rc[..., 0])).astype(np.float32)
    target = make_targets(torch.from_numpy(tips_rc), torch.from_numpy(presence), (120, 160), 2.0, 6.0)["target"][0]
    drawn = draw_gaussians((tips_rc[0] - 0.5) / 2, (60, 80), 1.5)
    np.testing.assert_allclose(target[:-1], drawn, atol=1e-6)
    assert drawn[4].max() > 0.9 and 0.1 < drawn[24].max() < 0.5


def test_fewer_channels_leave_the_lower_discs_to_the_background():
    """With three discs, disc 5 is no disc."""
    sample = to_sample(make_case(), n_discs=3)
    assert sample["target"].shape[0] == 4
    assert sample["target"][3, 8, 10] == pytest.approx(1, abs=1e-3)


def test_mirroring_moves_tips_with_the_image():
    """The pixel under a tip is the same one, rows stay, and twice is nothing."""
    case = make_case()
    flipped = mirror(case)
    for v in (2, 4):
        row, column = (flipped.tips_rc[v] - 0.5).astype(int)
        old_row, old_column = (case.tips_rc[v] + (-0.5, 0.5)).astype(int)
        assert (row, case.image.shape[1] - 1 - column) == (old_row, old_column)
        assert flipped.image[row, column] == case.image[old_row, old_column]
    twice = mirror(flipped)
    assert np.array_equal(twice.image, case.image) and np.array_equal(twice.known, case.known)
    np.testing.assert_allclose(twice.tips_rc, case.tips_rc)


def test_flips_happen_at_their_share_only():
    """Nothing is mirrored by default; with share 1 every image is."""
    plain, flipped = stream()[0], stream(flip_share=1.0)[0]
    assert equal(stream(flip_share=0.0)[0], plain)
    assert not torch.equal(plain["image"], flipped["image"])
    assert torch.equal(plain["image"][0], flipped["image"][0].flip(-1))


def test_slabs_beside_the_spine_teach_silence():
    """A slab on the discs has full presence, one 12 mm off has none and teaches no level."""
    made = stack()
    middle = made.middle
    assert made.presence[middle, 2:7].min() == 1 and made.presence[:, 10].max() == 0
    off = np.flatnonzero(made.presence.sum(1) == 0)
    assert len(off) and abs(off - middle).min() * 4 >= SILENT_MM
    silent = soften(make_case(), made.presence[off[0]])
    assert silent.presence.max() == 0 and np.isnan(silent.level_mm).all()


def test_presence_falls_off_as_the_simulator_has_it():
    """One rule for simulated and for real slabs."""
    assert (FULL_MM, SILENT_MM) == (simulator._FULL_MM, simulator._SILENT_MM)


def test_a_stream_without_an_atlas_has_to_be_real():
    """A programmer's mistake, told at once."""
    with pytest.raises(ValueError, match="without an atlas"):
        SampleStream(None, [stack()], 2, 10, seed=0, real_share=0.5)


@needs_templates
def test_simulated_samples_repeat_themselves_and_obey_the_contrast(atlas):
    """Same seed, same bytes; T1w and T2w streams differ."""
    one, two = (SampleStream(atlas, [], 2, 5, seed=1) for _ in range(2))
    assert equal(one[3], two[3])
    t1, t2 = (SampleStream(atlas, [], 2, 5, seed=1, families=(f,)) for f in ("t1", "t2"))
    assert not equal(t1[3], t2[3])


def case_with(values: list[int]) -> Case:
    """A hand-made case that shows some discs, below one another."""
    case = make_case(height=200)
    tips_rc, presence = np.full((25, 2), np.nan), np.zeros(25)
    for n, value in enumerate(values):
        tips_rc[value - 1], presence[value - 1] = (20.5 + 16 * n, 14.5), 1.0
    return replace(case, tips_rc=tips_rc, presence=presence, image=case.image)


@pytest.mark.parametrize(
    ("values", "is_anchored"),
    [
        ([3, 4, 5], True),
        ([5, 6, 7], True),
        ([6, 7, 8], False),
        ([15, 16, 17, 18], False),
        ([22, 23, 24], False),
        ([22, 23, 24, 25], True),
    ],
)
def test_without_an_end_in_view_neighbours_get_a_share_of_the_name(values, is_anchored):
    """Who sees C4/C5 or higher, or L5/S1, is sure of a name; others give each neighbour 8 %, and no mass is lost."""
    case = case_with(values)
    sample = to_sample(case)
    for n, value in enumerate(values):
        row, column = 10 + 8 * n, 7  # heatmap pixel of the tip
        named = sample["target"][:25, row, column]
        assert named[value - 1] == pytest.approx(1.0 if is_anchored else 0.84, abs=0.01)
        outer = [v for v in (value - 1, value + 1) if v not in values and v <= 25]
        for neighbour in outer:
            assert named[neighbour - 1] == pytest.approx(0.0 if is_anchored else 0.08, abs=0.01)
    assert np.allclose(sample["target"].sum(0), 1, atol=1e-5)


def test_an_unsure_name_conserves_probability():
    """At every pixel the sum over the discs stays, also at the first and the last name, and nothing is negative."""
    discs = 0.04 * torch.rand(2, 25, 7, 9, generator=torch.Generator().manual_seed(0))
    unsure = targets._unsure_of_name(discs)
    torch.testing.assert_close(unsure.sum(1), discs.sum(1))
    assert unsure.min() >= 0 and not torch.allclose(unsure, discs)
    for value in (0, 12, 24):
        alone = torch.zeros(1, 25, 1, 1)
        alone[0, value] = 1
        spread = targets._unsure_of_name(alone)[0, :, 0, 0]
        assert float(spread.sum()) == pytest.approx(1)
        assert set(spread.nonzero().flatten().tolist()) <= {value - 1, value, value + 1}


def test_the_attention_belongs_around_the_tips():
    """One at a tip, half of it at a half present one, a Gaussian of 10 mm around both, next to nothing far off."""
    look = to_sample(make_case())["look"]
    assert look.shape == (1, 12, 16)
    assert look[0, 3, 5] == pytest.approx(1, abs=1e-6)
    assert look[0, 3, 10] == pytest.approx(np.exp(-0.5 * (20 / 10) ** 2), abs=1e-3)  # five pixels of 4 mm off disc 3
    assert look[0, 8, 10] == pytest.approx(0.5, abs=0.01)
    assert look[0, 0, 15] < 0.05


def test_a_sample_knows_the_fold_of_its_subject():
    """Real subjects bring the fold that they were dealt, and whoever was not dealt brings none."""
    sources = [replace(stack(seed=n), name=name) for n, name in enumerate(("a", "b", "c"))]
    mixed = SampleStream(None, sources, 4, 4, seed=1, real_share=1.0, folds={"a": 0, "b": 2})
    folds = torch.cat([mixed[i]["fold"] for i in range(4)])
    assert set(folds.tolist()) == {0, 2, NO_FOLD}
    alone = SampleStream(None, sources[1:2], 4, 2, seed=1, real_share=1.0, folds={"a": 0, "b": 2})
    assert alone[0]["fold"].tolist() == [2, 2, 2, 2]


def test_lumbar_images_take_three_turns():
    """Of a T1w, a T2w and a lumbar source, the lumbar one gives about three samples of five."""
    lumbar = replace(stack("T2w", 3), name="lumbar", site=dataset.LUMBAR_SITE)
    sources = [stack("T1w", 1), stack("T2w", 2), lumbar]
    mixed = SampleStream(None, sources, 20, 3, seed=1, real_share=1.0, folds={"lumbar": 1})
    folds = torch.cat([mixed[i]["fold"] for i in range(3)])
    assert float((folds == 1).float().mean()) == pytest.approx(0.6, abs=0.12)
