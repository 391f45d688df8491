"""The one strict reader of label files, on files that other programs made of right ones."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from deepspine_sct.anatomy import SPACING_MM
from deepspine_sct.errors import DeepspineError, NoLabels
from deepspine_sct.image.labels import check_distances, check_order, read_labels

REAL = Path(__file__).parents[2] / "shared" / "real"
ANNOTATIONS = Path(__file__).parents[1] / "deepspine_sct" / "training" / "annotations.json"

AFFINE = np.array([[0.0, 0, -1.5, 9], [-1, 0, 0, 20], [0, 1.2, 0, -30], [0, 0, 0, 1]])
SHAPE = (40, 90, 12)
VOXELS = {3: (20, 80, 6), 4: (20, 66, 6), 5: (21, 52, 6), 6: (22, 38, 5), 7: (22, 22, 5)}


def points_file(path, voxels=None, dtype=np.uint8):
    """Write one voxel per disc."""
    data = np.zeros(SHAPE, dtype)
    for value, ijk in (voxels or VOXELS).items():
        data[ijk] = value
    return save(path, data)


def save(path, data, affine=AFFINE):
    """Write an array as it is."""
    nib.save(nib.Nifti1Image(data, affine), path)
    return path


def resampled(path, target, how, scale=0.73, dtype=None):
    """Resample with ITK to smaller voxels, as ANTs does, off the old voxel centres."""
    image = sitk.ReadImage(str(path), sitk.sitkFloat32)
    size = [int(n / scale) for n in image.GetSize()]
    spacing = [s * scale for s in image.GetSpacing()]
    out = sitk.Resample(image, size, sitk.Transform(), how, image.GetOrigin(), spacing, image.GetDirection())
    if dtype is not None:
        out = sitk.Cast(sitk.Round(out), dtype)
    sitk.WriteImage(out, str(target))
    return target


def dilated(path, size=3):
    """Make cubes of single voxels, as hands and `sct_label_utils` do."""
    image = nib.load(path)
    return save(path, ndimage.grey_dilation(np.asarray(image.dataobj), size=(size,) * 3))


def refusal(path) -> str:
    """Message with which a file is refused: one line, the file, the fault and a remedy."""
    with pytest.raises(DeepspineError) as caught:
        read_labels(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    return message.removeprefix(f"{path}: ")


def test_labels_are_world_points(tmp_path):
    """Each value comes back with the world position of its voxel, superior to inferior."""
    points = read_labels(points_file(tmp_path / "l.nii.gz"))
    assert list(points) == list(VOXELS)
    for value, ijk in VOXELS.items():
        np.testing.assert_allclose(points[value], (AFFINE @ (*ijk, 1))[:3], atol=1e-5)


@pytest.mark.parametrize("noise", [-1e-7, 4.57e-5, 0.0099])
def test_values_that_conversion_has_touched_pass(tmp_path, noise):
    """2.9999999 and 3.0000457 are 3: scaling and floats leave such values, and faint ones are nothing."""
    data = np.zeros(SHAPE)
    for value, ijk in VOXELS.items():
        data[ijk] = value + noise
    data[0, 0, 0] = abs(noise)
    assert list(read_labels(save(tmp_path / "l.nii", data))) == list(VOXELS)


@pytest.mark.parametrize("slope", [1 / 255, 0.0117647, 3e-4])
def test_values_that_are_scaled_by_the_header_pass(tmp_path, slope):
    """Integers on the disk that only the header's slope makes disc values."""
    data = np.zeros(SHAPE, np.int16)
    for value, ijk in VOXELS.items():
        data[ijk] = round(value / slope)
    path = save(tmp_path / "l.nii", data)
    content = bytearray(path.read_bytes())
    content[112:116] = np.float32(slope).tobytes()
    path.write_bytes(content)
    assert list(read_labels(path)) == list(VOXELS)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_a_small_blob_counts_by_its_centre(tmp_path, size):
    """Cubes of voxels around a disc are its centre of mass."""
    path = dilated(points_file(tmp_path / "l.nii"), size)
    marked = np.asarray(nib.load(path).dataobj)
    for value, xyz_mm in read_labels(path).items():
        middle = np.argwhere(marked == value).mean(axis=0)
        np.testing.assert_allclose(xyz_mm, (AFFINE @ (*middle, 1))[:3], atol=1e-5)


def test_three_thick_slices_are_a_small_blob(tmp_path):
    """A dilated voxel of a scan with slices of 8 mm is 24 mm wide and still one mark."""
    data = np.zeros((5, 40, 40), np.uint8)
    data[1:4, 10:13, 20:23] = 8
    assert list(read_labels(save(tmp_path / "l.nii", data, np.diag([8.0, 1, 1, 1])))) == [8]


def test_special_values_are_no_discs(tmp_path):
    """SCT's 49, 50 and 60 are passed over."""
    path = points_file(tmp_path / "l.nii", {49: (0, 0, 0), 50: (0, 0, 4), 60: (0, 9, 2), 4: (0, 30, 3)})
    assert list(read_labels(path)) == [4]


def test_nearest_neighbour_passes(tmp_path):
    """What the message advises is read: the same discs, less than a voxel away."""
    path = dilated(points_file(tmp_path / "l.nii"))
    points = read_labels(resampled(path, tmp_path / "nn.nii", sitk.sitkNearestNeighbor))
    for value, xyz_mm in read_labels(path).items():
        assert np.linalg.norm(points[value] - xyz_mm) < 1.5


INTERPOLATIONS = {
    "linear": (sitk.sitkLinear, None),
    "B-spline": (sitk.sitkBSpline, None),
    "windowed sinc": (sitk.sitkLanczosWindowedSinc, None),
    "Gaussian": (sitk.sitkGaussian, None),
    "linear, rounded to bytes": (sitk.sitkLinear, sitk.sitkUInt8),
    "B-spline, rounded to integers": (sitk.sitkBSpline, sitk.sitkInt16),
}


@pytest.mark.parametrize("how", INTERPOLATIONS)
@pytest.mark.parametrize("cubes", [False, True])
def test_interpolated_labels_are_refused(tmp_path, how, cubes):
    """However they were interpolated and whatever they were rounded to, the advice is nearest neighbour."""
    interpolator, dtype = INTERPOLATIONS[how]
    path = points_file(tmp_path / "l.nii", {3: VOXELS[3], 5: VOXELS[5], 7: VOXELS[7]})
    if cubes:
        dilated(path)
    message = refusal(resampled(path, tmp_path / "bad.nii", interpolator, dtype=dtype))
    assert any(guess in message for guess in ("nearest neighbour", "interpolated?", "not a disc value: -"))


def cord_levels():
    """Vertebral levels of a cord of 8 x 10 mm, as `sct_label_vertebrae` writes them."""
    data = np.zeros(SHAPE, np.uint8)
    edges = [90, *[ijk[1] for ijk in VOXELS.values()], 0]
    for value, high, low in zip((2, 3, 4, 5, 6, 7), edges, edges[1:], strict=False):
        data[16:24, low:high, 3:9] = value
    return data


def whole_discs():
    """Discs that are 24 mm deep and 6 mm high."""
    data = np.zeros(SHAPE, np.uint8)
    for value, (_, j, _) in VOXELS.items():
        data[8:32, j - 2 : j + 3, 2:10] = value
    return data


def twice():
    """One disc clicked twice, eight voxels apart."""
    data = np.zeros(SHAPE, np.uint8)
    data[20, 80, 6], data[20, 66, 6], data[20, 74, 6] = 3, 4, 4
    return data


def vertebral_bodies():
    """Bodies with gaps for the discs, numbered like them."""
    data = np.zeros(SHAPE, np.int16)
    for value, (_, j, _) in VOXELS.items():
        data[6:26, max(0, j - 12) : j - 3, 1:11] = value
    return data


NO_LABELS = {
    "empty": (np.zeros(SHAPE, np.uint8), "holds no disc label; give one voxel per disc, valued 1 to 25"),
    "levels of a cord": (cord_levels(), "which is not a point; are these vertebral levels"),
    "whole discs": (whole_discs(), "which is not a point; is it a segmentation of the cord, of whole discs or"),
    "bodies": (vertebral_bodies(), "which is not a point; is it a segmentation of the cord, of whole discs or"),
    "binary mask": ((cord_levels() > 0).astype("u1"), "which is not a point"),
    "twice": (twice(), "disc 4 (C3/C4) is marked in 2 places, at voxels (20, 66, 6) and (20, 74, 6); keep only one"),
    "another scheme": (cord_levels() + np.uint8(100) * (cord_levels() > 0), "is it a segmentation, with its own"),
    "the image": (np.random.default_rng(0).integers(0, 900, SHAPE).astype(np.int16), "is it the image itself?"),
    "the image in floats": (np.random.default_rng(0).normal(300, 90, SHAPE), "is it the image itself?"),
    "a heatmap": (ndimage.gaussian_filter((whole_discs() > 0).astype("f4"), 2), "is it a heatmap, a soft segmentation"),
    "times ten": (10 * twice(), "not a disc value: 30, 40; use 1 (top of C1) to 25 (L5/S1)"),
    "negative": (-3.0 * (twice() == 3), "not a disc value: -3; use 1 (top of C1) to 25 (L5/S1)"),
    "huge": (1e30 * (twice() == 3), "not a disc value: 1e+30; use 1"),
}


@pytest.mark.parametrize("case", NO_LABELS)
def test_what_is_no_label_file_is_refused_with_a_guess(tmp_path, case):
    """Levels, segmentations, images, heatmaps and double clicks: the line says what the file may be."""
    data, message = NO_LABELS[case]
    assert message in refusal(save(tmp_path / "l.nii.gz", data))


def test_a_file_without_a_disc_is_told_apart(tmp_path):
    """Empty is an answer, in an evaluation; what is no label file is none."""
    with pytest.raises(NoLabels):
        read_labels(save(tmp_path / "l.nii", np.zeros(SHAPE, np.uint8)))
    with pytest.raises(NoLabels):
        read_labels(points_file(tmp_path / "m.nii", {60: (1, 1, 1)}))
    with pytest.raises(DeepspineError) as caught:
        read_labels(save(tmp_path / "n.nii", twice()))
    assert not isinstance(caught.value, NoLabels)


@pytest.mark.parametrize(
    ("downwards", "message"),
    [
        ((3, 5, 4, 6), "disc 5 lies above disc 4; two labels are swapped"),
        ((6, 5, 4, 3), "the values grow from foot to head; count the discs from the head downwards"),
        ((4, 3), "disc 4 lies above disc 3; two labels are swapped"),
    ],
)
def test_an_order_that_is_not_that_of_the_values_is_refused(downwards, message):
    """Swapped and upside-down names are told apart; the right order and a single disc pass."""
    points = {value: np.array([0.0, 0, -20 * n]) for n, value in enumerate(downwards)}
    with pytest.raises(DeepspineError, match=message):
        check_order("l.nii", points)
    check_order("l.nii", dict(zip(sorted(points), points.values(), strict=True)))
    check_order("l.nii", {3: np.zeros(3)})


def spine(size=1.0, values=range(1, 26)):
    """Discs of an adult of average size, times a size, on a spine that is bent by 60 degrees in all."""
    angles = np.radians(np.linspace(-30, 30, 24))
    steps_mm = SPACING_MM[:, None] * np.column_stack((np.zeros(24), np.sin(angles), -np.cos(angles)))
    places_mm = np.vstack((np.zeros(3), np.cumsum(steps_mm, axis=0)))
    return {value: size * places_mm[value - 1] for value in values}


@pytest.mark.parametrize("values", [range(1, 26), (1, 2), (24, 25), (3, 8, 21), (1, 25)])
@pytest.mark.parametrize("size", [0.5, 1.0, 1.35])
def test_true_spines_have_possible_distances(size, values):
    """Children and tall adults pass, with all discs or a few, and with a last disc space that has collapsed by half."""
    check_distances("l.nii", spine(size, values))
    points = spine(size)
    points[25] = (points[24] + points[25]) / 2
    check_distances("l.nii", {value: points[value] for value in values})


@pytest.mark.parametrize("values", [range(1, 8), range(18, 26), (3, 8)])
@pytest.mark.parametrize("unit", [0.001, 0.1, 10])
def test_discs_in_another_unit_than_millimetres_are_refused(values, unit):
    """Metres, centimetres and tenths of a millimetre, of a neck, of a lumbar spine and of two discs."""
    with pytest.raises(DeepspineError, match=r"l.nii: discs .* mm apart, where an adult has about \d+ mm"):
        check_distances("l.nii", spine(unit, values))


@pytest.mark.parametrize(("value", "instead", "named"), [(4, 12, "5 .* and 12"), (20, 12, "12 .* and 19")])
def test_a_disc_with_the_name_of_a_far_one_is_refused(value, instead, named):
    """The two that are named lie next to each other in the file."""
    points = spine(values=range(3, 7) if value == 4 else range(18, 23))
    points[instead] = points.pop(value)
    with pytest.raises(DeepspineError, match=named if value == 20 else "mm apart"):
        check_distances("l.nii", points)


@pytest.mark.skipif(not REAL.is_dir(), reason="real scans are not here")
@pytest.mark.parametrize("size", [1, 0.5])
def test_no_true_labels_of_real_scans_are_refused(size):
    """Scoliotic, post-operative and collapsed spines included, also as if they were those of a child."""
    files = sorted((REAL / "lumbar").glob("*_discs.nii.gz"))
    assert len(files) == 28
    for path in files:
        check_distances(path, {value: size * xyz_mm for value, xyz_mm in read_labels(path).items()})
    marked = json.loads(ANNOTATIONS.read_text(encoding="utf-8"))["slices"]
    assert len(marked) == 86
    for name, slice_ in marked.items():
        check_distances(name, {int(v): size * np.array(xyz_mm) for v, xyz_mm in slice_["discs_xyz_mm"].items()})
