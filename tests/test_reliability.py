"""The calibration figures of `make accuracy`, against a simulated forecaster of known quality."""

import numpy as np
import pytest

from benchmarks.acceptance.reliability import draw_reliability, reliability


def forecasts(bias: float) -> list[tuple[float, bool]]:
    """Draw 20,000 forecasts that are right with a probability of the confidence less ``bias``."""
    rng = np.random.default_rng(0)
    said = rng.uniform(0.3, 1.0, 20_000)
    return list(zip(said.tolist(), (rng.random(20_000) < said - bias).tolist(), strict=True))


@pytest.mark.parametrize("bias", [0.0, 0.1, 0.25])
def test_the_error_is_the_bias_of_the_forecaster(bias):
    """Expected calibration error and the share of wrong ones among the sure are what the simulation put in."""
    found = reliability(forecasts(bias))
    assert found["expected_calibration_error"] == pytest.approx(bias, abs=0.015)
    assert found["sure_wrong"] == pytest.approx(0.05 + bias, abs=0.02)
    assert found["sure"] == pytest.approx(0.1 / 0.7, abs=0.01)
    assert sum(b[2] for b in found["bins"]) == found["n"] == 20_000


def test_the_diagram_is_a_picture(tmp_path):
    """The diagram of two groups is a whole PNG file."""
    path = tmp_path / "reliability.png"
    draw_reliability(path, {"good": reliability(forecasts(0)), "vain": reliability(forecasts(0.2))})
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and len(path.read_bytes()) > 5000
