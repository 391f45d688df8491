"""Losses, against the same sums written out pixel by pixel."""

import numpy as np
import pytest
import torch

from deepspine_sct.training.loss import cross_entropy_loss, heatmap_loss

STACKS, BATCH, DISCS, HEIGHT, WIDTH = 2, 3, 4, 6, 5


@pytest.fixture
def scores():
    """Scores of all stacks: discs, background, level."""
    torch.manual_seed(0)
    return torch.randn(STACKS, BATCH, DISCS + 2, HEIGHT, WIDTH)


@pytest.fixture
def attention():
    """Where the network looks, between 0 and 1 and with both ends among them."""
    torch.manual_seed(2)
    attention = torch.rand(BATCH, 1, HEIGHT, WIDTH)
    attention[0, 0, 0, :2] = torch.tensor([0.0, 1.0])
    return attention


@pytest.fixture
def batch():
    """Targets that sum to one, levels taught in places, pixels that are not known, and where to look."""
    torch.manual_seed(1)
    level = torch.randn(BATCH, 1, HEIGHT, WIDTH)
    level[torch.rand(level.shape) < 0.5] = torch.nan
    return {
        "target": torch.rand(BATCH, DISCS + 1, HEIGHT, WIDTH).softmax(1),
        "level": level,
        "known": (torch.rand(BATCH, 1, HEIGHT, WIDTH) < 0.8).float(),
        "look": torch.rand(BATCH, 1, HEIGHT, WIDTH),
    }


def pixels():
    """Every stack, image, row and column."""
    return np.ndindex(STACKS, BATCH, HEIGHT, WIDTH)


def test_cross_entropy_equals_its_sum_over_pixels(scores, attention, batch):
    """A disc weighs 12, background 1, unknown pixels 0; the level is smooth L1 where taught."""
    discs, level, n_level = 0.0, 0.0, 0
    for s, b, r, c in pixels():
        logits = scores[s, b, :-1, r, c].double().numpy()
        log_p = logits - np.log(np.exp(logits).sum())
        for k, target in enumerate(batch["target"][b, :, r, c].tolist()):
            weight = 12.0 if k < DISCS else 1.0
            discs -= weight * target * log_p[k] * float(batch["known"][b, 0, r, c])
        truth = float(batch["level"][b, 0, r, c])
        if not np.isnan(truth):
            error = abs(float(scores[s, b, -1, r, c]) - truth)
            level += 0.5 * error**2 / 0.1 if error < 0.1 else error - 0.05
            n_level += 1
    losses = cross_entropy_loss(scores, attention, batch)
    assert float(losses["discs"]) == pytest.approx(discs / (STACKS * BATCH * 12 * 60), rel=1e-5)
    assert float(losses["level"]) == pytest.approx(level / n_level, rel=1e-5)
    expected = float(losses["discs"] + 0.5 * losses["level"])
    assert float(losses["loss"]) == pytest.approx(expected)


def test_heatmap_loss_equals_its_mean_over_pixels(scores, attention, batch):
    """Squared error of a sigmoid a disc; absent discs count, unknown pixels do not."""
    total = 0.0
    for s, b, r, c in pixels():
        for k in range(DISCS):
            answer = 1 / (1 + np.exp(-float(scores[s, b, k, r, c])))
            error = answer - float(batch["target"][b, k, r, c])
            total += error**2 * float(batch["known"][b, 0, r, c])
    expected = 100 * total / (STACKS * BATCH * DISCS * HEIGHT * WIDTH)
    assert float(heatmap_loss(scores, attention, batch)["loss"]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", [cross_entropy_loss, heatmap_loss])
def test_attention_is_the_cross_entropy_of_its_pixels(scores, attention, batch, loss):
    """It counts known pixels alone, stays finite at 0 and 1, and joins the loss by its weight, by default 0."""
    total = 0.0
    for b, r, c in np.ndindex(BATCH, HEIGHT, WIDTH):
        look, known = float(batch["look"][b, 0, r, c]), float(batch["known"][b, 0, r, c])
        answer = min(max(float(attention[b, 0, r, c]), 1e-4), 1 - 1e-4)
        total -= known * (look * np.log(answer) + (1 - look) * np.log(1 - answer))
    plain, weighted = loss(scores, attention, batch), loss(scores, attention, batch, attention_weight=0.3)
    expected = total / (BATCH * HEIGHT * WIDTH)
    assert float(plain["attention"]) == pytest.approx(expected, rel=1e-4)
    assert float(weighted["loss"] - plain["loss"]) == pytest.approx(0.3 * expected, rel=1e-4)


@pytest.mark.parametrize("loss", [cross_entropy_loss, heatmap_loss])
def test_no_gradient_comes_from_what_is_not_known(scores, attention, batch, loss):
    """Where nothing is known and no level is taught, scores and attention may be anything."""
    batch["known"][:, :, 2] = 0
    batch["level"][:, :, 2] = torch.nan
    loss(scores.requires_grad_(), attention.requires_grad_(), batch, attention_weight=0.2)["loss"].backward()
    for answer in (scores, attention):
        assert answer.grad[..., 2, :].abs().max() == 0
        assert answer.grad[..., 3, :].abs().max() > 0


def test_no_taught_level_costs_nothing(scores, attention, batch):
    """A batch without a level is no division by zero."""
    batch["level"][:] = torch.nan
    assert float(cross_entropy_loss(scores, attention, batch)["level"]) == 0
