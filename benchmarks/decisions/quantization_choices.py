"""How near do integers come to single floats? ``python -m benchmarks.decisions.quantization_choices`` prints a table.

Every choice quantizes the shipped checkpoint on the images that the installed network was quantized on, and answers to
others that training would show.
"""

import argparse
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationMethod
from tqdm import tqdm

from benchmarks.sources import REAL
from deepspine_sct.model.export import to_onnx, write
from deepspine_sct.model.onnx_runtime import OnnxRuntime
from deepspine_sct.model.output import Maps
from deepspine_sct.model.quantization import both_ends, first_nodes, last_nodes, quantize
from deepspine_sct.model.runtime import SHIPPED
from deepspine_sct.training.quantize import N_IMAGES, calibration_images

DISC, SPINE = 0.1, 0.3  # heatmaps from which on there is a disc, sums of them from which on there is the spine
FIRST_BLOCK = 6  # convolutions of the first block, that of the image among them

Choice = Callable[[onnx.ModelProto, list[np.ndarray]], onnx.ModelProto]


def first_block(network: onnx.ModelProto) -> set[str]:
    """Name both ends of a network and its first block."""
    convolutions = [node.name for node in network.graph.node if node.op_type == "Conv"]
    return both_ends(network) | set(convolutions[:FIRST_BLOCK])


def by_histogram(network: onnx.ModelProto, images: list[np.ndarray], method: CalibrationMethod) -> onnx.ModelProto:
    """Quantize on the images that have the shape of the first one: histograms are gathered over equal shapes only."""
    return quantize(network, [image for image in images if image.shape == images[0].shape], calibrate_method=method)


CHOICES: dict[str, Choice] = {
    "everything in integers": partial(quantize, spared=lambda network: set()),
    "the first convolution in floats": partial(quantize, spared=first_nodes),
    "the last convolutions in floats": partial(quantize, spared=last_nodes),
    "the first and the last convolutions in floats (ships)": quantize,
    "also the first block": partial(quantize, spared=first_block),
    "as shipped, weights of eight bits, which can overflow on some processors": partial(quantize, reduce_range=False),
    "as shipped, one scale for all channels": partial(quantize, per_channel=False),
    "as shipped, ranges from percentiles": partial(by_histogram, method=CalibrationMethod.Percentile),
    "as shipped, ranges from entropy": partial(by_histogram, method=CalibrationMethod.Entropy),
}


def answers(network: onnx.ModelProto, images: list[np.ndarray], folder: Path) -> list[Maps]:
    """Run a network on images of any sizes."""
    path = folder / "network.onnx"
    write(network, path)
    runtime = OnnxRuntime(path)
    return [runtime.run(image[None]) for image in images]


def difference(found: list[Maps], expected: list[Maps]) -> tuple[float, float]:
    """Return by how much the heatmaps of discs differ, and the level [mm] on the spine: means over all images."""
    heatmaps, level_mm = [], []
    for ours, floats in zip(found, expected, strict=True):
        disc, spine = floats.heatmaps > DISC, floats.heatmaps.sum(axis=1) > SPINE
        heatmaps += [np.abs(ours.heatmaps - floats.heatmaps)[disc]]
        level_mm += [np.abs(ours.level_mm - floats.level_mm)[spine]]
    return float(np.concatenate(heatmaps).mean()), float(np.concatenate(level_mm).mean())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=50, help="images to answer to (default: 50)")
    parser.add_argument("-data", type=Path, default=REAL, help="training sources")
    args = parser.parse_args()
    drawn = list(islice(calibration_images(args.data), N_IMAGES + args.n))
    known, others = drawn[:N_IMAGES], drawn[N_IMAGES:]
    floats = to_onnx(SHIPPED)
    print("| what | mean difference | level [mm] |\n|---|---:|---:|")
    with TemporaryDirectory() as folder:
        expected = answers(floats, others, Path(folder))
        for name, choice in tqdm(CHOICES.items(), disable=None, unit="choice"):
            away, level_mm = difference(answers(choice(floats, known), others, Path(folder)), expected)
            tqdm.write(f"| {name} | {away:.4f} | {level_mm:.2f} |")


if __name__ == "__main__":
    main()
