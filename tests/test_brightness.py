"""Scans that darken along the spine, brought to one brightness."""

import numpy as np
import pytest

from deepspine_sct.image.brightness import DARKENING, even_brightness
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.volume import Volume

SHAPE = (6, 160, 96)
AFFINE = np.array([[-3.0, 0, 0, 0], [0, 0, -1.5, 0], [0, -2.0, 0, 0], [0, 0, 0, 1]])


def scan(falls_to: float = 1.0, noise: float = 0.0) -> Volume:
    """Blocks of tissue, brighter than their surroundings, that fall to a share of their brightness at the lower end."""
    rng = np.random.default_rng(0)
    blocks = 40 + 60 * ((np.arange(SHAPE[1]) // 9 % 2)[:, None] * (abs(np.arange(SHAPE[2]) - 50) < 14))
    data = blocks[None] + rng.normal(0, 2, SHAPE)
    data = data * np.geomspace(1, falls_to, SHAPE[1])[:, None] + rng.normal(0, noise, SHAPE)
    return Volume(data.astype(np.float32), Grid(SHAPE, AFFINE))


@pytest.mark.parametrize("falls_to", [1.0, 0.5, 0.2])
def test_a_scan_that_darkens_as_usual_is_left_alone(falls_to):
    """The very same object comes back, so that no label file changes by it."""
    volume = scan(falls_to)
    assert even_brightness(volume) is volume


@pytest.mark.parametrize("falls_to", [1 / 30, 1 / 90, 1 / 300])
@pytest.mark.parametrize("upwards", [False, True])
def test_a_strong_fall_is_undone(falls_to, upwards):
    """The result is the scan before it fell, but for one factor, within 30 %."""
    order = slice(None, None, -1 if upwards else 1)
    volume = scan(falls_to)
    fallen = Volume(np.ascontiguousarray(volume.data[:, order]), volume.grid)
    evened = even_brightness(fallen).data[:, order]
    share = evened / (volume.data / np.geomspace(1, falls_to, SHAPE[1])[:, None])
    middle = share[:, 10:-10]
    along = np.median(middle, axis=(0, 2))
    assert along.max() < 1.3 * along.min()


def test_the_input_is_not_changed():
    """The darkened volume keeps its values: what is written is never the input."""
    volume = scan(1 / 90)
    before = volume.data.copy()
    assert even_brightness(volume) is not volume
    assert np.array_equal(volume.data, before)


def test_noise_beyond_the_body_gets_no_gain_of_its_own():
    """Rows of air and noise are multiplied as the last rows of tissue are, not up to the brightness of tissue."""
    volume = scan(1 / 90)
    rng = np.random.default_rng(1)
    air = np.abs(rng.normal(0, 0.001, (SHAPE[0], 60, SHAPE[2]))).astype(np.float32)
    longer = np.concatenate([volume.data, air], axis=1)
    evened = even_brightness(Volume(longer, Grid(longer.shape, AFFINE))).data
    assert np.percentile(evened[:, -40:], 95) < 0.05 * np.percentile(evened[:, :160], 95)


def test_whole_numbers_and_empty_scans():
    """Integers become float32 where they are evened; a scan of one value comes back as it is."""
    dark = Volume(np.round(20 * scan(1 / 90).data).astype(np.int16), Grid(SHAPE, AFFINE))
    assert even_brightness(dark).data.dtype == np.float32
    flat = Volume(np.zeros(SHAPE, np.int16), Grid(SHAPE, AFFINE))
    assert even_brightness(flat) is flat
    assert DARKENING > 4, "the development scans darken by up to 3.8"


def test_a_voxel_of_an_absurd_value_is_no_warning(recwarn):
    """Its square does not fit into single floats; and a scan is evened alike whatever the unit of its brightness."""
    volume = scan(1 / 90)
    dim = Volume(volume.data * np.float32(2.0**-30), volume.grid)
    np.testing.assert_allclose(even_brightness(volume).data, even_brightness(dim).data * np.float32(2.0**30), rtol=1e-5)
    volume.data[2, 30, 20] = 1e30
    even_brightness(volume)
    assert not recwarn.list
