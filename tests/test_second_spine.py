"""Two spines in one image are named, one spine is not."""

from pathlib import Path

import numpy as np
import pytest

from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.image.volume import Volume
from deepspine_sct.labeling.predictor import Predictor

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data_test"
TEMPLATE = ROOT.parent / "shared" / "real" / "pam50" / "PAM50_small_t2.nii.gz"


@pytest.fixture(scope="module")
def network():
    """The shipped network."""
    return Predictor.load()


def said(network, volume) -> list[str]:
    """What is said of a second spine."""
    return [w for w in network.predict(volume).labeling.warnings if getattr(w, "code", "") == "second_spine"]


@pytest.mark.parametrize("name", ["t1_sim", "t2_sim", "t2_lumbar_sim"])
def test_one_spine_is_no_second_one(network, name):
    """Nothing is said of a scan that shows one."""
    assert said(network, read_volume(DATA / f"{name}.nii.gz")) == []


@pytest.mark.parametrize(
    ("name", "axis", "side"), [("t2_sim", 0, "right"), ("t2_sim", 1, "front"), ("t1_sim", 1, "front")]
)
@pytest.mark.parametrize("shift", [0, 9])
def test_two_spines_side_by_side_are_named(network, name, axis, side, shift):
    """Beside each other or one behind the other, at one height or not; the line says where and what to do.

    Of two that stand beside each other the turned image may show the other one better: then the image is refused.
    """
    one = read_volume(DATA / f"{name}.nii.gz")
    other = np.roll(one.data, shift, axis=2)
    data = np.concatenate([one.data, other], axis=axis)
    try:
        (sentence,) = said(network, Volume(data, Grid(data.shape, one.grid.affine)))
    except DeepspineError as error:
        assert axis == 0 and "the header contradicts the anatomy" in str(error)
        return
    assert "a second spine shows about" in sentence and "crop the image to one spine" in sentence
    opposite = {"right": "left", "front": "back"}[side]
    assert f"to the {side} " in sentence or f"to the {opposite} " in sentence


@pytest.mark.parametrize(("axes", "degrees"), [((0, 1), -30), ((0, 2), 44)])
def test_an_oblique_scan_of_one_spine_shows_no_second_one(network, axes, degrees):
    """A header that turns the scan makes it no wider: distances are those along the axes of the image."""
    scan = read_volume(DATA / "t2_sim.nii.gz")
    angle, turn = np.deg2rad(degrees), np.eye(4)
    turn[np.ix_(axes, axes)] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    assert said(network, Volume(scan.data, Grid(scan.data.shape, turn @ scan.grid.affine))) == []


@pytest.mark.skipif(not TEMPLATE.exists(), reason="needs the real images")
def test_muscles_and_ribs_beside_a_spine_are_no_second_one(network):
    """PAM50's template is wide enough to show them on both sides; they cannot be named like a spine."""
    assert said(network, read_volume(TEMPLATE)) == []
