"""Stacked hourglass network with multi-level attention.

Architecture: A. Newell, K. Yang, J. Deng, "Stacked hourglass networks for human pose estimation" (2016), with the
attention of R. Azad, L. Rouhier, J. Cohen-Adad, "Stacked hourglass network with a multi-level attention mechanism:
where to look for intervertebral disc labeling" (2021): the features of all stacks, squeezed to one sigmoid channel,
multiply the features that the last stack is scored from.

Two things are ours. A stack scores the discs plus a background channel, so that a softmax can say "absent"; and it
regresses the level, the position along the spine, densely around the cord (see ``docs/model_card.md``).
"""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepspine_sct.model.hourglass_config import HourglassConfig


class Residual(nn.Module):
    """Pre-activation bottleneck block, (B, C_in, H, W) -> (B, C_out, H, W)."""

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        n_mid = n_out // 2
        self.body = nn.Sequential(
            nn.BatchNorm2d(n_in),
            nn.ReLU(inplace=False),
            nn.Conv2d(n_in, n_mid, 1, bias=False),
            nn.BatchNorm2d(n_mid),
            nn.ReLU(inplace=True),
            nn.Conv2d(n_mid, n_mid, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_mid),
            nn.ReLU(inplace=True),
            nn.Conv2d(n_mid, n_out, 1),
        )
        self.skip = nn.Identity() if n_in == n_out else nn.Conv2d(n_in, n_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, C, H, W) to as many rows and columns."""
        return self.skip(x) + self.body(x)


def _blocks(n_blocks: int, n_features: int) -> nn.Sequential:
    return nn.Sequential(*(Residual(n_features, n_features) for _ in range(n_blocks)))


class Hourglass(nn.Module):
    """One hourglass: halve ``depth`` times, come back up, add the skip of each scale."""

    def __init__(self, depth: int, n_blocks: int, n_features: int):
        super().__init__()
        self.skip = _blocks(n_blocks, n_features)
        self.down = _blocks(n_blocks, n_features)
        self.inner = Hourglass(depth - 1, n_blocks, n_features) if depth > 1 else _blocks(n_blocks, n_features)
        self.up = _blocks(n_blocks, n_features)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, C, H, W) to features of the same shape."""
        low = self.up(self.inner(self.down(F.max_pool2d(x, 2))))
        return self.skip(x) + F.interpolate(low, scale_factor=2.0, mode="nearest")


class Head(nn.Module):
    """Features of one stack -> scores of discs and background, and the level."""

    def __init__(self, n_features: int, n_discs: int):
        super().__init__()
        self.score = nn.Conv2d(n_features, n_discs + 1, 1)
        self.level = nn.Conv2d(n_features, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, C, h, w) to scores (B, K + 2, h, w), the level last."""
        return torch.cat([self.score(x), self.level(x)], dim=1)


class StackedHourglass(nn.Module):
    """Stacked hourglass network with multi-level attention.

    ``forward`` maps images (B, 1, H, W), H and W multiples of ``config.multiple``, to ``scores`` (S, B, K + 2, h, w)
    and ``attention`` (B, 1, h, w), where S counts the stacks, h = H / 2 and w = W / 2. Of the K + 2 channels the first
    K are the discs' logits, then come the background's logit and the level [100 mm]. Without attention the map is one.
    """

    def __init__(self, config: HourglassConfig):
        super().__init__()
        self.config = config
        n, stacks = config.n_features, range(config.n_stacks)
        self.stem = nn.Sequential(
            nn.Conv2d(1, n // 2, 7, stride=config.stride, padding=3, bias=False),
            nn.BatchNorm2d(n // 2),
            nn.ReLU(inplace=True),
            Residual(n // 2, n),
        )
        self.hourglasses = nn.ModuleList(Hourglass(config.depth, config.n_blocks, n) for _ in stacks)
        self.features = nn.ModuleList(
            nn.Sequential(*_blocks(config.n_blocks, n), nn.Conv2d(n, n, 1, bias=False), nn.BatchNorm2d(n), nn.ReLU())
            for _ in stacks
        )
        self.heads = nn.ModuleList(Head(n, config.n_discs) for _ in stacks)
        self.merge_features = nn.ModuleList(nn.Conv2d(n, n, 1) for _ in stacks[:-1])
        self.merge_scores = nn.ModuleList(nn.Conv2d(config.n_discs + 2, n, 1) for _ in stacks[:-1])
        if config.attention:
            self.attention = nn.Sequential(
                nn.Conv2d(n * config.n_stacks, n, 1),
                nn.BatchNorm2d(n),
                nn.ReLU(inplace=True),
                nn.Conv2d(n, 1, 1),
                nn.Sigmoid(),
            )

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Map images (B, 1, H, W) to the scores of every stack (S, B, K + 2, h, w) and the attention (B, 1, h, w)."""
        x = self.stem(image)
        features, scores = [], []
        for i, hourglass in enumerate(self.hourglasses):
            features.append(self.features[i](hourglass(x)))
            if i + 1 < self.config.n_stacks:
                scores.append(self.heads[i](features[i]))
                x = x + self.merge_features[i](features[i]) + self.merge_scores[i](scores[i])
        attention = self._attend(features)
        scores.append(self.heads[-1](features[-1] * attention))
        return torch.stack(scores), attention

    def _attend(self, features: list[Tensor]) -> Tensor:
        if not self.config.attention:
            return torch.ones_like(features[-1][:, :1])
        return self.attention(torch.cat(features, dim=1))


def first_stacks(network: StackedHourglass, n_stacks: int) -> StackedHourglass:
    """Return the first stacks of a trained network as a network of their own, to go on training with.

    Every stack has learnt to answer, so that the first ones are a smaller network that knows nearly as much. The
    attention keeps the weights of their features.
    """
    shorter = StackedHourglass(replace(network.config, n_stacks=n_stacks))
    weights = network.state_dict()
    for name, own in shorter.state_dict().items():
        own.copy_(weights[name][:, : own.shape[1]] if name == "attention.0.weight" else weights[name])
    return shorter.train(network.training)
