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
        scores, level = scores[..., :-1], scores[..., -1]
        if self.loss == "mse":  # the original's: one sigmoid per disc, no level
            heatmaps, level = scores[..., :-1].sigmoid(), torch.full_like(level, torch.nan)
        else:
            heatmaps = scores.softmax(-1)[..., :-1]
        return Maps(heatmaps.permute(0, 3, 1, 2), level * 100, attention[..., 0])

    def answer(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the last stack's scores (B, h, w, K + 2) and the attention (B, h, w, 1), the channels last."""
        scores, attention = self.network(images)
        return scores[-1].permute(0, 2, 3, 1), attention.permute(0, 2, 3, 1)


class MergedGraph(InferenceGraph):
    """The same answer from a `StackedHourglass`, without the scores of its inner stacks.

    They serve only to be merged into the next stack. Both steps are linear, so they are one
    convolution of the inner stack's features, together with the merging of those. The normalisations
    at the beginning of the blocks are convolutions as well, which can be computed in integers. The last
    convolutions, of one pixel each, become matrix products with the channels last. Integers are convolved in this
    order. A convolution of single floats needs the other order, and would have the maps turned twice.
    """

    def __init__(self, network: StackedHourglass, loss: str):
        network = deepcopy(network)
        for block in [module for module in network.modules() if isinstance(module, Residual)]:
            block.body[0] = _as_convolution(block.body[0])
        super().__init__(network, loss)
        inner = zip(network.merge_features, network.merge_scores, network.heads, strict=False)
        self.merges = nn.ModuleList(_merged(*parts) for parts in inner)
        self.head = _as_product(network.heads[-1].score, network.heads[-1].level)
        if network.config.attention:
            *looking, last, _ = network.attention  # and a sigmoid
            self.looking, self.look = nn.Sequential(*looking), _as_product(last)

    def answer(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same as the network, by fewer convolutions."""
        network = self.network
        x = network.stem(images)
        features = []
        for i, hourglass in enumerate(network.hourglasses):
            features.append(network.features[i](hourglass(x)))
            if i < len(self.merges):
                x = x + self.merges[i](features[i])
        attention = self._attend(features)
        seen = features[-1] * attention.permute(0, 3, 1, 2)
        return self.head(seen.permute(0, 2, 3, 1)), attention

    def _attend(self, features: list[Tensor]) -> Tensor:
        if not self.network.config.attention:
            return torch.ones_like(features[-1][:, :1]).permute(0, 2, 3, 1)
        return self.look(self.looking(torch.cat(features, dim=1)).permute(0, 2, 3, 1)).sigmoid()


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


def _as_product(*convolutions: nn.Conv2d) -> nn.Linear:
    """Return the matrix product with the channels last that does what convolutions of one pixel do side by side."""
    weight = torch.cat([convolution.weight for convolution in convolutions]).flatten(1)
    product = nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        product.weight.copy_(weight)
        product.bias.copy_(torch.cat([convolution.bias for convolution in convolutions]))
    return product


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
    """Count the multiply-adds of all convolutions and products for one image of ``shape`` (H, W)."""
    counts = []

    def count(layer: nn.Conv2d | nn.Linear, _: tuple[Tensor, ...], output: Tensor) -> None:
        counts.append(layer.weight[0].numel() * output.numel())

    layers = (module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear))
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.inference_mode():
        network(torch.zeros(1, 1, *shape))
    for hook in hooks:
        hook.remove()
    return sum(counts)
