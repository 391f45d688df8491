"""The original architecture at its own size, with random weights: for time and memory only.

Two stacks of 256 features on 256 x 256 pixels, answering at a quarter of that: the stem of A. Newell,
K. Yang, J. Deng (2016) halves twice, ours once. The stacks are the same code as ours. Run as a script
it labels nothing: it looks at one slice once, as the original does, and prints its size as JSON.
"""

import json

import torch
from torch import nn

from deepspine_sct.model.export import multiply_adds
from deepspine_sct.model.hourglass import HourglassConfig, Residual, StackedHourglass

SIDE = 256  # pixels


def original_network() -> StackedHourglass:
    """Build the network in evaluation mode."""
    network = StackedHourglass(HourglassConfig(n_stacks=2, n_features=256, n_discs=11))
    network.stem = nn.Sequential(
        nn.Conv2d(1, 64, 7, stride=2, padding=3), nn.BatchNorm2d(64), nn.ReLU(inplace=True),
        Residual(64, 128), nn.MaxPool2d(2), Residual(128, 128), Residual(128, 256),
    )  # fmt: skip
    return network.eval()


def main() -> None:
    """Run one slice and print the number of parameters and of multiply-adds."""
    network = original_network()
    with torch.inference_mode():
        network(torch.zeros(1, 1, SIDE, SIDE))
    size = {
        "parameters": sum(weights.numel() for weights in network.parameters()),
        "multiply_adds": multiply_adds(network, (SIDE, SIDE)),
    }
    print(json.dumps(size))


if __name__ == "__main__":
    main()
