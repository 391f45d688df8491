"""How a network is trained; known without torch, so that a help text can tell the defaults."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class TrainingConfig:
    """How to train; it travels inside the checkpoint.

    Attributes
    ----------
    steps : number of optimiser steps
    batch_size : images of a step
    learning_rate : the highest rate, which holds between the warm-up and the cool-down
    warmup : steps over which the rate rises from zero
    cooldown_share : the rate falls linearly to zero over this last share of the steps
    weight_decay : of the optimiser (AdamW)
    average_decay : of the moving average of the weights; the average is what is kept
    clip_norm : the gradient is scaled down to this norm where it is larger
    loss : key of `loss.LOSSES`
    attention_weight : how strongly the attention is taught to look at discs; with 0 it is not taught
    real_share : share of real images among the samples
    flip_share : share of the images that are mirrored front to back, as the original did
    echoes : so many times more each image is learnt, some steps later and altered (see `variation`)
    contrast : "t1" or "t2" trains on images of this contrast alone, "all" on both
    seed : of the first weights and of the samples
    device : "cpu" or "cuda"
    workers : processes that make the samples
    save_every : steps of an epoch
    patience : training stops after this number of epochs without a better score; with 0 it never stops early
    score : name of the score of the validation that decides; the larger it is the better
    sources : what the network learns from, so that a training cannot be resumed on other data
    """

    steps: int = 12000
    batch_size: int = 16
    learning_rate: float = 1.5e-3
    warmup: int = 200
    cooldown_share: float = 0.3
    weight_decay: float = 1e-4
    average_decay: float = 0.998
    clip_norm: float = 5.0
    loss: str = "cross_entropy"
    attention_weight: float = 0.2
    real_share: float = 0.45
    flip_share: float = 0.0
    echoes: int = 0
    contrast: str = "all"
    seed: int = 0
    device: str = "cpu"
    workers: int = 1
    save_every: int = 250
    patience: int = 0
    score: str = "identification_rate"
    sources: str = ""

    def rate(self, step: int) -> float:
        """Factor on the learning rate at a step: warm up, hold, cool down."""
        cooldown = max(1, int(self.steps * self.cooldown_share))
        return min(1.0, (step + 1) / self.warmup, max(0.0, (self.steps - step) / cooldown))

    def to_dict(self) -> dict:
        """Return the fields as a JSON-compatible dict."""
        return asdict(self)
