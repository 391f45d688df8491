"""A segmentation that is given for a scan is refused, and no scan is."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage, spatial

from deepspine_sct import DeepspineError, Grid, Volume, label, read_volume
from deepspine_sct.cli import label as command
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.image.segmented import check_is_scan

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "data_test"
REAL = HERE.parent.parent / "shared" / "real"
SCANS = [
    path
    for room, pattern in ((DATA, "*_sim.nii.gz"), (REAL, "slices/*.gz"), (REAL, "volumes/t1_sg_?.nii.gz"))
    for path in sorted(room.glob(pattern))
]
SHAPE = (9, 64, 48)


def volume_of(data: np.ndarray) -> Volume:
    """Put an array in (L, I, P) on a grid of 2 mm."""
    return Volume(data, Grid(data.shape, np.diag([-2.0, -2.0, -2.0, 1.0])))


def grey(n_values: int, smooth_px: float) -> np.ndarray:
    """Noise, smoothed and cut down to so many values."""
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=SHAPE), smooth_px)
    return np.digitize(noise, np.linspace(noise.min(), noise.max(), n_values + 1)[1:-1]).astype(np.float32)


def patches(n_values: int) -> np.ndarray:
    """Give each voxel the value of the nearest of some places."""
    places = np.random.default_rng(0).uniform(0, SHAPE, (max(n_values, 12), 3))
    nearest = spatial.KDTree(places).query(np.argwhere(np.ones(SHAPE)))[1]
    return (nearest % n_values).reshape(SHAPE).astype(np.uint8)


def segmentation_of(path: Path) -> nib.Nifti1Image:
    """Cut a scan down to three tissues, without its noise."""
    scan = nib.load(path)
    smooth = ndimage.gaussian_filter(np.asarray(scan.dataobj, dtype=np.float32), 1.5)
    return nib.Nifti1Image(np.digitize(smooth, np.percentile(smooth, [50, 70, 85])).astype(np.uint8), scan.affine)


@pytest.mark.parametrize("n_values", [2, 4, 54])
def test_patches_of_few_values_are_refused(n_values):
    """A cord, three tissues, or all vertebrae and discs: the message says how many values there are."""
    with pytest.raises(DeepspineError, match=f"is a segmentation and no scan: it has only {n_values} different values"):
        check_is_scan(volume_of(patches(n_values)))


def test_patches_beside_an_empty_middle_are_refused():
    """The middle slab alone does not decide."""
    data = np.zeros(SHAPE, dtype=np.uint8)
    data[:2, 10:40, 10:40] = patches(2)[:2, 10:40, 10:40]
    with pytest.raises(DeepspineError, match="only 2 different values"):
        check_is_scan(volume_of(data))


@pytest.mark.parametrize("most", [0, 1])
def test_a_mask_is_refused_whichever_value_most_voxels_have(most):
    """A small organ, or a whole body, which is not taken for the background of nothing."""
    data = (patches(12) < 3).astype(np.uint8) ^ most
    with pytest.raises(DeepspineError, match="only 2 different values"):
        check_is_scan(volume_of(data))


@pytest.mark.parametrize(("n_values", "smooth_px"), [(8, 0), (200, 0), (200, 3)])
def test_few_grey_values_or_smoothness_alone_make_no_segmentation(n_values, smooth_px):
    """A dark 8-bit scan has few values, a simulated one without noise is smooth."""
    check_is_scan(volume_of(grey(n_values, smooth_px)))


def test_a_scan_of_which_all_but_the_spine_is_blackened_stays_a_scan():
    """The background does not count, however large it is."""
    data = np.zeros(SHAPE, dtype=np.uint8)
    data[:, :, 20:26] = grey(40, 0)[:, :, 20:26]
    check_is_scan(volume_of(data))


@pytest.mark.parametrize("odd", [-1, 0])
def test_a_few_voxels_darker_than_the_background_change_nothing(odd):
    """As interpolation leaves them, or a border that somebody has added: the background is what most voxels are."""
    data = np.full(SHAPE, 6.0)
    data[:, :, 18:26] += grey(40, 0)[:, :, 18:26]
    data[:, 0] = odd
    check_is_scan(volume_of(data))


@pytest.mark.parametrize("times", [5, 8])
def test_a_scan_enlarged_by_repetition_stays_a_scan(times):
    """Most neighbours are one voxel of the scan as it was, in rows and in columns."""
    check_is_scan(volume_of(grey(100, 0).repeat(times, 1).repeat(times, 2)))


def test_a_segmentation_enlarged_by_repetition_is_refused():
    """Without the repeated rows and columns it is what it was."""
    with pytest.raises(DeepspineError, match="only 4 different values"):
        check_is_scan(volume_of(patches(4).repeat(3, 1).repeat(3, 2)))


@pytest.mark.parametrize("path", sorted(REAL.glob("slices/*.gz"))[::12], ids=str)
def test_a_real_scan_of_sixteen_grey_values_stays_a_scan(path):
    """Also with the background cut off, as by defacing."""
    scan = canonical(read_volume(path))
    steps = np.digitize(scan.data, np.linspace(0, np.percentile(scan.data, 99.5), 16)).astype(np.float32)
    check_is_scan(Volume(steps, scan.grid))
    check_is_scan(Volume(np.where(steps < 4, 0, steps), scan.grid))


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 5), (3, 2, 2)])
def test_a_tiny_scan_is_no_segmentation(shape):
    """There are no patches in it; that it is too small is for others to say."""
    check_is_scan(volume_of(np.arange(np.prod(shape), dtype=np.float32).reshape(shape)))


@pytest.mark.parametrize("axis", [1, 2])
def test_a_slice_that_is_repeated_stays_a_scan(axis):
    """As of a scan of five equal slices whose header has its axes in a wrong order: it is flat in one direction."""
    check_is_scan(volume_of(grey(100, 0).take([30], axis).repeat(5, axis)))


@pytest.mark.parametrize("path", SCANS, ids=str)
def test_no_scan_is_refused(path):
    """Simulated scans in 16 bits, real ones in 8, and four real ones of 83 to 110 values."""
    check_is_scan(canonical(read_volume(path)))


@pytest.mark.skipif(not REAL.exists(), reason="needs the real images")
@pytest.mark.parametrize("name", ["lumbar/spider005_tissue", "lumbar/spider162_tissue", "volumes/sct_t2_seg_labeled"])
def test_real_segmentations_are_refused(name):
    """The first was named from T12/L1 to L5/S1 with a confidence of 0.96."""
    with pytest.raises(DeepspineError, match="is a segmentation"):
        check_is_scan(canonical(read_volume(REAL / f"{name}.nii.gz")))


def test_the_command_and_python_refuse_a_segmentation_in_one_line(tmp_path, capsys):
    """The line names the file and the remedy, the status is 1, and nothing is written."""
    path = tmp_path / "t2_seg.nii.gz"
    nib.save(segmentation_of(DATA / "t2_sim.nii.gz"), path)
    assert command.main(["-i", str(path), "-c", "t2", "-ofolder", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err.strip()
    assert said.count("\n") == 0 and str(path) in said and "give the scan that it was made from" in said
    assert not list(tmp_path.glob("out/*"))
    with pytest.raises(DeepspineError, match="the image is a segmentation"):
        label(nib.load(path), "t2")
