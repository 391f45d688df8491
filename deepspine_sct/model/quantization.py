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

_TWICE = "twice the height and the width"


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
    double_by_copying(quantized)
    quantized.metadata_props.extend(network.metadata_props)
    return quantized


def double_by_copying(network: onnx.ModelProto) -> None:
    """Double the pixels of the largest maps by copying them: the same bytes as those of ``Resize``, in less time.

    ONNX Runtime convolves integers with the channels last, and in this order its ``Resize`` copies byte by byte. The
    maps of the inner levels are small, and keep theirs: every further node takes time when a network is loaded.

    Parameters
    ----------
    network : onnx.ModelProto
        Of this package's export, which is changed. Every ``Resize`` in it repeats each row and column once.
    """
    nodes = []
    for node in network.graph.node:
        largest = node.op_type == "Resize" and "/inner/" not in node.name
        nodes += _doubling(node.name, node.input[0], node.output[0]) if largest else [node]
    twice = onnx.numpy_helper.from_array(np.array([1, 2, 2, 1]), _TWICE)
    network.graph.initializer.append(twice)
    del network.graph.node[:]
    network.graph.node.extend(nodes)


def _doubling(name: str, pixels: str, doubled: str) -> list[onnx.NodeProto]:
    """Nodes from a map (B, C, H, W) to (B, C, 2H, 2W): each pixel twice in its row, then each row twice."""

    def node(kind: str, inputs: list[str], output: str, **attributes: Any) -> onnx.NodeProto:
        return onnx.helper.make_node(kind, inputs, [output], f"{output}/{kind}", **attributes)

    turned, columns, rows, shape, size, larger = (f"{name}/{part}" for part in range(6))
    return [
        node("Transpose", [pixels], turned, perm=[0, 2, 3, 1]),
        node("Concat", [turned, turned], columns, axis=3),
        node("Concat", [columns, columns], rows, axis=2),
        node("Shape", [turned], shape),
        node("Mul", [shape, _TWICE], size),
        node("Reshape", [rows, size], larger),
        node("Transpose", [larger], doubled, perm=[0, 3, 1, 2]),
    ]


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
    """Name the nodes from the last convolution or product on, on every way to an answer."""
    makers = {name: node for node in network.graph.node for name in node.output}
    last: set[str] = set()
    names = [answer.name for answer in network.graph.output]
    while names:
        node = makers.get(names.pop())
        if node is not None and node.name not in last:
            last.add(node.name)
            names += [] if node.op_type in ("Conv", "MatMul") else node.input
    return last
