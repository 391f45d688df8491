"""Export a checkpoint for ONNX Runtime: ``python -m deepspine_sct.model.export IN.safetensors OUT.onnx``.

The export answers with probabilities and millimetres, as every runtime does. What only training
needs is left out: the scores of all stacks but the last.
"""

from __future__ import annotations

import argparse
import inspect
import io
import json
import sys
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from .. import __version__
from ..errors import DeepspineError
from ..files.atomic import atomic_path
from .checkpoint import checksum, load_checkpoint
from .hourglass import Head, StackedHourglass
from .onnx_runtime import FORMAT_VERSION
from .output import Maps
from .seal import KEY, UNSEALED, seal

OPSET = 17
"""ONNX operator set; ONNX Runtime knows it since 1.12."""

_ONE_EXPORTER = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
"""Where torch (2.5 and later) has two exporters, the one that all versions share: the newer one needs one more
package, and its graph differs between versions of torch."""


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
        if self.loss == "mse":  # the original's: one sigmoid a disc, no level
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
    convolution of the inner stack's features, together with the merging of those.
    """

    def __init__(self, network: StackedHourglass, loss: str):
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


def export(source: Path, target: Path) -> None:
    """Write the export of a checkpoint, whole or not at all; the same bytes for the same input.

    The metadata hold the checkpoint's description and SHA-256, the multiply-adds for a pixel of
    the image, the operator set, and the versions that made the file.

    Parameters
    ----------
    source : Path
        Checkpoint, ``.safetensors``.
    target : Path
        File to write, ``.onnx``.

    Raises
    ------
    DeepspineError
        When the checkpoint cannot be read or the file cannot be written.
    """
    import onnx  # an extra: only who exports needs it

    network, description = load_checkpoint(source)
    graph = inference_graph(network, description.get("loss", ""))
    side = 2 * network.config.multiple
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        torch.onnx.export(
            graph,
            (torch.zeros(2, 1, side, side),),
            buffer,
            input_names=["images"],
            output_names=list(Maps._fields),
            dynamic_axes={
                "images": {0: "N", 2: "H", 3: "W"},
                "heatmaps": {0: "N", 2: "h", 3: "w"},
                "level_mm": {0: "N", 1: "h", 2: "w"},
                "attention": {0: "N", 1: "h", 2: "w"},
            },
            opset_version=OPSET,
            **_ONE_EXPORTER,
        )
    model = onnx.load_from_string(buffer.getvalue())
    onnx.helper.set_model_props(
        model,
        {
            "format": str(FORMAT_VERSION),
            "description": json.dumps(description, sort_keys=True),
            "checkpoint_sha256": checksum(source),
            "multiple": str(network.config.multiple),
            "multiply_adds_per_pixel": str(multiply_adds(graph, (side, side)) // side**2),
            "opset": str(OPSET),
            "versions": f"deepspine_sct {__version__}, torch {torch.__version__}, onnx {onnx.__version__}",
            KEY: UNSEALED,
        },
    )
    onnx.checker.check_model(model)
    with atomic_path(target) as temporary:
        temporary.write_bytes(seal(model.SerializeToString(deterministic=True)))


def main(argv: list[str] | None = None) -> int:
    """Run the exporter and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="checkpoint (.safetensors)")
    parser.add_argument("target", type=Path, help="file to write (.onnx)")
    args = parser.parse_args(argv)
    try:
        export(args.source, args.target)
    except DeepspineError as error:
        print(f"export: error: {error}", file=sys.stderr)
        return DeepspineError.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
