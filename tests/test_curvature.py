"""Distances and angles between discs, against spines whose curves are known."""

import numpy as np
import pytest

from deepspine_sct.landmarks.curvature import CURVES, angles, disc_angles_deg, distances_mm


def bent_spine(degrees_each: float, first=3, last=25, step_mm=20.0) -> dict[int, np.ndarray]:
    """Make a spine whose every vertebra is turned against the one above it; positive bends make a lordosis.

    Built with complex numbers: the heading turns to the back from vertebra to vertebra.
    """
    place, heading = 0j, np.exp(1j * np.deg2rad(40))  # real: downwards, imaginary: forwards
    points = {}
    for value in range(first, last + 1):
        points[value] = np.array([0.3 * value, place.imag, -place.real])
        place += step_mm * heading
        heading *= np.exp(-1j * np.deg2rad(degrees_each))
    return points


@pytest.mark.parametrize("bend", [-7.0, 0.0, 4.0])
def test_every_disc_has_the_bend_that_the_spine_was_built_with(bend):
    """Positive for lordosis, at every inner disc and at no other."""
    found = disc_angles_deg(bent_spine(bend))
    assert set(found) == set(range(4, 25))
    assert np.allclose(list(found.values()), bend)


def test_a_curve_is_the_sum_of_its_bends():
    """From C3 to C7 there are four discs between vertebrae, from L1 to L5 four, from T1 to T12 eleven."""
    found = angles(bent_spine(5.0))
    assert found["cervical_lordosis_C3_C7"] == pytest.approx(20)
    assert found["thoracic_kyphosis_T1_T12"] == pytest.approx(55)
    assert found["thoracic_kyphosis_T4_T12"] == pytest.approx(40)
    assert found["lumbar_lordosis_L1_L5"] == pytest.approx(20)


def test_a_neck_that_is_hollow_at_the_back_is_a_lordosis():
    """Drawn by hand: the middle of the neck lies farthest to the front."""
    forwards = {3: 0, 4: 4, 5: 6, 6: 6, 7: 4, 8: 0}
    points = {value: (0.0, y, -16.0 * value) for value, y in forwards.items()}
    assert angles(points)["cervical_lordosis_C3_C7"] == pytest.approx(2 * np.degrees(np.arctan2(4, 16)))


def test_only_what_was_seen_is_measured():
    """A missing disc takes its distances, angles and curves with it, and no more."""
    points = bent_spine(3.0, 3, 9)
    del points[6]
    assert set(distances_mm(points)) == {3, 4, 7, 8}
    assert set(disc_angles_deg(points)) == {4, 8}
    assert set(angles(points)) == {"cervical_lordosis_C3_C7"}
    del points[4]
    assert angles(points) == {}
    assert angles({}) == distances_mm({}) == disc_angles_deg({}) == {}


def test_distances_are_those_of_the_space_and_angles_those_of_the_plane():
    """A spine that leans to the side keeps its angles, and its distances grow."""
    straight, leaning = bent_spine(4.0), bent_spine(4.0)
    for value in leaning:
        leaning[value] = leaning[value] + (5.0 * value, 0, 0)
    assert disc_angles_deg(leaning) == pytest.approx(disc_angles_deg(straight))
    assert distances_mm(leaning)[5] == pytest.approx(np.hypot(20.0, 5.3))


def test_turning_the_head_of_the_scanner_changes_no_angle():
    """The patient lies tilted about the left-right axis."""
    points = bent_spine(6.0)
    c, s = np.cos(0.7), np.sin(0.7)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    assert angles({v: turn @ xyz for v, xyz in points.items()}) == pytest.approx(angles(points))


def test_the_curves_name_the_vertebrae_that_they_run_over():
    """C3 lies below disc 3 and L5 below disc 24, as `anatomy` names them."""
    from deepspine_sct.anatomy import vertebra_name

    for name, (first, last) in CURVES.items():
        assert name.endswith(f"_{vertebra_name(first)}_{vertebra_name(last)}")
