"""Export a checkpoint in integers: ``python -m deepspine_sct.training.quantize IN.safetensors SOURCES OUT.onnx``.

SOURCES is the folder that training reads (``-data``): the ranges of the activations are measured on images as training
shows them, none of them of a lumbar subject that the shipped weights have never seen.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from itertools import count, islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from deepspine_sct.model.export import check_target, exit_status, to_onnx, write
from deepspine_sct.training.config import TrainingConfig
from deepspine_sct.training.folds import SHIPPED

N_IMAGES = 60
"""With 20 the answers differ from those of the floats by as much."""

_SEED = 77  # of images that no training has drawn


def calibration_images(data: Path) -> Iterator[np.ndarray]:
    """Draw normalised images (H, W) as training shows them, without end and without subjects of the shipped fold."""
    from deepspine_sct.training.recipe import read_sources, stream_of  # brings torch

    config = TrainingConfig(seed=_SEED, batch_size=1)
    stream = stream_of(read_sources(data, None, config), config)
    for i in count():
        batch = stream[i]
        if int(batch["fold"]) != SHIPPED:
            yield batch["image"].numpy()[0, 0]


def export_integers(source: Path, data: Path, target: Path) -> None:
    """Write the export of a checkpoint in integers, whole or not at all; see `quantization.quantize`."""
    from deepspine_sct.model.quantization import quantize  # brings onnx

    check_target(target, source)
    images = tqdm(islice(calibration_images(data), N_IMAGES), total=N_IMAGES, disable=None, unit="image")
    write(quantize(to_onnx(source), images), target)


def main(argv: list[str] | None = None) -> int:
    """Run the exporter and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="checkpoint (.safetensors)")
    parser.add_argument("data", type=Path, help="folder of training sources, as for sct_deepspine_train -data")
    parser.add_argument("target", type=Path, help="file to write (.onnx)")
    args = parser.parse_args(argv)
    return exit_status("quantize", partial(export_integers, args.source, args.data, args.target))


if __name__ == "__main__":
    sys.exit(main())
