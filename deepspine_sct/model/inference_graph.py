"""A network as it is used, ready to be exported: the leanest graph that gives its answer."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from .hourglass import Head, Residual, StackedHourglass
from .output import Maps


class InferenceGraph(nn.Module):
    """A network as it is used: images (B, 1, H, W) to the three `Maps`, and nothing else."""

    def __init__(self, network: StackedHourglass, loss: str):
        super().__init__()
        self.network = network
        self.loss = loss

    def forward(self, images: Tensor) -> Maps:
        """Run the network on images (B, 1, H, W)."""
        scores, attention = self.answer(images)
        scores, level = scores[:, :-1], scores[:, -1]
        if self.loss == "mse":  # the original's: one sigmoid per disc, no level
            return Maps(scores[:, :-1].sigmoid(), torch.full_like(level, torch.nan), attention[:, 0])
        # A softmax over the channels, spelt out: ONNX Runtime transposes for its own.
        odds = (scores - scores.amax(1, keepdim=True)).exp()
        return Maps(odds[:, :-1] / odds.sum(1, keepdim=True), level * 100, attention[:, 0])

    def answer(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last stack's scores (B, K + 2, h, w) and the attention (B, 1, h, w)."""
        scores, attention = self.network(images)
        return scores[-1], attention


class MergedGraph(InferenceGraph):
    """The same answer from a `StackedHourglass`, without the scores of its inner stacks.

    They serve only to be merged into the next stack. Both steps are linear, so they are one
    convolution of the inner stack's features, together with the merging of those. The normalisations
    at the beginning of the blocks are convolutions as well, which can be computed in integers.
    """

    def __init__(self, network: StackedHourglass, loss: str):
        network = deepcopy(network)
        for block in [module for module in network.modules() if isinstance(module, Residual)]:
            block.body[0] = _as_convolution(block.body[0])
        super().__init__(network, loss)
        inner = zip(network.merge_features, network.merge_scores, network.heads, strict=False)
        self.merges = nn.ModuleList(_merged(*parts) for parts in inner)

    def answer(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same as the network, by fewer convolutions."""
        network = self.network
        x = network.stem(images)
        features = []
        for i, hourglass in enumerate(network.hourglasses):
            features.append(network.features[i](hourglass(x)))
            if i < len(self.merges):
                x = x + self.merges[i](features[i])
        attention = network._attend(features)
        return network.heads[-1](features[-1] * attention), attention


def inference_graph(network: StackedHourglass, loss: str) -> InferenceGraph:
    """Build the leanest graph that gives the network's answer."""
    ours = type(network) is StackedHourglass  # a subclass may do something else around the stacks
    return (MergedGraph if ours else InferenceGraph)(network, loss).eval()


def _as_convolution(norm: nn.BatchNorm2d) -> nn.Conv2d:
    """Return a convolution that scales and shifts each channel by itself, as a trained normalisation does."""
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    convolution = nn.Conv2d(norm.num_features, norm.num_features, 1, groups=norm.num_features)
    with torch.no_grad():
        convolution.weight.copy_(scale[:, None, None, None])
        convolution.bias.copy_(norm.bias - norm.running_mean * scale)
    return convolution


def _merged(merge_features: nn.Conv2d, merge_scores: nn.Conv2d, head: Head) -> nn.Conv2d:
    """One 1x1 convolution for ``merge_features(x) + merge_scores(head(x))``."""
    score, level = head.score, head.level
    weight = torch.cat([score.weight, level.weight]).double().flatten(1)  # (K + 2, C)
    bias = torch.cat([score.bias, level.bias]).double()
    mix = merge_scores.weight.double().flatten(1)  # (C, K + 2)
    merged = nn.Conv2d(merge_features.in_channels, merge_features.out_channels, 1)
    with torch.no_grad():
        merged.weight.copy_(merge_features.weight + (mix @ weight)[:, :, None, None])
        merged.bias.copy_(merge_features.bias + merge_scores.bias + mix @ bias)
    return merged


def multiply_adds(network: nn.Module, shape: tuple[int, int]) -> int:
    """Count the multiply-adds of all convolutions for one image of ``shape`` (H, W)."""
    counts = []

    def count(convolution: nn.Conv2d, _: tuple[Tensor, ...], output: Tensor) -> None:
        counts.append(convolution.weight.numel() * output.shape[-2] * output.shape[-1])

    convolutions = (module for module in network.modules() if isinstance(module, nn.Conv2d))
    hooks = [convolution.register_forward_hook(count) for convolution in convolutions]
    with torch.inference_mode():
        network(torch.zeros(1, 1, *shape))
    for hook in hooks:
        hook.remove()
    return sum(counts)
