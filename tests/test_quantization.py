"""The network in integers: what it is made of, against arithmetic that is written out here."""

from pathlib import Path

import numpy as np
import pytest

from deepspine_sct.image.nifti import read_volume
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.model.onnx_runtime import OnnxRuntime
from deepspine_sct.model.runtime import SHIPPED, SHIPPED_ONNX
from deepspine_sct.training import quantize as command

onnx = pytest.importorskip("onnx")
from deepspine_sct.model.export import to_onnx, write  # noqa: E402
from deepspine_sct.model.quantization import ONNX_DOMAINS, quantize  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT.parent / "shared" / "real"


@pytest.fixture(scope="module")
def images():
    """(N, H, W) slabs of a scan as the network sees them."""
    volume = read_volume(ROOT / "data_test" / "t1_sim.nii.gz")
    return Predictor(OnnxRuntime(SHIPPED_ONNX)).predict(volume).slabs.data


@pytest.fixture(scope="module")
def quantized(images):
    """The shipped network, quantized on these slabs."""
    return quantize(to_onnx(SHIPPED), images)


@pytest.fixture(scope="module")
def shipped():
    """The installed network's graph."""
    return onnx.load(SHIPPED_ONNX)


def tensors(network):
    """Map the names of the stored tensors to arrays."""
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in network.graph.initializer}


def operators(network):
    """List the operators in the order of the graph."""
    return [node.op_type for node in network.graph.node]


def test_what_is_spared_stays_in_floats(images):
    """With every convolution spared none computes in integers, and the answers are those of the floats."""
    network = to_onnx(SHIPPED)
    spared = quantize(network, images[:1], spared=lambda graph: {node.name for node in graph.graph.node})
    assert not [name for name in operators(spared) if name.startswith("QLinear")]
    stored = tensors(spared).values()
    assert not [array for array in stored if array.dtype == np.int8 and array.ndim == 4]


def test_the_answers_stay_near_those_of_the_floats(quantized, images, tmp_path):
    """Probabilities of the discs move by 0.02 on average where there are discs, levels by 2 mm."""
    write(to_onnx(SHIPPED), tmp_path / "floats.onnx")
    write(quantized, tmp_path / "integers.onnx")
    expected, maps = (OnnxRuntime(tmp_path / f"{name}.onnx").run(images) for name in ("floats", "integers"))
    disc = expected.heatmaps > 0.1
    near = expected.heatmaps.sum(axis=1) > 0.3
    assert disc.sum() > 100
    assert np.abs(maps.heatmaps - expected.heatmaps)[disc].mean() < 0.02
    assert np.abs(maps.level_mm - expected.level_mm)[near].mean() < 2
    assert np.abs(maps.attention - expected.attention).mean() < 0.02
    assert maps.heatmaps.tobytes() != expected.heatmaps.tobytes()  # or nothing was quantized


def test_the_same_network_and_images_give_the_same_bytes(quantized, images):
    """An export in integers can be reproduced."""
    again = quantize(to_onnx(SHIPPED), images)
    assert again.SerializeToString(deterministic=True) == quantized.SerializeToString(deterministic=True)


@pytest.mark.parametrize("which", ["quantized", "shipped"])
def test_all_but_the_ends_are_integers(request, which):
    """Only the convolution that sees the image and the two products that answer are floats, on every processor."""
    network = request.getfixturevalue(which)
    found = operators(network)
    assert found.count("QLinearConv") > 100
    floats = [node for node in network.graph.node if node.op_type in ("Conv", "FusedConv", "MatMul")]
    assert [node.op_type for node in floats] == ["Conv", "MatMul", "MatMul"] and "images" in floats[0].input
    assert {node.domain for node in network.graph.node} <= ONNX_DOMAINS
    assert {known.domain for known in network.opset_import} == ONNX_DOMAINS


@pytest.mark.parametrize("which", ["quantized", "shipped"])
def test_no_sum_of_two_products_leaves_sixteen_bits(request, which):
    """Processors without instructions for neural networks add two products in 16 bits and cut off what is more."""
    network = request.getfixturevalue(which)
    stored = tensors(network)
    weights = [stored[node.input[3]] for node in network.graph.node if node.op_type == "QLinearConv"]
    assert {weight.dtype for weight in weights} == {np.dtype(np.int8)}
    assert 2 * 255 * max(int(np.abs(weight.astype(int)).max()) for weight in weights) <= np.iinfo(np.int16).max


def test_a_convolution_gives_the_integers_of_long_hand(shipped, images):
    """A 3 x 3 convolution, multiplied and added in 64 bits here, agrees with ONNX Runtime to the integer."""
    stored = tensors(shipped)
    node = next(n for n in shipped.graph.node if n.op_type == "QLinearConv" and stored[n.input[3]].shape[2:] == (3, 3))
    seen, answered = node.input[0], node.output[0]
    for name in (seen, answered):
        shipped.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, None))
    import onnxruntime

    session = onnxruntime.InferenceSession(shipped.SerializeToString(), providers=["CPUExecutionProvider"])
    x, y = session.run([seen, answered], {"images": images[:1, None].astype(np.float32)})

    x_scale, x_zero, weight, w_scale, w_zero, y_scale, y_zero, bias = (stored[name] for name in node.input[1:])
    assert not w_zero.any() and x.std() > 0
    padded = np.pad(x[0].astype(int) - int(x_zero), ((0, 0), (1, 1), (1, 1)))
    sums = np.zeros((len(weight), *x.shape[2:]), dtype=int) + bias[:, None, None]
    for row in range(3):
        for column in range(3):
            piece = padded[:, row : row + x.shape[2], column : column + x.shape[3]]
            sums += np.einsum("oi,ihw->ohw", weight[:, :, row, column].astype(int), piece)
    scale = (x_scale * w_scale / y_scale)[:, None, None]
    expected = np.clip(np.rint(sums * scale) + int(y_zero), 0, 255)
    differences = np.abs(expected - y[0])
    assert differences.max() <= 1 and (differences > 0).mean() < 1e-3  # a half may be rounded either way


def test_the_largest_maps_are_doubled_pixel_by_pixel(shipped, images):
    """What stands in place of ONNX Runtime's own doubling repeats every row and every column, to the byte."""
    import onnxruntime

    network = onnx.ModelProto()
    network.CopyFrom(shipped)
    makers = {name: node for node in network.graph.node for name in node.output}
    ends = [
        node for node in network.graph.node if node.op_type == "Transpose" and "/Reshape" in makers[node.input[0]].name
    ]
    assert len(ends) == 2  # one for each stack
    for end in ends:
        rows = makers[makers[end.input[0]].input[0]]
        start = makers[makers[rows.input[0]].input[0]]
        names = [start.input[0], end.output[0]]
        answers = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.UINT8, None) for name in names]
        network.graph.output.extend(answers)
        session = onnxruntime.InferenceSession(network.SerializeToString(), providers=["CPUExecutionProvider"])
        small, doubled = session.run(names, {"images": images[:1, None].astype(np.float32)})
        assert small.std() > 0
        np.testing.assert_array_equal(doubled, small.repeat(2, axis=2).repeat(2, axis=3))


def test_the_metadata_are_those_of_the_export(quantized):
    """Description, checksum and multiple are kept, so that the file can be told to belong to its checkpoint."""
    known, expected = ({p.key: p.value for p in network.metadata_props} for network in (quantized, to_onnx(SHIPPED)))
    assert known == expected


def test_the_command_writes_a_network_or_says_in_one_line_why_not(tmp_path, capsys):
    """A missing checkpoint, missing sources or a name of another kind: exit status 1, one line and no file."""
    target = tmp_path / "a.onnx"
    foreign = tmp_path / "a.safetensors"
    for source, data, name in [
        (tmp_path / "none.safetensors", SOURCES, target), (SHIPPED, tmp_path, target), (SHIPPED, SOURCES, foreign),
    ]:  # fmt: skip
        assert command.main([str(source), str(data), str(name)]) == 1
        message = capsys.readouterr().err
        assert message.startswith("quantize: error: ") and message.count("\n") == 1
        assert not target.exists() and not foreign.exists()
