"""Pictures of a training: one a epoch, joined in order, and the same after a resume."""

import pytest
from PIL import Image, ImageSequence
from test_validation import SpotRuntime, held_out

from deepspine_sct.evaluation.training_diary import Diary, render_curves
from deepspine_sct.evaluation.validation import validate
from deepspine_sct.labeling.predictor import Predictor

SCORES = {"identification_rate": 0.5, "fnr": 0.5, "fpr": 0.1, "distance_mean_mm": 3.0}


@pytest.fixture(scope="module")
def answer():
    """A held-out image and what a network says of it."""
    case = held_out()
    return [case], validate(Predictor(SpotRuntime()), [case])[1]


def test_the_animation_has_a_frame_an_epoch(tmp_path, answer):
    """Three epochs, three frames of one size, whatever the order they were drawn in."""
    diary = Diary(tmp_path)
    rows = []
    for step in (4, 8, 12):
        diary.add(step, *answer, SCORES)
        rows.append({"step": step, "loss": 1 / step} | SCORES)
        diary.close_epoch(rows)
    with Image.open(tmp_path / "convergence.gif") as animation:
        assert len({frame.size for frame in ImageSequence.Iterator(animation)}) == 1
        assert animation.n_frames == 3
    Diary(tmp_path).close_epoch(rows[:2])  # resumed earlier: the later frame is not of this run
    with Image.open(tmp_path / "convergence.gif") as animation:
        assert animation.n_frames == 2


def test_curves_are_drawn_of_whatever_the_log_holds():
    """Losses alone, without any validation; scores that are not numbers; one epoch."""
    for rows in (
        [{"step": 2, "loss": 1.0, "discs": 0.9, "level": 0.2}],
        [{"step": n, "loss": 1.0 / n, "identification_rate": float("nan")} for n in (1, 2, 3)],
    ):
        assert render_curves(rows)[:4] == b"\x89PNG"
