"""Validation: the network's answer in slabs is scored where the truth lies, in world mm."""

import numpy as np
import phantom
import pytest
from fake_predictor import FakePredictor

from deepspine_sct.data.labelled_image import LabelledImage
from deepspine_sct.errors import DeepspineError
from deepspine_sct.evaluation.validation import LOGGED, validate
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.image.slab import extract_slabs
from deepspine_sct.image.volume import Volume
from deepspine_sct.labeling import predictor as predictor_module
from deepspine_sct.labeling.discs import Disc
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.model.output import Maps
from deepspine_sct.simulation.simulator import Case
from deepspine_sct.training.held_out import as_slab


def held_out() -> LabelledImage:
    """A phantom scan with its truth."""
    points = phantom.discs()
    data = phantom.image(points)
    volume = Volume(data, Grid(data.shape, phantom.affine()))
    return LabelledImage("scan", points, lambda: extract_slabs(canonical(volume), 4.0, 5.0, 2.0), has_slabs=True)


class SpotRuntime:
    """A network that knows the phantom: Gaussians at its discs, each in the channel of its name."""

    multiple = 8
    threads = 1
    description = {"spacing_mm": 2.0, "thickness_mm": 5.0}
    checksum = "0" * 64

    def run(self, images: np.ndarray) -> Maps:
        """Return heatmaps of half the size of the padded slabs."""
        case = held_out()
        slabs = case.load()
        n, height, width = images.shape
        heatmaps = np.zeros((n, 25, height // 2, width // 2), np.float32)
        padding = (np.array([height, width]) - slabs.data.shape[1:]) // 2
        at_rc = np.moveaxis(np.indices(heatmaps.shape[2:]), 0, -1) * 2 + 0.5
        for value, xyz_mm in case.points.items():
            k, *rc = slabs.grid.to_index(xyz_mm)
            away = np.linalg.norm(at_rc - (np.array(rc) + padding), axis=-1)
            slab = np.exp(-0.5 * (np.arange(n) - k) ** 2)
            heatmaps[:, value - 1] = slab[:, None, None] * np.exp(-0.5 * (away / 2) ** 2)
        nothing = np.full(heatmaps[:, 0].shape, np.nan, np.float32)
        return Maps(heatmaps, nothing, np.ones_like(nothing))


def test_a_network_that_is_right_scores_as_right():
    """Slabs in, discs in world mm out: every one within a millimetre of the truth."""
    scores, (result,) = validate(Predictor(SpotRuntime()), [held_out()])
    assert set(scores) == set(LOGGED)
    assert scores["identification_rate"] == 1 and scores["images_all_right"] == 1
    assert scores["distance_mean_mm"] < 1
    assert sorted(result.labeling.points) == sorted(phantom.discs())


class EagerRuntime(SpotRuntime):
    """The same, only that one disc lies above the image, and that a turned image looks like a spine as well."""

    def run(self, images: np.ndarray) -> Maps:
        """Add a spot that is centred on the uppermost row."""
        maps = super().run(images)
        maps.heatmaps[:, 0, :2, maps.heatmaps.shape[3] // 2] = 0.9
        return maps


def test_slabs_are_checked_as_scans_are(monkeypatch):
    """The brightness is evened; after the first look come the second one, the border, and whether it is a spine."""
    predictor, asked = Predictor(EagerRuntime()), []
    monkeypatch.setattr(predictor_module, "even_brightness", lambda slabs: asked.append("even") or slabs)
    for place, step in ((predictor_module, "look_again"), (Predictor, "judge")):
        of = getattr(place, step)
        monkeypatch.setattr(place, step, lambda *a, of=of, step=step: asked.append(step) or of(*a))
    checked = predictor.predict_slabs(held_out().load()).labeling
    assert asked == ["even", "look_again", "judge"]
    plain = predictor.look_at_slabs(held_out().load()).labeling
    assert asked == ["even", "look_again", "judge"]
    border = {disc.value: disc.confidence for disc in plain.discs}
    assert all(disc.confidence <= border[disc.value] for disc in checked.discs)


def test_what_the_command_refuses_counts_as_no_disc(monkeypatch):
    """An image that seems to be upside down loses all of its discs; the training goes on."""

    def refuse(*_):
        raise DeepspineError("the header contradicts the anatomy")

    monkeypatch.setattr(Predictor, "judge", refuse)
    scores, (result,) = validate(Predictor(SpotRuntime()), [held_out()])
    assert scores["identification_rate"] == 0 and not result.labeling.discs
    assert result.prediction.heatmaps.any(), "the pictures of a training still show what the network saw"


def test_discs_beyond_the_marked_ones_do_not_count():
    """A disc below the last marked one is no error; one in between that is no disc is."""
    case = held_out()
    fake = FakePredictor([Disc(v, xyz, 1.0) for v, xyz in case.points.items()])
    fake.predict_slabs = lambda slabs: fake.predict(slabs)
    fake.labeling.discs.append(Disc(9, np.array([2.0, -20.0, -60.0]), 1.0))
    assert validate(fake, [case])[0]["fpr"] == 0
    fake.labeling.discs[2] = Disc(5, np.array([2.0, 30.0, 0.0]), 1.0)
    assert validate(fake, [case])[0]["fpr"] == pytest.approx(1 / 5)


def test_the_middle_slab_is_that_of_the_discs():
    """Where the phantom has its spots."""
    case = held_out()
    k, slabs = case.middle_slab(), case.load()
    assert slabs.data[k].max() == slabs.data.max()


def test_a_simulated_window_is_a_slab_with_its_discs_in_the_world():
    """Rows run down, columns backwards, 2 mm each; absent discs are left out."""
    tips_rc = np.full((25, 2), np.nan)
    tips_rc[2], tips_rc[3] = (10.0, 20.0), (18.5, 21.0)
    presence = np.zeros(25)
    presence[[2, 3]] = 1
    image = np.zeros((40, 50), np.float32)
    case = Case(image, tips_rc, presence, image, image > 0, 2.0)
    image = as_slab(case, "window")
    slab, points = image.load(), image.points
    assert slab.grid.axcodes == ("L", "I", "P") and sorted(points) == [3, 4]
    np.testing.assert_allclose(points[4] - points[3], [0, -2, -17])
    np.testing.assert_allclose(slab.grid.to_index(points[3]), [0, 10, 20], atol=1e-9)
