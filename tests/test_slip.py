"""Slipped vertebrae in the simulator: a step in the bodies, a bend in the canal, and tips that go along."""

import numpy as np
import pytest
from templates import needs_templates

from deepspine_sct.anatomy import LEVEL_MM
from deepspine_sct.simulation import simulator
from deepspine_sct.simulation.simulator import simulate
from deepspine_sct.simulation.slip import Slip

TIPS_U_MM = np.linspace(8.0, 12.0, 25)
SLIPS = [Slip(disc, far_mm) for disc in (22, 23, 24) for far_mm in (-5.0, 3.0, 14.0)]


@pytest.mark.parametrize("slip", SLIPS, ids=str)
def test_the_body_above_steps_forwards_and_the_one_below_stays(slip):
    """In the middles of both bodies, 15 mm in front of the tips; far above and behind the spine nothing has moved."""
    above_mm, below_mm = LEVEL_MM[slip.disc] + 16.0, LEVEL_MM[slip.disc] - 16.0
    s_mm, u_mm = np.array([[above_mm, below_mm, LEVEL_MM[2]]]), np.array([[30.0, 30.0, 30.0]])
    moved_mm = u_mm - slip.before(s_mm, u_mm, TIPS_U_MM)
    assert 0.8 * abs(slip.forwards_mm) < abs(moved_mm[0, 0]) <= abs(slip.forwards_mm)
    assert np.sign(moved_mm[0, 0]) == np.sign(slip.forwards_mm)
    np.testing.assert_allclose(moved_mm[0, 1:], 0, atol=1e-9)


@pytest.mark.parametrize("slip", SLIPS, ids=str)
def test_what_was_in_front_stays_in_front(slip):
    """No place is seen twice: along each row the former place grows with the present one."""
    s_mm, u_mm = np.meshgrid(np.arange(-220.0, 120.0), np.arange(-60.0, 100.0, 0.5), indexing="ij")
    assert (np.diff(slip.before(s_mm, u_mm, TIPS_U_MM), axis=1) > 0).all()


@pytest.mark.parametrize("slip", SLIPS, ids=str)
def test_the_tips_go_along_with_the_bodies(slip):
    """A tip that has moved as it says was at the tip before: the truth and the image agree."""
    seen_mm = TIPS_U_MM + slip.of_bodies_mm(LEVEL_MM)
    np.testing.assert_allclose(slip.before(LEVEL_MM[None], seen_mm[None], TIPS_U_MM)[0], TIPS_U_MM, atol=1e-9)


@needs_templates
def test_a_simulated_slip_moves_image_and_truth(atlas, lower_spine, monkeypatch):
    """In every scan with one, each tip that is seen lies where the painted coordinates are those of the tip."""
    painted = {}

    def remember(rng, atlas, s_mm, u_mm, x_mm, family, means, variant, lower):
        painted.update(s_mm=s_mm, u_mm=u_mm, lower=lower, variant=variant)
        return np.ones(s_mm.shape, np.float32)

    monkeypatch.setattr(simulator, "paint", remember)
    monkeypatch.setattr(simulator, "SLIP_RATE", 1.0)
    steps_mm = []
    for seed in range(12):
        case = simulate(np.random.default_rng(seed), atlas, (128, 96), centre_s_mm=-80.0, lower=[lower_spine])
        if painted["variant"].name in ("more", "fewer"):
            continue
        tips_u_mm = painted["lower"].tip_u_mm(atlas.tip_u_mm)
        for index in np.flatnonzero(case.presence > 0):
            row, column = np.rint(case.tips_rc[index]).astype(int)
            assert abs(painted["s_mm"][row, column] - LEVEL_MM[index]) < 5, (seed, index)
            assert abs(painted["u_mm"][row, column] - tips_u_mm[index]) < 6, (seed, index)
            steps_mm.append(painted["u_mm"][row, column])
    assert len(steps_mm) > 10


def test_slips_are_as_common_as_the_model_card_says():
    """Half of them at L5/S1, one in seven backwards, none farther than 14 mm."""
    drawn = [Slip.random(np.random.default_rng(seed)) for seed in range(2000)]
    assert np.mean([slip.disc == 24 for slip in drawn]) == pytest.approx(0.5, abs=0.04)
    assert np.mean([slip.forwards_mm < 0 for slip in drawn]) == pytest.approx(0.15, abs=0.03)
    assert max(abs(slip.forwards_mm) for slip in drawn) <= 14
