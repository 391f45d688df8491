"""The mean of two networks, and what it says of where it comes from."""

import pytest
import torch

from deepspine_sct.model.checkpoint import checksum, load_checkpoint, save_checkpoint
from deepspine_sct.model.hourglass import StackedHourglass
from deepspine_sct.model.hourglass_config import HourglassConfig
from deepspine_sct.training.average import main


def write(path, seed: int, never_seen, n_features: int = 8):
    """Write a checkpoint with random weights."""
    torch.manual_seed(seed)
    network = StackedHourglass(HourglassConfig(n_features=n_features))
    save_checkpoint(path, network, {"spacing_mm": 2.0, "training": {"seed": seed, "never_seen": never_seen}})
    return path


def test_every_weight_is_the_mean_and_only_the_unseen_of_both_stay_unseen(tmp_path):
    """Compared weight by weight with a mean in double precision."""
    first = write(tmp_path / "a.safetensors", 1, ["s1", "s2"])
    second = write(tmp_path / "b.safetensors", 2, ["s2", "s3"])
    assert main([str(first), str(second), "0.25", str(tmp_path / "new" / "c.safetensors")]) == 0
    (tmp_path / "new" / "c.safetensors").rename(tmp_path / "c.safetensors")  # its folder was made
    (one, _), (two, _), (mean, description) = (load_checkpoint(tmp_path / f"{name}.safetensors") for name in "abc")
    for name, weight in mean.state_dict().items():
        if weight.is_floating_point():
            expected = 0.75 * one.state_dict()[name].double() + 0.25 * two.state_dict()[name].double()
            assert torch.allclose(weight.double(), expected, atol=1e-6)
    training = description["training"]
    assert training["never_seen"] == ["s2"] and training["seed"] == 2
    assert training["mean_of"] == {checksum(first): 0.75, checksum(second): 0.25}


@pytest.mark.parametrize(("share", "features"), [("1.5", 8), ("nan", 8), ("0.5", 16)])
def test_what_has_no_mean_is_refused(tmp_path, capsys, share, features):
    """A share that is none, and another architecture; an input is never the output."""
    first = write(tmp_path / "a.safetensors", 1, [])
    second = write(tmp_path / "b.safetensors", 2, [], features)
    assert main([str(first), str(second), share, str(tmp_path / "c.safetensors")]) == 1
    assert main([str(first), str(second), "0.5", str(first)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 2 and not (tmp_path / "c.safetensors").exists()
