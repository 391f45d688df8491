"""What the network is punished for."""

import torch
from torch import Tensor
from torch.nn import functional as F

_DISC_WEIGHT = 12.0  # a disc covers about one heatmap pixel in a thousand
_LEVEL_WEIGHT = 0.5


def cross_entropy_loss(scores: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weighted cross-entropy over discs and background, plus the dense level, averaged over the stacks.

    Parameters
    ----------
    scores : (S, B, K + 2, h, w) of `StackedHourglass`
    batch : target (B, K + 1, h, w), level (B, 1, h, w) [100 mm, NaN = not taught], known (B, 1, h, w)

    Returns
    -------
    dict with scalar tensors ``loss``, ``discs``, ``level``
    """
    weight = torch.full((scores.shape[2] - 1, 1, 1), _DISC_WEIGHT, device=scores.device)
    weight[-1] = 1.0
    weighted = weight * batch["target"] * batch["known"]
    discs = -(weighted * F.log_softmax(scores[:, :, :-1], dim=2)).sum((2, 3, 4)).mean()
    discs = discs / (_DISC_WEIGHT * 60)  # a full window holds about ten discs of about six pixels' mass
    level = _level_loss(scores[:, :, -1:], batch["level"])
    return {"loss": discs + _LEVEL_WEIGHT * level, "discs": discs, "level": level}


def heatmap_loss(scores: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The original's loss (Azad 2021): mean squared error of one sigmoid heatmap a disc, averaged over the stacks.

    Unlike the original, absent discs are not masked out: their maps must be silent. The level is not taught.
    """
    error = (scores[:, :, :-2].sigmoid() - batch["target"][:, :-1]).square() * batch["known"]
    discs = error.mean() * 100
    return {"loss": discs, "discs": discs, "level": torch.zeros_like(discs)}


def _level_loss(level: Tensor, truth: Tensor) -> Tensor:
    taught = ~torch.isnan(truth)
    error = F.smooth_l1_loss(level, torch.nan_to_num(truth).expand_as(level), beta=0.1, reduction="none")
    return (error * taught).sum() / (taught.sum() * level.shape[0]).clamp(min=1)


LOSSES = {"cross_entropy": cross_entropy_loss, "mse": heatmap_loss}
