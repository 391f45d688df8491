"""What the stages of a command are compared with, as JSON: ``python -m benchmarks.cost.yardsticks SCAN...``.

For each scan the time to decompress it, and the time of the network's multiply-adds in single floats, at the rate
at which this machine multiplies large matrices.
"""

import argparse
import json
import zlib
from functools import partial
from math import prod
from pathlib import Path
from time import perf_counter

import numpy as np
import onnxruntime as ort

from deepspine_sct.image.nifti import read_volume
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.model.runtime import SHIPPED_ONNX, load_runtime

SIDE = 1536  # of the matrices: 3.6 billion multiply-adds, larger than any cache
REPEATS = 5


def shapes_run(scan: str) -> list[tuple[int, int, int]]:
    """Label a scan and return the shapes (N, H, W) of the images that the network is given."""
    runtime = load_runtime(device="cpu")
    run, shapes = runtime.run, []

    def recording(images):
        shapes.append(images.shape)
        return run(images)

    runtime.run = recording
    Predictor(runtime).predict(read_volume(scan, lazy=True))
    return shapes


def best_s(action) -> float:
    """Shortest time of several runs [s]."""
    times_s = []
    for _ in range(REPEATS):
        started_s = perf_counter()
        action()
        times_s.append(perf_counter() - started_s)
    return min(times_s)


def inflate(path: Path) -> None:
    """Decompress a file in pieces and throw the result away."""
    decompressor = zlib.decompressobj(wbits=31)
    with open(path, "rb") as stream:
        while piece := stream.read(2**18):
            decompressor.decompress(piece)


def main() -> None:
    """Print what the scans on the command line are compared with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scans", nargs="+", help="compressed NIfTI files")
    args = parser.parse_args()
    metadata = ort.InferenceSession(str(SHIPPED_ONNX)).get_modelmeta().custom_metadata_map
    per_pixel = int(metadata["multiply_adds_per_pixel"])
    factor = np.random.default_rng(0).random((SIDE, SIDE), dtype=np.float32)
    rate = SIDE**3 / best_s(lambda: factor @ factor)  # multiply-adds a second
    scans = {}
    for name in args.scans:
        shapes = shapes_run(name)
        multiply_adds = per_pixel * sum(map(prod, shapes))
        scans[name] = {
            "images": sum(n for n, _, _ in shapes),
            "multiply_adds": multiply_adds,
            "read": best_s(partial(inflate, name)),
            "network": multiply_adds / rate,
        }
    print(json.dumps({"multiply_adds_per_s": rate, "scans": scans}))


if __name__ == "__main__":
    main()
