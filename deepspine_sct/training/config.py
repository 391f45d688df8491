"""How a network is trained; known without torch, so that a help text can tell the defaults."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class TrainingConfig:
    """How to train; it travels inside the checkpoint."""

    steps: int = 12000  # optimiser steps
    batch_size: int = 16  # images a step
    learning_rate: float = 1.5e-3
    warmup: int = 200  # steps of rising learning rate
    cooldown_share: float = 0.3  # last share of the steps, in which the rate falls linearly to zero
    weight_decay: float = 1e-4
    average_decay: float = 0.998  # of the moving average of the weights, which is what is kept
    clip_norm: float = 5.0
    loss: str = "cross_entropy"
    attention_weight: float = 0.2  # how strongly the attention is taught to look at discs; 0 = not at all
    real_share: float = 0.45  # share of real images in the stream
    flip_share: float = 0.0  # share of images mirrored front to back, as the original did
    contrast: str = "all"  # "t1" or "t2" trains on one alone
    seed: int = 0
    device: str = "cpu"
    workers: int = 1
    save_every: int = 250  # steps of an epoch
    patience: int = 0  # epochs without a better score after which training stops; 0 = never
    score: str = "identification_rate"  # of the validation, the larger the better
    sources: str = ""  # what it learns from, so that it cannot go on with something else

    def rate(self, step: int) -> float:
        """Factor on the learning rate at a step: warm up, hold, cool down."""
        cooldown = max(1, int(self.steps * self.cooldown_share))
        return min(1.0, (step + 1) / self.warmup, max(0.0, (self.steps - step) / cooldown))

    def to_dict(self) -> dict:
        """Return the fields as a JSON-compatible dict."""
        return asdict(self)
