"""Disc values, names and the mean geometry of the spine."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from deepspine_sct import anatomy
from deepspine_sct.errors import DeepspineError, NoDiscFound

PAM50 = Path(__file__).parents[2] / "shared/real/pam50/PAM50_label_discPosterior.nii.gz"


@pytest.mark.parametrize(
    ("value", "name"),
    [(1, "top of C1"), (2, "C1/C2"), (3, "C2/C3"), (8, "C7/T1"), (9, "T1/T2"), (19, "T11/T12"),
     (20, "T12/L1"), (21, "L1/L2"), (25, "L5/S1")],
)  # fmt: skip
def test_value_has_the_name_sct_gives_it(value, name):
    """The junctions of the regions carry the values that SCT gives them."""
    assert anatomy.disc_name(value) == name


def test_every_value_has_one_name():
    """The names are as many as the values and all different."""
    assert set(anatomy.DISC_NAMES) == set(anatomy.DISC_VALUES) == set(range(1, 26))
    assert len(set(anatomy.DISC_NAMES.values())) == 25
    assert not set(anatomy.SPECIAL_VALUES) & set(anatomy.DISC_VALUES)


def test_neighbouring_names_share_a_vertebra():
    """The vertebra below a disc is the vertebra above the next one."""
    for value in range(2, 25):
        below = anatomy.DISC_NAMES[value].split("/")[1]
        assert anatomy.DISC_NAMES[value + 1].split("/")[0] == below


def test_levels_descend_by_the_spacings():
    """Levels fall with the value, by what the spacings say up to the slant between two tips."""
    steps_mm = -np.diff(anatomy.LEVEL_MM)
    assert anatomy.SPACING_MM.shape == (24,) and anatomy.LEVEL_MM.shape == (25,)
    assert (steps_mm > 0).all()
    np.testing.assert_allclose(steps_mm, anatomy.SPACING_MM, atol=0.31)


def test_lumbar_levels_are_the_agreed_ones():
    """Below the template the scaled distances put the discs where the training data put them."""
    assert anatomy.LEVEL_MM[20:].tolist() == [20, -15, -51, -87, -121]


@pytest.mark.skipif(not PAM50.exists(), reason="needs the PAM50 disc labels")
def test_tables_are_the_template():
    """Levels and spacings down to L1/L2 are those of PAM50's posterior disc tips."""
    image = nib.load(PAM50)
    data = np.asarray(image.dataobj)
    voxels_ijk = np.argwhere(data)
    order = np.argsort(data[tuple(voxels_ijk.T)])
    assert data[tuple(voxels_ijk[order].T)].tolist() == list(range(1, 22))
    tips_ijk = voxels_ijk[order]
    tips_mm = nib.affines.apply_affine(image.affine, tips_ijk)
    spacing_mm = np.linalg.norm(np.diff(tips_mm, axis=0), axis=1)
    lowest_mm = image.affine[2, 3]
    np.testing.assert_allclose(anatomy.LEVEL_MM[:21], tips_mm[:, 2] - lowest_mm, atol=1e-3)
    np.testing.assert_allclose(anatomy.SPACING_MM[:20], spacing_mm, atol=0.15)


def test_tables_cannot_be_changed():
    """No caller can alter the tables for the others."""
    with pytest.raises(ValueError, match="read-only"):
        anatomy.LEVEL_MM[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        anatomy.SPACING_MM[0] = 0


def test_check_values_sorts_and_merges():
    """Accepted values come back once each and in order, as plain integers."""
    checked = anatomy.check_values(np.array([8, 3, 8, 25]))
    assert checked == (3, 8, 25)
    assert all(type(value) is int for value in checked)


@pytest.mark.parametrize("wrong", [0, -1, 26, 49, 60, 3.5])
def test_check_values_names_what_is_wrong(wrong):
    """A value that is no disc is refused by name, in one line that says what is allowed."""
    with pytest.raises(DeepspineError, match=rf"not a disc value: {wrong}; use 1 .* 25 \(L5/S1\)$"):
        anatomy.check_values([3, wrong])
    with pytest.raises(DeepspineError):
        anatomy.disc_name(wrong)


def test_check_values_names_what_has_no_order():
    """Objects of any type, such as discs in place of their values, and no more of each than fits a line."""
    with pytest.raises(DeepspineError, match=r"^not a disc value: -1, <object object at .*; use 1 "):
        anatomy.check_values([object(), -1, object(), 3])
    with pytest.raises(DeepspineError, match=r"not a disc value: \('x+; use 1"):
        anatomy.check_values([("x" * 1000, 1)])


def test_check_values_stays_short():
    """An image mistaken for labels does not fill the screen with its values."""
    with pytest.raises(DeepspineError) as caught:
        anatomy.check_values(range(100, 1000))
    assert len(str(caught.value)) < 120


def test_exit_codes():
    """Finding no disc ends with another code than an error, and is still caught as one."""
    assert (DeepspineError.exit_code, NoDiscFound.exit_code) == (1, 3)
    assert issubclass(NoDiscFound, DeepspineError)
