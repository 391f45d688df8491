"""An exported network in integers of eight bits: half the time of single floats, a third of the file.

Post-training static quantization. Every activation gets one scale, from the range that it takes on some images, and
every channel of a convolution its own. The weights use seven bits, so that two products and their sum fit into the
sixteen bits in which processors without instructions for neural networks add them: no sum is ever cut off, and the
convolutions give the same integers on every processor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx

# It keeps ONNX Runtime, which is loaded after it, from reporting to its makers.
from . import onnx_runtime  # noqa: F401

ONNX_DOMAINS = {"", "com.microsoft"}
"""Operators of ONNX and of ONNX Runtime that run on every processor; others are for one kind of it."""


def both_ends(network: onnx.ModelProto) -> set[str]:
    """Name the nodes of a network up to its first convolutions, and from its last ones on."""
    return first_nodes(network) | last_nodes(network)


def quantize(
    network: onnx.ModelProto,
    images: Iterable[np.ndarray],
    spared: Callable[[onnx.ModelProto], set[str]] = both_ends,
    **settings: Any,
) -> onnx.ModelProto:
    """Return a network that computes in integers of eight bits, except at both of its ends.

    The first and the last convolutions stay single floats. They are cheap. The one sees the image, in which a bright
    spot would leave few of 256 steps for the spine; the answers of the others are read between the pixels and in
    millimetres.

    Parameters
    ----------
    network : onnx.ModelProto
        Export of `export.to_onnx`.
    images : iterable of (H, W) array
        Normalised images as the network will see them; their sides are multiples of the network's ``multiple``.
    spared : callable
        Names the nodes that stay single floats.
    **settings
        Others of ``onnxruntime.quantization.quantize_static`` than those that ship.

    Returns
    -------
    onnx.ModelProto
        The same inputs, outputs and metadata.
    """
    import onnxruntime as ort
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with TemporaryDirectory() as folder:
        single, integer, lean = (str(Path(folder) / f"{name}.onnx") for name in ("single", "integer", "lean"))
        onnx.save(network, single)
        quant_pre_process(single, single, skip_symbolic_shape=True)
        prepared = onnx.load(single)
        quantize_static(
            single,
            integer,
            _Reader(images),
            nodes_to_exclude=sorted(spared(prepared)),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            **{"per_channel": True, "reduce_range": True} | settings,
        )
        # Fused here, once, so that it is not done at every start.
        options = ort.SessionOptions()
        options.optimized_model_filepath = lean
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.log_severity_level = 3  # errors only; a warning would advise against what is done here
        ort.InferenceSession(integer, options, providers=["CPUExecutionProvider"])
        quantized = onnx.load(lean)
    domains = [known for known in quantized.opset_import if known.domain in ONNX_DOMAINS]
    del quantized.opset_import[:], quantized.metadata_props[:]
    quantized.opset_import.extend(domains)
    quantized.ir_version = network.ir_version
    quantized.metadata_props.extend(network.metadata_props)
    return quantized


class _Reader:
    """Hands out one image after the other, as ONNX Runtime asks for them."""

    def __init__(self, images: Iterable[np.ndarray]):
        self._images = iter(images)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next input of the network, or None after the last one."""
        image = next(self._images, None)
        return None if image is None else {"images": np.ascontiguousarray(image, np.float32)[None, None]}


def first_nodes(network: onnx.ModelProto) -> set[str]:
    """Name the nodes that the image goes into, and the rectifications behind them."""
    first = [node for node in network.graph.node if "images" in node.input]
    seen = {name for node in first for name in node.output}
    rectified = [node for node in network.graph.node if node.op_type == "Relu" and seen.intersection(node.input)]
    return {node.name for node in [*first, *rectified]}


def last_nodes(network: onnx.ModelProto) -> set[str]:
    """Name the nodes from the last convolution on, on every way to an answer."""
    makers = {name: node for node in network.graph.node for name in node.output}
    last: set[str] = set()
    names = [answer.name for answer in network.graph.output]
    while names:
        node = makers.get(names.pop())
        if node is not None and node.name not in last:
            last.add(node.name)
            names += [] if node.op_type == "Conv" else node.input
    return last
