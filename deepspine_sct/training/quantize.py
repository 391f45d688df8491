"""Export a checkpoint in integers: ``python -m deepspine_sct.training.quantize IN.safetensors SOURCES OUT.onnx``.

SOURCES is the folder that training reads (``-data``): the ranges of the activations are measured on images as training
shows them, none of them of a subject that the checkpoint has never seen.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from deepspine_sct.errors import DeepspineError
from deepspine_sct.model.export import to_onnx, write
from deepspine_sct.model.quantization import quantize
from deepspine_sct.training.config import TrainingConfig
from deepspine_sct.training.folds import SHIPPED
from deepspine_sct.training.recipe import read_sources, stream_of

N_IMAGES = 60
"""With 20 the answers differ from those of the floats by as much."""

_SEED = 77  # of images that no training has drawn


def calibration_images(data: Path, fold: int = SHIPPED) -> Iterator[np.ndarray]:
    """Draw normalised images (H, W) as training shows them, without end and without the subjects of a fold."""
    config = TrainingConfig(seed=_SEED, batch_size=1)
    stream = stream_of(read_sources(data, None, config), config)
    for i in count():
        batch = stream[i]
        if int(batch["fold"]) != fold:
            yield batch["image"].numpy()[0, 0]


def main(argv: list[str] | None = None) -> int:
    """Run the exporter and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="checkpoint (.safetensors)")
    parser.add_argument("data", type=Path, help="folder of training sources, as for sct_deepspine_train -data")
    parser.add_argument("target", type=Path, help="file to write (.onnx)")
    args = parser.parse_args(argv)
    try:
        images = tqdm(islice(calibration_images(args.data), N_IMAGES), total=N_IMAGES, disable=None, unit="image")
        write(quantize(to_onnx(args.source), images), args.target)
    except DeepspineError as error:
        print(f"quantize: error: {error}", file=sys.stderr)
        return DeepspineError.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
