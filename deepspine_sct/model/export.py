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
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..errors import DeepspineError, missing_package
from ..files.atomic import atomic_path
from ..files.outputs import check_ending, check_files, make_folders
from .onnx_runtime import FORMAT_VERSION
from .output import Maps
from .seal import KEY, UNSEALED, seal

if TYPE_CHECKING:
    import onnx

OPSET = 17
"""ONNX operator set; ONNX Runtime knows it since 1.12."""


def export(source: Path, target: Path) -> None:
    """Write the export of a checkpoint, whole or not at all; the same bytes for the same input.

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
    check_target(target, source)
    write(to_onnx(source), target)


def to_onnx(source: Path) -> onnx.ModelProto:
    """Return a checkpoint's network in ONNX, in single floats.

    The metadata hold the checkpoint's description and SHA-256, the multiply-adds for a pixel of
    the image, the operator set, and the versions that made the file.

    Raises
    ------
    DeepspineError
        When the checkpoint cannot be read.
    """
    import onnx  # this and torch are extras: only who exports needs them
    import torch

    from .checkpoint import checksum, load_checkpoint
    from .inference_graph import inference_graph, multiply_adds

    # Where torch (2.5 and later) has two exporters, the one that all versions share: the newer one needs one more
    # package, and its graph differs between versions of torch.
    one_exporter = {"dynamo": False} if "dynamo" in inspect.signature(torch.onnx.export).parameters else {}
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
            **one_exporter,
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
    return model


def check_target(target: Path, source: Path) -> None:
    """Refuse, before any work, a file that is not to be written by the exporter of a checkpoint."""
    check_ending(target, ".onnx", "a network")
    check_files([target], [source])


def write(model: onnx.ModelProto, target: Path) -> None:
    """Write a network of `to_onnx` with a seal (see `seal`), whole or not at all; its folder is made if needed."""
    make_folders([target])
    with atomic_path(target) as temporary:
        temporary.write_bytes(seal(model.SerializeToString(deterministic=True)))


def main(argv: list[str] | None = None) -> int:
    """Run the exporter and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="checkpoint (.safetensors)")
    parser.add_argument("target", type=Path, help="file to write (.onnx)")
    args = parser.parse_args(argv)
    return exit_status("export", partial(export, args.source, args.target))


def exit_status(program: str, work: Callable[[], None]) -> int:
    """Do the work of an exporter and return its exit status, after one line where it fails."""
    try:
        work()
    except DeepspineError as error:
        print(f"{program}: error: {error}", file=sys.stderr)
        return DeepspineError.exit_code
    except ModuleNotFoundError as error:
        print(f"{program}: error: {missing_package(error.name or str(error))}", file=sys.stderr)
        return DeepspineError.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
