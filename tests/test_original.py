"""Checkpoints of the original project: the same numbers come out, and nothing in them is run."""

import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from deepspine_sct.cli.import_original import main
from deepspine_sct.errors import DeepspineError
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.model.checkpoint import load_checkpoint
from deepspine_sct.model.original import convert, read_original

N_DISCS, FEATURES, DEPTH = 11, 256, 4


def _conv(state, name, n_in, n_out, size=1, bias=True):
    state[f"{name}.weight"] = torch.randn(n_out, n_in, size, size) / (n_in * size**2) ** 0.5
    if bias:
        state[f"{name}.bias"] = 0.3 * torch.randn(n_out)


def _norm(state, name, n):
    state[f"{name}.weight"] = 0.5 + torch.rand(n)
    state[f"{name}.bias"] = 0.2 * torch.randn(n)
    state[f"{name}.running_mean"] = 0.2 * torch.randn(n)
    state[f"{name}.running_var"] = 0.5 + torch.rand(n)
    state[f"{name}.num_batches_tracked"] = torch.tensor(7)


def _block(state, name, n_in, n_mid):
    for n, (a, b, size) in enumerate(((n_in, n_mid, 1), (n_mid, n_mid, 3), (n_mid, 2 * n_mid, 1))):
        _norm(state, f"{name}.bn{n + 1}", a)
        _conv(state, f"{name}.conv{n + 1}", a, b, size)
    if n_in != 2 * n_mid:
        _conv(state, f"{name}.downsample.0", n_in, 2 * n_mid)


def make_state(n_stacks=2, n_blocks=1, attention=True) -> dict[str, torch.Tensor]:
    """Random weights under the published layer names and shapes."""
    torch.manual_seed(3)
    state: dict[str, torch.Tensor] = {}
    _conv(state, "conv1", 3, 64, 7)
    _norm(state, "bn1", 64)
    for n, (n_in, n_mid) in enumerate(((64, 64), (128, 128), (256, 128)), start=1):
        _block(state, f"layer{n}.0", n_in, n_mid)
    for i in range(n_stacks):
        for level in range(DEPTH):
            for branch in range(4 if level == 0 else 3):
                for b in range(n_blocks):
                    _block(state, f"hg.{i}.hg.{level}.{branch}.{b}", FEATURES, FEATURES // 2)
        for b in range(n_blocks):
            _block(state, f"res.{i}.{b}", FEATURES, FEATURES // 2)
        _conv(state, f"fc.{i}.0", FEATURES, FEATURES)
        _norm(state, f"fc.{i}.1", FEATURES)
        _conv(state, f"score.{i}", FEATURES, N_DISCS)
    for i in range(n_stacks - 1):
        _conv(state, f"fc_.{i}", FEATURES, FEATURES)
        _conv(state, f"score_.{i}", N_DISCS, FEATURES)
    if attention:
        sizes = (n_stacks * FEATURES, 128, 16, 8)
        for n, (a, b) in enumerate(zip(sizes, sizes[1:], strict=False)):
            _conv(state, f"attention.{3 * n}", a, b, bias=False)
            _norm(state, f"attention.{3 * n + 1}", b)
        _conv(state, "attention.9", 8, 1, bias=False)
    return state


class Reference:
    """The forward pass written out on the names, layer by layer, without a module of ours."""

    def __init__(self, state):
        self.state = state
        self.seen: dict[str, torch.Tensor] = {}

    def conv(self, name, x, **how):
        return F.conv2d(x, self.state[f"{name}.weight"], self.state.get(f"{name}.bias"), **how)

    def norm(self, name, x):
        s = self.state
        mean, var = s[f"{name}.running_mean"], s[f"{name}.running_var"]
        return F.batch_norm(x, mean, var, s[f"{name}.weight"], s[f"{name}.bias"])

    def block(self, name, x):
        y = x
        for n, padding in ((1, 0), (2, 1), (3, 0)):
            y = self.conv(f"{name}.conv{n}", self.norm(f"{name}.bn{n}", y).relu(), padding=padding)
        skip = f"{name}.downsample.0"
        return y + (self.conv(skip, x) if f"{skip}.weight" in self.state else x)

    def blocks(self, name, x):
        b = 0
        while f"{name}.{b}.conv1.weight" in self.state:
            x = self.block(f"{name}.{b}", x)
            b += 1
        return x

    def hourglass(self, name, level, x):
        low = self.blocks(f"{name}.{level}.1", F.max_pool2d(x, 2))
        inner = f"{name}.0.3"
        low = self.hourglass(name, level - 1, low) if level else self.blocks(inner, low)
        low = self.blocks(f"{name}.{level}.2", low)
        return self.blocks(f"{name}.{level}.0", x) + F.interpolate(low, scale_factor=2)

    def __call__(self, x, n_stacks=2):
        """Map (B, 3, H, W) to the last stack's linear heatmaps, keeping every stage in `seen`."""
        x = self.norm("bn1", self.conv("conv1", x, stride=2, padding=3)).relu()
        x = self.blocks("layer3", self.blocks("layer2", F.max_pool2d(self.blocks("layer1", x), 2)))
        self.seen["stem"] = x
        features = []
        for i in range(n_stacks):
            y = self.hourglass(f"hg.{i}.hg", DEPTH - 1, x)
            self.seen[f"hourglasses.{i}"] = y
            y = self.norm(f"fc.{i}.1", self.conv(f"fc.{i}.0", self.blocks(f"res.{i}", y))).relu()
            self.seen[f"features.{i}"] = y
            features.append(y)
            if i + 1 < n_stacks:
                score = self.conv(f"score.{i}", y)
                x = x + self.conv(f"fc_.{i}", y) + self.conv(f"score_.{i}", score)
        if "attention.9.weight" in self.state:
            a = torch.cat(features, 1)
            for n in (0, 3, 6):
                a = self.norm(f"attention.{n + 1}", self.conv(f"attention.{n}", a)).relu()
            a = self.conv("attention.9", a).sigmoid()
            self.seen["attention"] = a
            y = y * a
        return self.conv(f"score.{n_stacks - 1}", y)


@pytest.mark.parametrize(("n_blocks", "attention"), [(1, True), (2, False)])
def test_every_stage_equals_an_independent_forward_pass(n_blocks, attention):
    """Stem, hourglasses, features, attention and heatmaps agree, on images that are not square."""
    state = make_state(n_blocks=n_blocks, attention=attention)
    network = convert(state, 3, Path("original")).double()
    stages: dict[str, torch.Tensor] = {}
    for name, module in network.named_modules():
        module.register_forward_hook(lambda m, i, out, name=name: stages.update({name: out}))
    image = torch.rand(2, 1, 128, 64, dtype=torch.float64)
    with torch.inference_mode():
        # What the network was trained on: (posterior to anterior, inferior to superior), [0, 1].
        low, high = image.amin((1, 2, 3)), image.amax((1, 2, 3))
        scaled = (image - low.view(2, 1, 1, 1)) / (high - low).view(2, 1, 1, 1)
        turned = torch.from_numpy(np.array([[x[::-1, ::-1].T for x in y] for y in scaled.numpy()]))
        reference = Reference({name: tensor.double() for name, tensor in state.items()})
        heatmaps = reference(turned.expand(-1, 3, -1, -1))
        scores, shown = network(image)
    for name, expected in reference.seen.items():
        scale = expected.abs().max()
        assert torch.allclose(stages[name] / scale, expected / scale, atol=2e-5), name
    ours = scores[-1].sigmoid().numpy()
    expected = np.array([[x[::-1, ::-1].T for x in y] for y in heatmaps.clamp(0, 1).numpy()])
    assert ours.shape == (2, 2 + N_DISCS + 2, 32, 16)
    np.testing.assert_allclose(ours[:, 2 : 2 + N_DISCS], expected, atol=1e-4)
    assert ours[:, :2].max() < 1e-5  # no channel for discs 1 and 2
    assert shown.shape == (2, 1, 32, 16)


def write_pickle(path: Path, **how) -> Path:
    """Write a checkpoint as the original project does."""
    state = {f"module.{name}": tensor for name, tensor in make_state(**how).items()}
    torch.save({"model_weights": state}, path)
    return path


def test_an_imported_checkpoint_is_a_checkpoint_like_any_other(tmp_path, capsys):
    """The command writes a file that loads, and that the predictor runs to maps of its stride."""
    source = write_pickle(tmp_path / "model_t2_att_2")
    target = tmp_path / "original.safetensors"
    assert main(["-i", str(source), "-o", str(target)]) == 0
    assert "discs 3 to 13" in capsys.readouterr().out
    network, description = load_checkpoint(target)
    assert network.config.stride == 4 and network.config.multiple == 64
    assert description["loss"] == "mse" and description["spacing_mm"] == 1.0
    maps = Predictor.load(target, "cpu").runtime.run(np.random.rand(2, 64, 128).astype(np.float32))
    assert maps.heatmaps.shape == (2, 13, 16, 32)
    assert maps.heatmaps.min() >= 0 and maps.heatmaps.max() <= 1
    assert np.isnan(maps.level_mm).all()


class Trap:
    """What a hostile pickle does: run something when it is opened."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_file_that_would_run_code_is_refused(tmp_path, capsys):
    """One line, exit 1, and the code in the file has not run."""
    trap = tmp_path / "trapped"
    source = tmp_path / "model"
    torch.save({"model_weights": {"conv1.weight": Trap(trap)}}, source)
    (tmp_path / "plain").write_bytes(pickle.dumps(Trap(trap), protocol=2))
    for path in (source, tmp_path / "plain"):
        assert main(["-i", str(path), "-o", str(tmp_path / "out.safetensors")]) == 1
        assert "refused" in capsys.readouterr().err
    assert not trap.exists()


def test_noise_is_refused_in_one_line(tmp_path):
    """What torch warns of an unknown pickle protocol does not stand before the line that matters."""
    (tmp_path / "noise").write_bytes(b"\x80\x6c" + bytes(range(256)) * 40)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DeepspineError, match="not a checkpoint of plain weights"):
            read_original(tmp_path / "noise")


@pytest.mark.parametrize("content", [{"epoch": 3}, {"model_weights": {"a": 1}}, {3: torch.ones(1)}, [1, 2]])
def test_other_pickles_are_named(tmp_path, content):
    """A pickle without such weights is refused with what is expected."""
    torch.save(content, tmp_path / "other")
    with pytest.raises(DeepspineError, match="model_weights"):
        read_original(tmp_path / "other")


def test_weights_of_another_architecture_are_refused():
    """A missing layer is one line that names it, not a traceback."""
    state = make_state()
    del state["hg.1.hg.2.0.0.conv1.weight"]
    with pytest.raises(DeepspineError, match="not the original architecture"):
        convert(state, 3, Path("original"))
    with pytest.raises(DeepspineError, match="below L5/S1"):
        convert(make_state(), 20, Path("original"))
