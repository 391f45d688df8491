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

    return build_atlas(SOURCES)


@pytest.fixture(scope="session")
def lumbar_folder(tmp_path_factory):
    """Four made-up lumbar subjects: upright, tilted, tilted with a canal that turns forwards, and upright again."""
    import lumbar_phantom

    folder = tmp_path_factory.mktemp("lumbar_data") / "lumbar"
    lumbar_phantom.write_subject(folder, "a_upright")
    lumbar_phantom.write_subject(folder, "b_tilted", tilt_deg=15.0)
    lumbar_phantom.write_subject(folder, "c_hooked", tilt_deg=15.0, hooked=True)
    lumbar_phantom.write_subject(folder, "d_upright")
    return folder


@pytest.fixture(scope="session")
def lumbar_subjects(lumbar_folder):
    """The made-up subjects as the simulator reads them, by name."""
    from deepspine_sct.simulation.lumbar import load_subjects

    return {subject.name: subject for subject in load_subjects(lumbar_folder)}


@pytest.fixture(scope="session")
def lower_spine(lumbar_subjects):
    """The tilted made-up subject, laid straight."""
    from deepspine_sct.simulation.lower_spine import straighten

    return straighten(lumbar_subjects["b_tilted"])
