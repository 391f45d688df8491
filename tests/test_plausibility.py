"""What a labeling is worth when the image may show no spine, or one that stands on its head."""

from pathlib import Path

import numpy as np
import pytest

from deepspine_sct.caution import Caution
from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.labels import read_labels
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.image.volume import Volume
from deepspine_sct.labeling.discs import Disc, Labeling, Rating
from deepspine_sct.labeling.plausibility import (
    CONVINCING_FIT,
    CONVINCING_SCORE,
    DOUBTFUL_FIT,
    RIVAL_FIT,
    THICK_MM,
    TURNS,
    judge,
    judge_sampling,
)
from deepspine_sct.labeling.predictor import Predictor

DATA = Path(__file__).resolve().parent.parent / "data_test"


def labeling(fit: float, n: int = 8) -> Labeling:
    """Labeling of n discs that fit so well, each of them sure."""
    discs = [Disc(value, np.array([0, 0, -20.0 * value]), 0.98, 0.96) for value in range(3, 3 + n)]
    return Labeling(discs, 0.96, 5.0, [Caution("disc_missing", "a gap")], score=n * fit, fit=fit)


def turned(**fits: float):
    """Look-up that answers with eight discs of a fit for a turn that is named, else with none."""
    of_axes = {"as_it_is": (), "SI": (1,), "AP": (2,), "both": (1, 2)}
    known = {of_axes[name]: Rating(8 * fit, 8) for name, fit in fits.items()}
    return lambda turns: [known.get(axes, Rating()) for axes in turns]


def test_a_convincing_spine_is_not_looked_at_again():
    """Where the labeling fits well nothing is run once more and nothing changes."""

    good = labeling(CONVINCING_FIT + 0.1)
    assert judge(good, refuse_to_look) is good
    many = labeling(DOUBTFUL_FIT + 0.1, n=23)
    assert many.score >= CONVINCING_SCORE and judge(many, refuse_to_look) is many
    nothing = Labeling(warnings=["no disc found"])
    assert judge(nothing, refuse_to_look) is nothing


def test_a_fair_spine_stays_as_it_is():
    """Between doubtful and convincing, and better than any turned image, nothing changes."""
    fair = labeling(DOUBTFUL_FIT + 0.5)
    assert judge(fair, turned(SI=RIVAL_FIT - 0.1, AP=3.0)) is fair
    good = labeling(9.5)
    assert judge(good, turned(SI=RIVAL_FIT + 0.1)) is good


def test_a_spine_that_looks_the_same_turned_over_is_doubted():
    """Neither way up is better by far: half of the confidence, and the reason before all else."""
    either = judge(labeling(9.0), turned(SI=9.1))
    assert [disc.confidence for disc in either.discs] == [0.49] * 8 and either.level_confidence == 0.48
    assert either.warnings[0].startswith("the image may be upside down") and either.warnings[1:] == ["a gap"]
    known = labeling(9.0)
    assert judge(known, turned(SI=9.1), [3]) is known


def test_a_turned_slab_is_compared_with_the_same_slab_as_it_is():
    """Discs of several slabs fit less well than those of one: a turned slab need not be refused, nor be a rival."""
    of_several_slabs = labeling(7.2)
    assert judge(of_several_slabs, turned(as_it_is=9.5, SI=9.0)) is of_several_slabs
    doubted = judge(of_several_slabs, turned(as_it_is=9.0, SI=9.4))
    assert doubted.warnings[0].startswith("the image may be upside down")
    with pytest.raises(DeepspineError, match="superior and inferior seem"):
        judge(of_several_slabs, turned(as_it_is=7.2, SI=9.0))


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        ("SI", "superior and inferior seem"),
        ("AP", "anterior and posterior seem"),
        ("both", "superior and inferior, and also anterior and posterior, seem"),
    ],
)
def test_a_header_that_contradicts_the_anatomy_is_named(turn, words):
    """The turned image that fits far better says which axes of the header are wrong."""
    with pytest.raises(DeepspineError, match=f"contradicts the anatomy: {words} to be swapped; "):
        judge(labeling(7.0), turned(**{"SI": 6.0, "AP": 5.0, turn: 9.8}))


def test_a_poor_turned_image_proves_nothing():
    """What fits badly either way is doubted, but no header is called wrong for it."""
    assert judge(labeling(3.0), turned(SI=6.0)).discs


def refuse_to_look(axes):
    """Stand for a turned image that must not be asked for."""
    raise AssertionError("must not be asked")


def test_who_names_a_disc_is_not_contradicted():
    """With a start from the user no image is turned over, and nothing that shows a spine is doubted."""
    for fair in (labeling(7.0), labeling(5.6, n=4), labeling(3.0, n=8)):
        assert judge(fair, refuse_to_look, named=[4]) is fair


def test_who_names_a_disc_is_warned_where_next_to_nothing_fits():
    """No confidence falls: the user knows that it is a spine, and at which level."""
    poor = labeling(4.0, n=2)
    said = judge(poor, refuse_to_look, named=[4])
    assert [disc.confidence for disc in said.discs] == [disc.confidence for disc in poor.discs]
    assert said.level_confidence == poor.level_confidence
    assert "fits a spine badly" in said.warnings[0] and said.warnings[1:] == poor.warnings


def test_a_doubtful_labeling_loses_at_least_half_of_its_confidence():
    """Every confidence falls, below one half, in step with the fit; places and names stay."""
    doubtful, worse = judge(labeling(6.0), turned()), judge(labeling(3.0), turned())
    for before, disc, lower in zip(labeling(6.0).discs, doubtful.discs, worse.discs, strict=True):
        assert 0 < lower.confidence < disc.confidence < 0.5
        assert disc.value == before.value and (disc.xyz_mm == before.xyz_mm).all()
    assert worse.level_confidence < doubtful.level_confidence < 0.5
    assert doubtful.warnings[1:] == ["a gap"] and "fits a spine badly" in doubtful.warnings[0]


def test_next_to_nothing_is_nothing():
    """Few discs that fit badly are no discs; few that fit well are."""
    assert judge(labeling(4.0, n=3), turned()).discs == []
    assert len(judge(labeling(8.0, n=2), turned()).discs) == 2


def test_thick_slices_halve_the_confidence_and_say_why():
    """Up to the limit nothing changes; beyond it places and names stay, and nothing is sure."""
    good = labeling(11.0)
    assert judge_sampling(good, THICK_MM) is good
    thick = judge_sampling(good, 4.04)
    assert [disc.confidence for disc in thick.discs] == [0.49] * 8 and thick.level_confidence == 0.48
    assert [disc.value for disc in thick.discs] == [disc.value for disc in good.discs]
    assert thick.warnings[0].startswith("voxels of 4.0 mm in the sagittal plane") and thick.warnings[1:] == ["a gap"]
    nothing = Labeling(warnings=["no disc found"])
    assert judge_sampling(nothing, 5.0) is nothing


@pytest.fixture(scope="module")
def predictor():
    """The shipped network."""
    return Predictor.load()


@pytest.mark.parametrize("name", ["t2_sim", "t1_sim", "t2_lumbar_sim"])
def test_a_reversed_header_is_named_by_the_shipped_network(predictor, name):
    """Each demo scan is labelled upright, and refused with the right axes when it is reversed."""
    upright = canonical(read_volume(DATA / f"{name}.nii.gz"))
    found = predictor.predict(upright).labeling.points
    truth = read_labels(DATA / f"{name}_labels.nii.gz")
    near = [np.linalg.norm(xyz - truth[v]) < 6 for v, xyz in found.items() if v in truth]
    assert np.mean(near) > 0.8
    for axes, words in TURNS.items():
        reversed_ = Volume(np.flip(upright.data, axes), upright.grid)
        with pytest.raises(DeepspineError, match=f": {words} seem to be swapped"):
            predictor.predict(reversed_)


def test_left_and_right_may_be_swapped(predictor):
    """A mid-sagittal plane does not show sides: the discs stay in the same slices of the array."""
    scan = canonical(read_volume(DATA / "t2_sim.nii.gz"))
    before = predictor.predict(scan).labeling.points
    after = predictor.predict(Volume(scan.data[::-1], scan.grid)).labeling.points
    assert set(before) == set(after)
    for value, xyz in before.items():
        mirrored = scan.grid.to_index(after[value]) * (-1, 1, 1) + (scan.grid.shape[0] - 1, 0, 0)
        assert np.abs(mirrored - scan.grid.to_index(xyz)).max() < 0.5


@pytest.mark.parametrize("axis", [1, 2])
def test_a_spine_in_thick_slices_gets_no_confident_label(predictor, axis):
    """Axial or coronal slices of 3.2 mm, averaged from a scan that is labelled with confidence."""
    scan = canonical(read_volume(DATA / "t2_sim.nii.gz"))
    assert predictor.predict(scan).labeling.level_confidence > 0.9
    data = np.moveaxis(scan.data, axis, 0)
    data = np.moveaxis((data[:-1:2] + data[1::2]) / 2, 0, axis)
    zooms_mm = scan.grid.zooms_mm * np.where(np.arange(3) == axis, 2, 1)
    said = predictor.predict(Volume(data, scan.grid.resampled(data.shape, zooms_mm))).labeling
    assert said.level_confidence < 0.5 and all(disc.confidence < 0.5 for disc in said.discs)
    assert any("mm in the sagittal plane" in warning for warning in said.warnings)


@pytest.mark.parametrize("blur", [0, 2, 4])
def test_noise_gets_no_confident_label(predictor, blur):
    """Whatever is found in noise is doubted, if anything is found at all."""
    noise = np.random.default_rng(blur).normal(size=(5, 96, 80)).astype(np.float32)
    if blur:
        from scipy.ndimage import gaussian_filter

        noise = gaussian_filter(noise, (1, blur, blur))
    affine = np.array([[-4.0, 0, 0, 0], [0, 0, -2, 0], [0, -2, 0, 0], [0, 0, 0, 1]])
    said = predictor.predict(Volume(noise, Grid(noise.shape, affine))).labeling
    assert all(disc.confidence < 0.5 for disc in said.discs)
    assert said.warnings


def test_the_evidence_does_not_depend_on_what_is_asked_for(predictor):
    """-discs changes nothing of the judgement: the fit is that of the image by itself."""
    scan = read_volume(DATA / "t2_sim.nii.gz")
    everything = predictor.predict(scan).labeling
    part = predictor.predict(scan, values=(4, 5)).labeling
    assert len(part.only((4, 5)).discs) == 2
    assert (part.fit, part.score) == (everything.fit, everything.score)
    for disc in part.discs:
        np.testing.assert_array_equal(disc.xyz_mm, everything.points[disc.value])
    assert everything.fit == pytest.approx(everything.score / len(everything.discs))
