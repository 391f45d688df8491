"""What several test modules work on."""

import pytest
from fake_predictor import FakePredictor, known_discs
from templates import SOURCES

from deepspine_sct.cli import label


@pytest.fixture
def predictor(monkeypatch):
    """Put a predictor that knows the discs in the place of the command's network."""
    fake = FakePredictor(known_discs())
    monkeypatch.setattr(label, "load_predictor", lambda args: fake)
    return fake


@pytest.fixture(scope="session")
def atlas():
    """The straight spine of the simulator, built once."""
    from deepspine_sct.simulation.atlas import build_atlas

    return build_atlas(SOURCES / "pam50", SOURCES / "head" / "icbm152_t1.nii.gz")
