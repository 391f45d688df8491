"""The original architecture at its own size, with random weights: for time and memory only.

Two stacks of 256 features on 256 x 256 pixels. Run as a script it labels nothing: it looks at one
slice once, as the original does, and prints its size as JSON.
"""

import json

import torch

from deepspine_sct.model.inference_graph import multiply_adds
from deepspine_sct.model.original import OriginalConfig, OriginalHourglass

SIDE = 256  # pixels


def main() -> None:
    """Run one slice and print the number of parameters and of multiply-adds."""
    network = OriginalHourglass(OriginalConfig(n_stacks=2, n_features=256, n_discs=11)).eval()
    with torch.inference_mode():
        network(torch.zeros(1, 1, SIDE, SIDE))
    size = {
        "parameters": sum(weights.numel() for weights in network.parameters()),
        "multiply_adds": multiply_adds(network, (SIDE, SIDE)),
    }
    print(json.dumps(size))


if __name__ == "__main__":
    main()
