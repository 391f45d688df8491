"""The model card speaks of the weights that ship."""

import re
from pathlib import Path

from deepspine_sct.model.checkpoint import checksum

ROOT = Path(__file__).resolve().parents[1]
WEIGHTS = ROOT / "deepspine_sct" / "model" / "weights"


def test_the_card_names_the_shipped_checksum():
    """The SHA-256 in docs/model_card.md is that of the shipped safetensors file."""
    named = re.search(r"`([0-9a-f]{64})`", (ROOT / "docs" / "model_card.md").read_text())
    assert named and named[1] == checksum(WEIGHTS / "deepspine.safetensors")


def test_the_weights_stay_small():
    """All files of weights together are under 20 MB."""
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 20e6
