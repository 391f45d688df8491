"""The short trainings side by side, by which networks are chosen."""

import torch
from templates import needs_templates

from benchmarks.decisions import network_choices
from benchmarks.decisions.network_choices import Choice, train
from deepspine_sct.model.checkpoint import load_checkpoint
from deepspine_sct.training.config import TrainingConfig


@needs_templates
def test_every_choice_takes_every_step(atlas, tmp_path, monkeypatch):
    """After one and after three steps the networks differ, and the checkpoint tells how many steps there were."""
    monkeypatch.setattr(network_choices, "build_atlas", lambda sources: atlas)
    monkeypatch.setattr(network_choices, "load_slices", lambda folder, evaluation: [])
    choices = [Choice(1, 8), Choice(1, 8, attention="none")]
    weights = {}
    for steps in (1, 3):
        config = TrainingConfig(
            steps=steps, batch_size=2, warmup=1, cooldown_share=0.0, average_decay=0.0, save_every=1
        )
        for choice, path in train(choices, tmp_path, tmp_path / str(steps), config).items():
            network, description = load_checkpoint(path)
            assert description["training"]["step"] == steps
            weights[choice, steps] = network.heads[0].score.weight
    for choice in choices:
        assert not torch.equal(weights[choice, 1], weights[choice, 3])
