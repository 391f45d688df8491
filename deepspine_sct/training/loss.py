"""What the network is punished for."""

import torch
from torch import Tensor
from torch.nn import functional as F

_DISC_WEIGHT = 12.0  # a disc covers about one heatmap pixel in a thousand
_LEVEL_WEIGHT = 0.5


def cross_entropy_loss(
    scores: Tensor, attention: Tensor, batch: dict[str, Tensor], attention_weight: float = 0.0
) -> dict[str, Tensor]:
    """Weighted cross-entropy over discs and background, plus the dense level, averaged over the stacks, and attention.

    Parameters
    ----------
    scores : (S, B, K + 2, h, w) of `StackedHourglass`
    attention : (B, 1, h, w) of `StackedHourglass`; it is taught mildly to look at discs, as without any teaching it
        lets everything through
    batch : target (B, K + 1, h, w), level (B, 1, h, w) [100 mm, NaN = not taught], known (B, 1, h, w), look
        (B, 1, h, w)
    attention_weight : what teaching the attention counts for

    Returns
    -------
    dict with scalar tensors ``loss``, ``discs``, ``level``, ``attention``
    """
    weight = torch.full((scores.shape[2] - 1, 1, 1), _DISC_WEIGHT, device=scores.device)
    weight[-1] = 1.0
    weighted = weight * batch["target"] * batch["known"]
    discs = -(weighted * F.log_softmax(scores[:, :, :-1], dim=2)).sum((2, 3, 4)).mean()
    discs = discs / (_DISC_WEIGHT * 60)  # a full window holds about ten discs of about six pixels' mass
    level = _level_loss(scores[:, :, -1:], batch["level"])
    look = _attention_loss(attention, batch)
    total = discs + _LEVEL_WEIGHT * level + attention_weight * look
    return {"loss": total, "discs": discs, "level": level, "attention": look}


def heatmap_loss(
    scores: Tensor, attention: Tensor, batch: dict[str, Tensor], attention_weight: float = 0.0
) -> dict[str, Tensor]:
    """Compute the original's loss (Azad 2021): mean squared error of one sigmoid heatmap per disc, over the stacks.

    Unlike the original, absent discs are not masked out: their maps must be silent. The level is not taught.
    """
    look = _attention_loss(attention, batch)
    error = (scores[:, :, :-2].sigmoid() - batch["target"][:, :-1]).square() * batch["known"]
    discs = error.mean() * 100
    total = discs + attention_weight * look
    return {"loss": total, "discs": discs, "level": torch.zeros_like(discs), "attention": look}


def _attention_loss(attention: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """Cross-entropy of the attention map against where the discs are; in single precision, as logarithms need."""
    attention = attention.float().clamp(1e-4, 1 - 1e-4)
    error = -(batch["look"] * attention.log() + (1 - batch["look"]) * (1 - attention).log())
    return (error * batch["known"]).mean()


def _level_loss(level: Tensor, truth: Tensor) -> Tensor:
    taught = ~torch.isnan(truth)
    error = F.smooth_l1_loss(level, torch.nan_to_num(truth).expand_as(level), beta=0.1, reduction="none")
    return (error * taught).sum() / (taught.sum() * level.shape[0]).clamp(min=1)


LOSSES = {"cross_entropy": cross_entropy_loss, "mse": heatmap_loss}
