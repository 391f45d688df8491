"""What changes a file and not the scan moves no disc: orientation, margins, intensities, types."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from geometry_cases import ORIENTATIONS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deepspine_sct.image.grid import Grid
from deepspine_sct.image.labels import read_labels
from deepspine_sct.image.nifti import read_volume, write_discs
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.image.volume import Volume, reorient
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.model.export import export
from deepspine_sct.model.runtime import SHIPPED

DATA = Path(__file__).resolve().parent.parent / "data_test"

# The examples are few, for each runs the network; the benchmark goes through all scans.
few = settings(
    max_examples=6, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip


@pytest.fixture(scope="module")
def predictor():
    """The shipped network."""
    return Predictor.load()


@pytest.fixture(scope="module")
def floats(tmp_path_factory):
    """The shipped network exported in single floats."""
    pytest.importorskip("onnx")
    path = tmp_path_factory.mktemp("export") / "floats.onnx"
    export(SHIPPED, path)
    return Predictor.load(path)


def rescaled(scan: Volume, power: float, offset: float) -> Volume:
    """Multiply the intensities by a power of ten and add an offset."""
    return Volume((scan.data * 10**power + offset).astype(np.float64), scan.grid)


@pytest.fixture(scope="module")
def scan():
    """Part of a simulated scan: about six discs of the neck in five slices."""
    whole = canonical(read_volume(DATA / "t2_sim.nii.gz"))
    middle = np.rint(whole.grid.to_index(read_labels(DATA / "t2_sim_labels.nii.gz")[5])).astype(int)
    low = np.maximum(middle - (2, 40, 36), 0)
    affine = whole.grid.affine.copy()
    affine[:3, 3] = whole.grid.to_world(low)
    data = whole.data[low[0] : low[0] + 5, low[1] : low[1] + 80, low[2] : low[2] + 72].copy()
    return Volume(data, Grid(data.shape, affine))


@pytest.fixture(scope="module")
def points(predictor, scan):
    """Its discs."""
    found = predictor.predict(scan).labeling.points
    assert len(found) >= 4
    return found


def largest_shift(volume: Volume, points, found) -> float:
    """Distance in voxels along the worst axis; infinite when other discs are named."""
    if set(points) != set(found):
        return np.inf
    shifts_mm = np.array([found[value] - points[value] for value in points])
    return float(np.abs(shifts_mm @ np.linalg.inv(volume.grid.affine[:3, :3]).T).max())


@few
@given(st.sampled_from(sorted(ORIENTATIONS)))
def test_the_orientation_of_the_file_does_not_matter(predictor, scan, points, codes):
    """Axes in any order and direction, the affine with them: the discs stay where they are."""
    turned = reorient(scan, tuple(codes))
    turned = Volume(np.ascontiguousarray(turned.data), turned.grid)
    assert largest_shift(scan, points, predictor.predict(turned).labeling.points) < 1e-3


@few
@given(st.floats(-4, 4), st.floats(-1000, 1000))
def test_the_scale_of_the_intensities_does_not_matter(floats, scan, power, offset):
    """Intensities times a factor plus an offset leave every disc within a tenth of a voxel, in single floats."""
    changed = rescaled(scan, power, offset)
    points = floats.predict(scan).labeling.points
    assert largest_shift(scan, points, floats.predict(changed).labeling.points) < 0.1


@few
@given(st.floats(-4, 4), st.floats(-1000, 1000))
def test_integers_amplify_rounding_to_half_a_voxel_at_most(predictor, scan, points, power, offset):
    """The installed network leaves every disc of a rescaled image within half a voxel."""
    assert largest_shift(scan, points, predictor.predict(rescaled(scan, power, offset)).labeling.points) < 0.5


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", "float64"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_the_type_of_the_file_does_not_matter(predictor, scan, points, tmp_path, dtype, suffix):
    """The scan through a file of another type keeps its discs to half a voxel."""
    data = scan.data / scan.data.max() * 255
    nib.save(nib.Nifti1Image(data.round().astype(dtype), scan.grid.affine), tmp_path / f"x{suffix}")
    volume = read_volume(tmp_path / f"x{suffix}", lazy=True)
    found = predictor.predict(volume).labeling.points
    assert largest_shift(scan, points, found) < 0.5


@few
@given(st.tuples(*[st.integers(0, 12)] * 6))
def test_dark_margins_do_not_matter(predictor, scan, points, margins):
    """Planes of one value on any side, and so cropping them off again, move no disc at all."""
    before, after = np.array(margins[:3]), np.array(margins[3:])
    data = np.pad(scan.data, list(zip(before, after, strict=True)), constant_values=scan.data.min())
    affine = scan.grid.affine.copy()
    affine[:3, 3] = scan.grid.to_world(-before)
    padded = Volume(data, Grid(data.shape, affine))
    assert largest_shift(scan, points, predictor.predict(padded).labeling.points) < 1e-3


def test_the_written_voxel_follows_the_orientation(predictor, scan, points, tmp_path):
    """Through the label file: the same world voxel in all 48 orientations of the scan."""
    written = {}
    for codes in sorted(ORIENTATIONS)[::6]:
        grid = reorient(scan, tuple(codes)).grid
        path = tmp_path / f"{codes}.nii.gz"
        write_discs(path, grid, points)
        written[codes] = read_labels(path)
    first = next(iter(written.values()))
    for labels in written.values():
        for value in first:
            np.testing.assert_allclose(labels[value], first[value], atol=1e-3)
