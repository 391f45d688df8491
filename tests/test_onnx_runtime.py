"""The exported network against torch: the same answers, from the file that belongs to the weights.

The export in single floats answers as torch does. The installed one computes in integers, and names the same discs.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.model import export, runtime
from deepspine_sct.model.checkpoint import save_checkpoint
from deepspine_sct.model.hourglass import StackedHourglass
from deepspine_sct.model.hourglass_config import HourglassConfig
from deepspine_sct.model.onnx_runtime import OnnxRuntime, thread_count
from deepspine_sct.model.original import OriginalConfig, OriginalHourglass
from deepspine_sct.model.runtime import SHIPPED, SHIPPED_ONNX, load_runtime
from deepspine_sct.model.torch_runtime import TorchRuntime

ROOT = Path(__file__).resolve().parent.parent
REAL = ROOT.parent / "shared" / "real" / "volumes"
SCANS = [
    *sorted((ROOT / "data_test").glob("*_sim.nii.gz")),
    *(REAL / f"{name}.nii.gz" for name in ("sct_t2", "sct_t1", *(f"t1_sg_{n}" for n in range(1, 5)))),
]


class Recorder:
    """A runtime that keeps what it was shown and what it answered."""

    def __init__(self, inner):
        self.inner, self.seen = inner, []
        self.description, self.checksum = inner.description, inner.checksum
        self.multiple, self.threads = inner.multiple, 1  # one after the other, in a fixed order

    def run(self, images):
        """Run the inner runtime."""
        self.seen.append((images, self.inner.run(images)))
        return self.seen[-1][1]


@pytest.fixture(scope="module")
def shipped():
    """The shipped network in torch and in ONNX Runtime."""
    return TorchRuntime(SHIPPED, "cpu"), OnnxRuntime(SHIPPED_ONNX)


@pytest.fixture(scope="module")
def floats(tmp_path_factory):
    """The shipped network in torch, and exported in single floats."""
    pytest.importorskip("onnx")
    path = tmp_path_factory.mktemp("export") / "floats.onnx"
    export.export(SHIPPED, path)
    return TorchRuntime(SHIPPED, "cpu"), OnnxRuntime(path)


def assert_equal_maps(maps, expected):
    """Compare in the network's own units: probabilities, and levels in 100 mm."""
    np.testing.assert_allclose(maps.heatmaps, expected.heatmaps, rtol=0, atol=1e-4)
    np.testing.assert_allclose(maps.level_mm / 100, expected.level_mm / 100, rtol=0, atol=1e-4)
    np.testing.assert_allclose(maps.attention, expected.attention, rtol=0, atol=1e-4)
    assert {a.dtype for a in maps} == {np.dtype(np.float32)}


# The shipped file


def test_the_shipped_export_comes_from_the_shipped_checkpoint(shipped):
    """New weights without a new export fail here: python -m deepspine_sct.training.quantize IN SOURCES OUT."""
    reference, exported = shipped
    assert exported.checksum == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert exported.description == reference.description
    assert exported.multiple == reference.multiple


def test_the_metadata_name_the_operator_set_and_the_versions(shipped):
    """Opset and the programs that made the file can be read from the file alone."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(SHIPPED_ONNX)
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["opset"] == str(model.opset_import[0].version) == "17"
    assert {part.split()[0] for part in metadata["versions"].split(", ")} == {"deepspine_sct", "torch", "onnx"}


@pytest.mark.parametrize("scan", SCANS, ids=lambda path: path.name.removesuffix(".nii.gz"))
def test_a_scan_is_labelled_as_by_torch(floats, scan):
    """In single floats every map on every slab agrees to 1e-4, and so do the discs to a tenth of a millimetre."""
    if not scan.exists():
        pytest.skip("the scan is not in this checkout")
    reference, exported = map(Recorder, floats)
    volume = read_volume(scan)
    discs, expected = (Predictor(r).predict(volume).labeling.discs for r in (exported, reference))
    assert len(exported.seen) == len(reference.seen) > 0
    for (images, maps), (same_images, expected_maps) in zip(exported.seen, reference.seen, strict=True):
        np.testing.assert_array_equal(images, same_images)
        assert_equal_maps(maps, expected_maps)
    assert [disc.value for disc in discs] == [disc.value for disc in expected]
    for disc, other in zip(discs, expected, strict=True):
        np.testing.assert_allclose(disc.xyz_mm, other.xyz_mm, atol=0.1)
        assert disc.confidence == pytest.approx(other.confidence, abs=1e-2)


@pytest.mark.parametrize("scan", SCANS, ids=lambda path: path.name.removesuffix(".nii.gz"))
def test_integers_name_the_same_discs(shipped, scan):
    """The installed network gives the names of torch, at places within a quarter of a pixel's 2 mm on average.

    A scan whose level is doubted by the one, which is next to a refusal, is doubted or refused by the other as well.
    """
    if not scan.exists():
        pytest.skip("the scan is not in this checkout")
    volume = read_volume(scan)
    labelings = [Predictor(runtime).predict(volume).labeling for runtime in shipped]
    if labelings[0].level_confidence < 0.5:
        assert labelings[1].level_confidence < 0.5
        return
    expected, discs = (labeling.discs for labeling in labelings)
    assert [disc.value for disc in discs] == [disc.value for disc in expected]
    away_mm = [np.linalg.norm(disc.xyz_mm - other.xyz_mm) for disc, other in zip(discs, expected, strict=True)]
    assert np.mean(away_mm or [0]) < 0.5 and max(away_mm, default=0) < 2
    for disc, other in zip(discs, expected, strict=True):
        assert disc.confidence == pytest.approx(other.confidence, abs=0.1)


def test_lazy_reading_changes_no_disc(shipped):
    """Stored integers, as the command reads them, give the discs of a float32 volume."""
    predictor = Predictor(shipped[1])
    for scan in SCANS[:2]:
        discs, expected = (predictor.predict(read_volume(scan, lazy=lazy)).labeling.discs for lazy in (True, False))
        assert [disc.value for disc in discs] == [disc.value for disc in expected]
        for disc, other in zip(discs, expected, strict=True):
            np.testing.assert_allclose(disc.xyz_mm, other.xyz_mm, atol=1e-3)


def random_images(n=3, height=64, width=96):
    """(N, H, W) noise."""
    return np.random.default_rng(4).standard_normal((n, height, width)).astype(np.float32)


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_the_number_of_threads_changes_no_bit(shipped, threads):
    """One thread and several give the same maps, bit for bit."""
    images = random_images()
    for maps, expected in zip(
        OnnxRuntime(SHIPPED_ONNX, threads).run(images), OnnxRuntime(SHIPPED_ONNX, 1).run(images), strict=True
    ):
        np.testing.assert_array_equal(maps, expected)


def test_an_image_alone_gives_what_it_gives_among_others(shipped):
    """The number of images changes no bit, nor do other sizes that were run before."""
    images = random_images()
    together = shipped[1].run(images)
    shipped[1].run(random_images(2, 96, 32))
    for i in range(3):
        for maps, expected in zip(shipped[1].run(images[i : i + 1]), together, strict=True):
            np.testing.assert_array_equal(maps[0], expected[i])


# Exporting


def write_random_checkpoint(path, loss="cross_entropy", build=StackedHourglass, config=HourglassConfig, **sizes):
    """Write a small network whose every weight and running statistic is random."""
    torch.manual_seed(3)
    network = build(config(**{"n_features": 8, "depth": 2, "n_discs": 3} | sizes))
    with torch.no_grad():
        for tensor in network.state_dict().values():
            if tensor.is_floating_point():
                tensor.copy_(torch.rand_like(tensor) * 0.5 + (0.1 if tensor.ndim == 1 else -0.25))
    save_checkpoint(path, network, {"loss": loss, "spacing_mm": 2.0, "thickness_mm": 5.0, "note": "über"})
    return path


@pytest.mark.parametrize(
    ("loss", "config"),
    [
        ("cross_entropy", {}),
        ("cross_entropy", {"n_stacks": 3, "n_blocks": 2}),
        ("cross_entropy", {"n_stacks": 1, "attention": False}),
        ("mse", {}),
        ("mse", {"build": OriginalHourglass, "config": OriginalConfig}),
    ],
    ids=["two stacks", "three stacks", "one stack, no attention", "original's loss", "original"],
)
def test_any_network_is_exported_as_it_is(tmp_path, loss, config):
    """Whatever the architecture, sizes and head, the export answers as torch does."""
    pytest.importorskip("onnx")
    source = write_random_checkpoint(tmp_path / "a.safetensors", loss, **config)
    export.export(source, tmp_path / "a.onnx")
    reference, exported = TorchRuntime(source, "cpu"), OnnxRuntime(tmp_path / "a.onnx")
    assert exported.description == reference.description
    assert (exported.multiple, exported.checksum) == (reference.multiple, reference.checksum)
    for shape in [(2, 16, 48), (1, 80, 16), (3, 32, 64)]:
        images = random_images(*shape)
        expected = reference.run(images)
        assert expected.heatmaps.std() > 1e-3  # the random network does say something
        assert_equal_maps(exported.run(images), expected)


def test_the_same_checkpoint_gives_the_same_bytes(tmp_path):
    """An export can be reproduced."""
    pytest.importorskip("onnx")
    source = write_random_checkpoint(tmp_path / "a.safetensors")
    for name in ("b.onnx", "c.onnx"):
        export.export(source, tmp_path / name)
    assert (tmp_path / "b.onnx").read_bytes() == (tmp_path / "c.onnx").read_bytes()


def test_the_command_line_exports_or_says_in_one_line_why_not(tmp_path, capsys):
    """Exit status 0 and a file, or 1, one line and no file."""
    pytest.importorskip("onnx")
    source = write_random_checkpoint(tmp_path / "a.safetensors")
    assert export.main([str(source), str(tmp_path / "a.onnx")]) == 0
    assert OnnxRuntime(tmp_path / "a.onnx").multiple == 8
    assert export.main([str(tmp_path / "none.safetensors"), str(tmp_path / "b.onnx")]) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and "no such checkpoint" in message
    assert not (tmp_path / "b.onnx").exists()


# Loading


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such network"),
        (b"", "not a usable ONNX file"),
        (b"not a network " * 100, "not a usable ONNX file"),
        (SHIPPED_ONNX.read_bytes()[:100_000], "not a usable ONNX file"),
    ],
    ids=["missing", "empty", "text", "truncated"],
)
def test_an_unusable_file_is_one_line(tmp_path, content, reason):
    """The message names the file and says what to do."""
    path = tmp_path / "a.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DeepspineError) as caught:
        OnnxRuntime(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: {reason}") and "\n" not in message and ";" in message


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [({}, "not exported from"), ({"format": "2"}, "export format 2 is not known"), ({"format": "{"}, "not exported")],
    ids=["none", "newer", "broken"],
)
def test_a_foreign_network_is_refused(tmp_path, metadata, reason):
    """A network without our description, or with one of a later format, is not run."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(SHIPPED_ONNX)
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(DeepspineError, match=reason):
        OnnxRuntime(tmp_path / "a.onnx")


@pytest.mark.parametrize("multiple", ["0", "-32", "100000000", '"32"', "null"])
def test_padding_without_bound_is_refused(tmp_path, multiple):
    """An export cannot ask for images that exhaust the memory."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(SHIPPED_ONNX)
    known = {prop.key: prop.value for prop in model.metadata_props} | {"multiple": multiple}
    del known["content_sha256"], model.metadata_props[:]
    onnx.helper.set_model_props(model, known)
    onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(DeepspineError, match="not exported from a deepspine_sct checkpoint"):
        OnnxRuntime(tmp_path / "a.onnx")


def test_other_inputs_or_outputs_are_refused(tmp_path):
    """A network with our description that answers something else is not run."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load(SHIPPED_ONNX)
    known = {prop.key: prop.value for prop in model.metadata_props}
    place = onnx.helper.make_tensor_value_info("images", onnx.TensorProto.FLOAT, [1, 2])
    answer = onnx.helper.make_tensor_value_info("level_mm", onnx.TensorProto.FLOAT, [1, 2])
    node = onnx.helper.make_node("Identity", ["images"], ["level_mm"])
    graph = onnx.helper.make_graph([node], "g", [place], [answer])
    other = onnx.helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    onnx.helper.set_model_props(other, {k: v for k, v in known.items() if k != "content_sha256"})
    onnx.save(other, tmp_path / "a.onnx")
    with pytest.raises(DeepspineError, match="not exported from a deepspine_sct checkpoint"):
        OnnxRuntime(tmp_path / "a.onnx")


def test_a_network_that_fails_is_one_line(shipped):
    """What ONNX Runtime raises while it runs, as for want of memory, is no traceback."""
    with pytest.raises(DeepspineError, match="the network failed .*check -model and the memory") as caught:
        shipped[1].run(np.zeros((1, 33, 32), np.float32))  # a side that it cannot halve
    assert "\n" not in str(caught.value)


def test_the_fastest_way_is_chosen(monkeypatch, tmp_path):
    """The installed export by default, torch for a checkpoint and where ONNX Runtime is missing."""
    assert isinstance(load_runtime(), OnnxRuntime)
    assert isinstance(load_runtime(device="cpu"), OnnxRuntime)
    assert isinstance(load_runtime(SHIPPED_ONNX), OnnxRuntime)
    assert isinstance(load_runtime(SHIPPED, "cpu"), TorchRuntime)
    monkeypatch.setattr(runtime, "SHIPPED_ONNX", tmp_path / "none.onnx")
    assert isinstance(load_runtime(device="cpu"), TorchRuntime)


def test_torch_takes_over_where_onnx_runtime_is_missing(monkeypatch):
    """An ImportError is no reason to stop, unless an export was asked for."""
    monkeypatch.delitem(sys.modules, "deepspine_sct.model.onnx_runtime")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert isinstance(load_runtime(device="cpu"), TorchRuntime)
    with pytest.raises(ImportError):
        load_runtime(SHIPPED_ONNX)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_means_torch():
    """A GPU that is asked for is not silently replaced by the CPU."""
    with pytest.raises(DeepspineError, match="no CUDA device"):
        load_runtime(device="cuda")
    with pytest.raises(DeepspineError, match="runs on the CPU only"):
        load_runtime(SHIPPED_ONNX, "cuda")


@pytest.mark.parametrize(
    ("environment", "threads"),
    [
        ({"OMP_NUM_THREADS": "3"}, 3),
        ({"ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}, 1),
        ({"OMP_NUM_THREADS": "8", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "1"}, 1),
        ({"OMP_NUM_THREADS": " 2 ", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS": "many"}, 2),
    ],
    ids=json.dumps,
)
def test_the_environment_limits_the_threads(environment, threads):
    """The least of what OMP and SCT's batch runner allow counts."""
    assert thread_count(environment) == threads


def test_without_a_limit_every_usable_core_counts():
    """Zero and words are no limit."""
    cores = thread_count({})
    assert cores >= 1
    assert thread_count({"OMP_NUM_THREADS": "0"}) == thread_count({"OMP_NUM_THREADS": "x"}) == cores
