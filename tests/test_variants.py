"""Spines with another number of vertebrae, and fused ones: what is painted and what is named."""

from collections import Counter

import numpy as np
import pytest
from templates import needs_templates

from deepspine_sct.anatomy import LEVEL_MM
from deepspine_sct.simulation.contrast import random_contrast
from deepspine_sct.simulation.simulator import simulate
from deepspine_sct.simulation.tissue import paint
from deepspine_sct.simulation.variants import COMMON, RATES, fused_variant, numbered, random_variant

DOWN_MM = np.arange(500.013, -250.0, -0.05)  # never exactly on a disc


def vertebrae(variant) -> list[int]:
    """Walk down the counted spine; list the template's vertebra (index of the disc above) in each stretch."""
    units = np.searchsorted(-LEVEL_MM, -variant.to_template(DOWN_MM), side="right") - 1
    return [int(u) for k, u in enumerate(units) if (k == 0 or units[k - 1] != u) and 0 <= u < 24]


@pytest.mark.parametrize("unit", range(2, 24))
def test_one_vertebra_fewer_is_left_out_and_all_others_stay(unit):
    """Walking down meets every vertebra of the template once, but for the missing one, and 24 discs have a name."""
    variant = numbered("fewer", unit)
    assert vertebrae(variant) == [u for u in range(24) if u != unit]
    assert np.flatnonzero(~variant.seen).tolist() == [24]


@pytest.mark.parametrize("unit", range(2, 23))
def test_one_vertebra_more_repeats_its_neighbour(unit):
    """A walk down passes the repeated vertebra's template range twice, and the sacrum begins one vertebra lower."""
    variant = numbered("more", unit)
    template_mm = variant.to_template(DOWN_MM)
    inside = (template_mm < LEVEL_MM[unit] - 1) & (template_mm > LEVEL_MM[unit + 1] + 1)
    assert np.count_nonzero(np.diff(inside.astype(int)) == 1) == 2
    sacrum_mm = DOWN_MM[template_mm < LEVEL_MM[-1] - 0.1][0]
    assert sacrum_mm == pytest.approx(2 * LEVEL_MM[-1] - LEVEL_MM[-2], abs=0.5)
    assert variant.seen.all()


@pytest.mark.parametrize("name", ["fewer", "more"])
def test_discs_above_the_variant_keep_their_place(name):
    """Down to the vertebra concerned, counted and template coordinates are one."""
    above_mm = np.linspace(LEVEL_MM[18] + 0.01, 600, 500)
    np.testing.assert_allclose(numbered(name, 18).to_template(above_mm), above_mm, atol=1e-2)


def test_variants_come_at_the_stated_rates():
    """Of 20,000 draws each variant has its share; without the neck in view the number of vertebrae is 24."""
    rng = np.random.default_rng(0)
    with_head = Counter(random_variant(rng, True).name for _ in range(20_000))
    without = Counter(random_variant(rng, False).name for _ in range(2_000))
    for name, rate in RATES.items():
        assert with_head[name] / 20_000 == pytest.approx(rate, abs=0.006)
    assert without["fewer"] == without["more"] == 0


@needs_templates
def test_a_fused_disc_is_gone_and_the_rest_of_the_image_is_not(atlas):
    """Painted with the same seed, a fused disc turns into marrow within 12 mm of its place and nowhere else."""
    s_mm, u_mm = np.meshgrid(np.arange(500.0, -120.0, -1.0), np.arange(40.0, -60.0, -1.0), indexing="ij")
    _, means = random_contrast(np.random.default_rng(1), "t1")
    images = [
        paint(np.random.default_rng(2), atlas, s_mm, u_mm, np.zeros_like(s_mm), "t1", means, variant)
        for variant in (COMMON, fused_variant("block", {9: 1.0}))
    ]
    changed = np.abs(images[1] - images[0]) > 1e-5
    assert changed.any()
    assert np.abs(s_mm[changed] - LEVEL_MM[9]).max() < 12
    at_disc = (np.abs(s_mm - LEVEL_MM[9]) < 1) & (np.abs(u_mm - 18) < 3)
    in_marrow = (np.abs(s_mm - (LEVEL_MM[8] + LEVEL_MM[9]) / 2) < 2) & (np.abs(u_mm - 18) < 3)
    gaps = [abs(image[at_disc].mean() - image[in_marrow].mean()) for image in images]
    assert gaps[1] < 0.5 * gaps[0]


@needs_templates
def test_names_are_counted_from_the_head(atlas):
    """With a vertebra fewer the window shows discs 1 to 24 and no 25; a fused disc has no point either."""
    view = {"shape": (340, 192), "centre_s_mm": 190.0, "off_middle": False, "partial": False}
    for seed in range(4):
        few = simulate(np.random.default_rng(seed), atlas, **view, variant=numbered("fewer", 22))
        block = simulate(np.random.default_rng(seed), atlas, **view, variant=fused_variant("block", {9: 1.0}))
        assert np.isnan(few.tips_rc[24]).all() and few.presence[24] == 0
        assert np.isnan(block.tips_rc[9]).all() and block.presence[9] == 0
        assert few.presence[5:20].all() and block.presence[10:20].all()
