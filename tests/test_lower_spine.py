"""Real lower spines in the simulator: straight planes of a made-up subject, and simulations that end in it."""

from dataclasses import replace

import numpy as np
import pytest
from lumbar_phantom import BODY_DEPTH_MM, CANAL_RADIUS_MM, SIZE, TIP_FRONT_MM, VALUES
from templates import needs_templates

from deepspine_sct.anatomy import LEVEL_MM
from deepspine_sct.simulation import simulator
from deepspine_sct.simulation.atlas import TISSUES
from deepspine_sct.simulation.lower_spine import is_usable, random_join_mm
from deepspine_sct.simulation.simulator import simulate
from deepspine_sct.simulation.tissue import Lower

DISC = [TISSUES.index("annulus"), TISSUES.index("nucleus")]
BONE = [TISSUES.index(tissue) for tissue in ("body", "cortex")]
CANAL = [TISSUES.index("cord"), TISSUES.index("csf")]


def share_of(lower, tissues: list[int], s_mm: float, half_mm: float, u_mm: tuple[float, float]) -> float:
    """Mean share of some tissues in a box of the middle plane."""
    middle = lower.fractions[len(lower.x_mm) // 2] / 255.0
    rows = np.abs(lower.s_mm - s_mm) < half_mm
    columns = (lower.u_mm > u_mm[0]) & (lower.u_mm < u_mm[1])
    return float(middle[np.ix_(rows, columns)][..., tissues].sum(-1).mean())


def test_straight_planes_hold_discs_bodies_and_canal_at_their_levels(lower_spine):
    """Each disc lies at the template's level, half-way between two there is bone, and behind both is the canal."""
    bodies_mm = (TIP_FRONT_MM / SIZE + 3, (TIP_FRONT_MM + BODY_DEPTH_MM) / SIZE - 3)
    canal_mm = (-CANAL_RADIUS_MM / SIZE + 2, CANAL_RADIUS_MM / SIZE - 2)
    for value in VALUES:
        level_mm = LEVEL_MM[value - 1]
        assert share_of(lower_spine, DISC, level_mm, 2.0, bodies_mm) > 0.9, value
        assert share_of(lower_spine, CANAL, level_mm, 2.0, canal_mm) > 0.95, value
        assert lower_spine.tip_u_mm[value - 1] == pytest.approx(TIP_FRONT_MM / SIZE, abs=1.5)
    for above in VALUES[:-1]:
        between_mm = LEVEL_MM[above - 1 : above + 1].mean()
        assert share_of(lower_spine, BONE, between_mm, 4.0, bodies_mm) > 0.9, above
    assert np.isnan(lower_spine.tip_u_mm[: VALUES[0] - 1]).all()


def test_a_sample_is_the_plane_below_the_join_and_nothing_above(lower_spine):
    """On the sample points themselves the look-up returns the stored values; above the join the share is nought."""
    s_mm, u_mm = np.meshgrid(lower_spine.s_mm[40:280], lower_spine.u_mm[60:110], indexing="ij")
    share, fractions, texture = lower_spine.sample(s_mm, u_mm, np.zeros_like(s_mm), join_mm=0.0)
    below = s_mm < -2
    plane = len(lower_spine.x_mm) // 2
    stored = lower_spine.fractions[plane, 40:280, 60:110] / 255.0
    np.testing.assert_allclose(fractions[below], stored[below], atol=1e-6)
    np.testing.assert_allclose(texture[below], (lower_spine.texture[plane, 40:280, 60:110] / 170.0)[below], atol=1e-6)
    assert share[below].max() == 1 and share[s_mm > 2].max() == 0


def test_who_cannot_be_laid_straight_is_not_used(lumbar_subjects):
    """A subject is left out whose discs lie too close, sway to the side, are behind the line or miss T12/L1."""
    good = lumbar_subjects["b_tilted"]
    assert is_usable(good)

    def changed(value: int, by_mm: tuple[float, float, float]):
        return replace(good, points=good.points | {value: good.points[value] + by_mm})

    assert not is_usable(changed(22, (0.0, 0.0, -15.0)))
    assert not is_usable(changed(22, (16.0, 0.0, 0.0)))
    assert not is_usable(changed(22, (0.0, -12.0, 0.0)))
    assert not is_usable(replace(good, points={v: p for v, p in good.points.items() if v > 20}))


def test_the_join_is_in_the_middle_of_a_vertebra(lower_spine):
    """Drawn again and again, it lies half-way between two discs, of which the lower one is the subject's own."""
    rng = np.random.default_rng(0)
    middles_mm = [(LEVEL_MM[v - 2] + LEVEL_MM[v - 1]) / 2 for v in (19, 20, 21)]
    drawn_mm = {random_join_mm(rng, lower_spine) for _ in range(60)}
    assert drawn_mm == set(map(float, middles_mm))


@needs_templates
def test_the_same_seed_gives_the_same_bytes_with_lower_spines(atlas, lower_spine):
    """A scan that ends in a real spine is a function of the seed; it names the subject, and is not that without."""
    how = {"shape": (96, 64), "centre_s_mm": 0.0}
    one, two = (simulate(np.random.default_rng(4), atlas, **how, lower=[lower_spine]) for _ in range(2))
    assert one.image.tobytes() == two.image.tobytes() and one.tips_rc.tobytes() == two.tips_rc.tobytes()
    assert one.subject == lower_spine.name
    plain = simulate(np.random.default_rng(4), atlas, **how)
    assert plain.subject == "" and plain.image.tobytes() != one.image.tobytes()


@needs_templates
def test_tips_of_simulated_cases_lie_at_the_discs_of_the_lower_spine(atlas, lower_spine, monkeypatch):
    """Below the join each tip has disc 2 to 6 mm in front of it, and behind it is the canal, in that very window."""
    asked = {}

    def remember(rng, atlas, s_mm, u_mm, x_mm, family, means, variant, lower):
        asked.update(s_mm=s_mm, u_mm=u_mm, lower=lower)
        return np.ones(s_mm.shape, np.float32)

    monkeypatch.setattr(simulator, "paint", remember)
    spine = replace(lower_spine, tip_u_mm=lower_spine.tip_u_mm)
    n_checked = 0
    for seed in range(12):
        how = {"off_middle": False, "partial": False, "centre_s_mm": -40.0}
        case = simulate(np.random.default_rng(seed), atlas, (128, 96), lower=[spine], **how)
        lower: Lower = asked["lower"]
        for index in np.flatnonzero((case.presence == 1) & (lower.join_mm > LEVEL_MM)):
            row, column = np.rint(case.tips_rc[index]).astype(int)
            s_mm, u_mm = asked["s_mm"][row, column], asked["u_mm"][row, column]
            assert abs(s_mm - LEVEL_MM[index]) < 4
            ahead = np.array([[u_mm + 2, u_mm + 4, u_mm + 6]])
            behind = ahead - 6 - TIP_FRONT_MM / SIZE  # about the middle of the canal
            for where_mm, tissues in ((ahead, DISC), (behind, CANAL)):
                at_s_mm = np.full_like(where_mm, LEVEL_MM[index])
                _, fractions, _ = spine.sample(at_s_mm, where_mm, np.zeros_like(where_mm), lower.join_mm)
                assert fractions[..., tissues].sum(-1).max() > 0.9, (seed, index + 1)
            n_checked += 1
    assert n_checked > 30


@needs_templates
def test_tips_above_the_join_are_those_of_the_template(atlas, lower_spine):
    """The offsets change over from the template's to the subject's own at the join."""
    join_mm = float(LEVEL_MM[18] + LEVEL_MM[19]) / 2
    tip_u_mm = Lower(lower_spine, join_mm).tip_u_mm(atlas.tip_u_mm)
    np.testing.assert_array_equal(tip_u_mm[:19], atlas.tip_u_mm[:19])
    np.testing.assert_array_equal(tip_u_mm[19:], lower_spine.tip_u_mm[19:])
