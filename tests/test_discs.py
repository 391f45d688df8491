"""Named discs: values, names and points of an answer."""

import numpy as np
import pytest

from deepspine_sct.errors import DeepspineError
from deepspine_sct.labeling.discs import Disc, Labeling


def test_a_disc_knows_its_anatomical_name():
    """Value 3 is C2/C3 and value 8 is C7/T1, as in SCT; 26 is no disc."""
    assert Disc(3, np.zeros(3), 1.0).name == "C2/C3"
    assert Disc(8, np.zeros(3), 1.0).name == "C7/T1"
    with pytest.raises(DeepspineError):
        _ = Disc(26, np.zeros(3), 1.0).name


def test_points_map_each_value_to_its_place_in_order():
    """The points of a labeling are what `write_discs` and `score_case` take."""
    discs = [Disc(v, np.array([1.0, 2.0, -20.0 * v]), 0.9) for v in (3, 4, 6)]
    points = Labeling(discs, 0.95, 4.0).points
    assert list(points) == [3, 4, 6]
    assert all((points[disc.value] == disc.xyz_mm).all() for disc in discs)


def test_an_empty_labeling_claims_nothing():
    """Without discs there are no points, no confidence and no warnings shared between answers."""
    one, other = Labeling(), Labeling()
    one.warnings.append("something")
    assert one.points == {} and one.level_confidence == 0 and other.warnings == []
