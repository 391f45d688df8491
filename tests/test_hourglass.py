"""The network: shapes, the background channel, and attention that does what the paper says."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save

from deepspine_sct.errors import DeepspineError
from deepspine_sct.model.checkpoint import load_checkpoint, save_checkpoint
from deepspine_sct.model.hourglass import StackedHourglass, first_stacks
from deepspine_sct.model.hourglass_config import HourglassConfig


def small(**how) -> StackedHourglass:
    """A small network in evaluation mode."""
    torch.manual_seed(0)
    return StackedHourglass(HourglassConfig(**{"n_features": 16, "n_discs": 7, "depth": 2} | how)).eval()


@pytest.mark.parametrize("n_stacks", [1, 2, 3])
@pytest.mark.parametrize("attention", [True, False])
def test_shapes(n_stacks, attention):
    """Scores of every stack: the discs, the background and the level, at half of the image's height and width."""
    network = small(n_stacks=n_stacks, attention=attention)
    scores, mask = network(torch.randn(3, 1, 48, 32))
    assert scores.shape == (n_stacks, 3, 7 + 2, 24, 16)
    assert mask.shape == (3, 1, 24, 16)
    assert ((mask > 0) & (mask <= 1)).all()
    assert attention or (mask == 1).all()


def test_attention_gates_the_last_stack():
    """Closed attention leaves the last stack's scores at their bias; the stacks before do not feel it."""
    network = small()
    image = torch.randn(2, 1, 32, 48)
    opened, _ = network(image)
    with torch.no_grad():
        network.attention[-2].weight.zero_()
        network.attention[-2].bias.fill_(-50.0)
    closed, mask = network(image)
    assert mask.max() < 1e-12
    torch.testing.assert_close(opened[0], closed[0])
    bias = torch.cat([network.heads[-1].score.bias, network.heads[-1].level.bias])
    torch.testing.assert_close(closed[-1], bias[None, :, None, None].expand_as(closed[-1]))


def test_every_weight_learns():
    """Each parameter gets a gradient from the scores of all stacks."""
    network = small().train()
    scores, _ = network(torch.randn(2, 1, 32, 48))
    scores.square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_the_first_stacks_answer_as_they_did():
    """Cut off from the later ones, the first stacks score an image as they did inside the whole network."""
    whole = small(n_stacks=3)
    shorter = first_stacks(whole, 2)
    image = torch.randn(2, 1, 32, 48)
    ours, attention = shorter(image)
    assert ours.shape[0] == 2 and attention.shape == (2, 1, 16, 24)
    torch.testing.assert_close(ours[0], whole(image)[0][0])
    without = first_stacks(small(n_stacks=3, attention=False), 2)
    assert without(image)[0].shape == ours.shape


def test_a_checkpoint_gives_the_network_back(tmp_path):
    """Saved and loaded, a network of any architecture answers the same, and its description comes along."""
    network = small(n_stacks=3, n_blocks=2, attention=False)
    path = tmp_path / "n.safetensors"
    save_checkpoint(path, network, {"spacing_mm": 2.0})
    loaded, description = load_checkpoint(path)
    image = torch.randn(2, 1, 32, 16)
    torch.testing.assert_close(network(image)[0], loaded(image)[0])
    assert description["spacing_mm"] == 2.0
    assert description["network"] == network.config.to_dict()


def test_a_network_has_one_spelling(tmp_path, monkeypatch):
    """The order in which the texts of the header come out of safetensors changes no byte of the file."""
    network, description = small(), {"note": "10 µm \n"}
    for name, step in (("a", 1), ("b", -1)):

        def save_in_order(weights, metadata, step=step):
            return _spelt(save(weights, metadata), step)

        monkeypatch.setattr("deepspine_sct.model.checkpoint.save", save_in_order)
        save_checkpoint(tmp_path / name, network, description)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    loaded, seen = load_checkpoint(tmp_path / "a")
    assert seen["note"] == description["note"]
    assert all(torch.equal(loaded.state_dict()[k], v) for k, v in network.state_dict().items())


def _spelt(content: bytes, step: int) -> bytes:
    """The same safetensors file with the texts of its header forwards or backwards."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items())[::step])
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[end:]


def test_other_files_are_no_checkpoints(tmp_path):
    """Noise, a pickle and a missing file are refused in one line that names the file."""
    noise = tmp_path / "noise.safetensors"
    noise.write_bytes(np.random.default_rng(0).bytes(1000))
    pickled = tmp_path / "pickle.safetensors"
    torch.save({"weight": torch.zeros(3)}, pickled)
    for path in (noise, pickled, tmp_path / "missing.safetensors"):
        with pytest.raises(DeepspineError, match=path.name) as error:
            load_checkpoint(path)
        assert "\n" not in str(error.value)
