"""The sizes of a stacked hourglass network; known without torch, so that a help text can tell the defaults."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


def _all_discs() -> int:
    from ..anatomy import N_DISCS  # brings numpy, which -h does without

    return N_DISCS


@dataclass(frozen=True)
class HourglassConfig:
    """Architecture of a network; it travels inside the checkpoint."""

    n_stacks: int = 2
    n_blocks: int = 1  # residual blocks at each place of an hourglass
    n_features: int = 96
    depth: int = 4  # halvings inside an hourglass
    n_discs: int = field(default_factory=_all_discs)
    attention: bool = True

    @property
    def stride(self) -> int:
        """Image pixels per heatmap pixel (the stem halves once)."""
        return 2

    @property
    def multiple(self) -> int:
        """Image height and width must be multiples of this [pixels]."""
        return self.stride * 2**self.depth

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a JSON-compatible dict."""
        return asdict(self)
