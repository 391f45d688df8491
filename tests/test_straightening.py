"""Straightening: SCT is called and its files are read as it means them; discs come back."""

import shutil
from types import SimpleNamespace

import fake_sct
import nibabel as nib
import numpy as np
import pytest

from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.grid import Grid
from deepspine_sct.image.nifti import read_volume, write_volume
from deepspine_sct.image.volume import Volume
from deepspine_sct.labeling.discs import Disc, Labeling
from deepspine_sct.labeling.predictor import Result
from deepspine_sct.scan.straightened import find_straightened
from deepspine_sct.sct import environment
from deepspine_sct.sct.straightening import cache_signature, straighten

SHAPE = (30, 24, 40)
AFFINE = np.array([[1.5, 0, 0, -20], [0, 1.5, 0, -15], [0, 0, 1.5, -30], [0, 0, 0, 1.0]])

NO_SCT = "no SCT on the PATH: straightening by the real one is not tried"


@pytest.fixture
def scan(tmp_path):
    """Write an image of noise and a cord, and name both."""
    data = np.random.default_rng(0).normal(100, 20, SHAPE).astype(np.float32)
    write_volume(tmp_path / "t2.nii.gz", Volume(data, Grid(SHAPE, AFFINE)))
    cord = np.zeros(SHAPE, np.uint8)
    cord[12:16, 10:14] = 1
    write_volume(tmp_path / "seg.nii.gz", Volume(cord, Grid(SHAPE, AFFINE)))
    return tmp_path / "t2.nii.gz", tmp_path / "seg.nii.gz"


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """Put the stand-in for SCT on the PATH; return what reads the commands that it was given."""
    fake_sct.install(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("FAKE_SCT_CALLS", str(tmp_path / "calls.txt"))
    monkeypatch.delenv("SCT_DIR", raising=False)
    return lambda: [line.split() for line in (tmp_path / "calls.txt").read_text().splitlines()]


@pytest.fixture
def work(tmp_path):
    """Make a folder for temporary files."""
    (tmp_path / "work").mkdir()
    return tmp_path / "work"


def curved_place(straight_xyz):
    """Where the stand-in's curved scan holds a point of the straight image."""
    xyz = np.array(straight_xyz, dtype=float)
    xyz[..., 0] += fake_sct.bend_mm(xyz[..., 2])
    return xyz


def test_points_follow_the_fields_both_ways(scan, calls, work):
    """Straight to curved adds the bend, curved to straight takes it away."""
    straight = straighten(*scan, work, [work])
    points = np.random.default_rng(1).uniform((-5, -10, -20), (10, 10, 20), (30, 3))
    there = straight.to_scan(points)
    assert np.allclose(there, curved_place(points), atol=0.05)
    assert np.allclose(straight.from_scan(there), points, atol=0.1)
    assert np.isnan(straight.to_scan(np.array([[0, 0, -29.9]]))).all()
    assert np.array_equal(straight.image.data, nib.load(work / "straight_ref.nii.gz").get_fdata())


def test_discs_are_found_in_the_straight_image_and_carried_back(scan, calls, work):
    """A start goes there, the discs come back, and one without a way back is named."""
    straight = straighten(*scan, work, [work])
    seen = {3: np.array([2.0, 5.0, 14.0]), 4: np.array([2.0, 4.0, -6.0])}
    lost = {5: np.array([2.0, 4.0, -29.9])}
    asked = []

    def predict(image, pins):
        asked.append((image, pins))
        discs = [Disc(value, xyz, 0.9) for value, xyz in (seen | lost).items()]
        labeling = Labeling(discs, 0.8, 1.0, ["a warning"])
        return Result(labeling, SimpleNamespace(), SimpleNamespace(), {})

    found = find_straightened(predict, straight, {4: curved_place(seen[4])}).labeling
    ((image, pins),) = asked
    assert image is straight.image
    assert set(pins) == {4} and np.allclose(pins[4], seen[4], atol=0.1)
    assert [disc.value for disc in found.discs] == [3, 4]
    for disc in found.discs:
        assert np.allclose(disc.xyz_mm, curved_place(seen[disc.value]), atol=0.05)
    assert found.level_confidence == 0.8
    assert found.warnings == [
        "a warning",
        "found in the straightened image, but without a position in the scan: 5 (C4/C5)",
    ]
    with pytest.raises(DeepspineError, match="the given disc 7 lies outside"):
        find_straightened(predict, straight, {7: np.array([0, 0, -29.9])})


def test_sct_gets_a_wider_view_than_its_default(scan, calls, work):
    """Image, segmentation and folder are absolute, and nothing else is passed."""
    straighten(*scan, work, [work])
    (command,) = [call for call in calls() if call[0] == "sct_straighten_spinalcord"]
    assert command[1:] == [
        "-i", str(scan[0]), "-s", str(scan[1]), "-ofolder", str(work), "-xy-size", "70", "-v", "0",
    ]  # fmt: skip


def test_a_valid_cache_is_used_and_any_other_is_not(scan, calls, work, tmp_path):
    """Found in any of the folders; another image, another SCT or a missing file makes it void."""
    cache = tmp_path / "cache"
    cache.mkdir()
    straighten(*scan, work, [tmp_path, cache])
    assert sorted(path.name for path in cache.iterdir()) == [
        "straight_ref.nii.gz",
        "straightening.cache",
        "warp_curve2straight.nii.gz",
        "warp_straight2curve.nii.gz",
    ]

    def runs() -> int:
        return sum(call[0] == "sct_straighten_spinalcord" for call in calls())

    straighten(*scan, work, [cache, tmp_path])
    straighten(*scan, work, [tmp_path, cache])
    assert runs() == 1
    (cache / "warp_straight2curve.nii.gz").unlink()
    straighten(*scan, work, [cache])
    assert runs() == 2
    write_volume(scan[1], Volume(read_volume(scan[1]).data.astype(np.int16), Grid(SHAPE, AFFINE)))
    straighten(*scan, work, [cache])
    assert runs() == 3


def test_the_signature_is_that_of_sct(tmp_path):
    """MD5 over both files, then key and value of the version, each after its Python type."""
    import hashlib

    (tmp_path / "a").write_bytes(b"image")
    (tmp_path / "b").write_bytes(b"cord")
    text = b"imagecord<class 'str'>version<class 'str'>7.1"
    expected = f"# Cache file generated by SCT\nDEPENDENCIES_SIG={hashlib.md5(text).hexdigest()}\n"
    assert cache_signature([tmp_path / "a", tmp_path / "b"], "7.1") == expected.encode()


def test_a_failure_of_sct_is_told_in_its_own_words(scan, calls, work, monkeypatch):
    """The last line that it printed, and no file is left as a cache."""
    monkeypatch.setenv("FAKE_SCT_FAILS", "1")
    with pytest.raises(DeepspineError, match=r"sct_straighten_spinalcord failed \(no cord in slic"):
        straighten(*scan, work, [work])
    assert list(work.iterdir()) == []


def test_without_sct_the_remedy_is_named(scan, work, monkeypatch):
    """The command that is missing, and what to install."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("SCT_DIR", raising=False)
    with pytest.raises(DeepspineError, match="sct_version: not found; install the Spinal Cord Tool"):
        straighten(*scan, work, [work])


def test_sct_is_also_found_where_sct_dir_points(tmp_path, monkeypatch):
    """As a shell has it that sourced SCT's settings only in part."""
    fake_sct.install(tmp_path / "bin")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("SCT_DIR", str(tmp_path))
    assert environment.find_command("sct_version") == tmp_path / "bin" / "sct_version"


def test_the_cord_is_segmented_only_with_a_model_that_is_installed(scan, calls, work, tmp_path):
    """SCT would download it unasked; we say how to get it."""
    cord = tmp_path / "cord.nii.gz"
    with pytest.raises(DeepspineError, match="give it with -s, or run `sct_deepseg spinalcord -inst"):
        environment.segment_cord(scan[0], cord, work)
    (tmp_path / "data" / "deepseg_models" / "model_seg_sc_contrast_agnostic_x").mkdir(parents=True)
    environment.segment_cord(scan[0], cord, work)
    assert read_volume(cord).data.sum() > 0
    assert calls()[-1] == ["sct_deepseg", "spinalcord", "-i", str(scan[0]), "-o", str(cord)]


@pytest.mark.skipif(shutil.which("sct_straighten_spinalcord") is None, reason=NO_SCT)
def test_the_real_sct_straightens_and_its_fields_lead_back(tmp_path, work):
    """A bent tube stands upright; points return to within a voxel, bright ones to bright places."""
    x, y, z = np.indices((44, 44, 60)) * 1.0
    middle = 22 + 6 * np.sin(z / 12)
    away = np.hypot(x - middle, y - 22)
    image = (200 * np.exp(-((away / 6) ** 2)) + 20).astype(np.float32)
    grid = Grid(image.shape, np.diag([-1.0, 1, 1, 1]))
    write_volume(tmp_path / "t2.nii.gz", Volume(image, grid))
    write_volume(tmp_path / "seg.nii.gz", Volume((away < 3.5).astype(np.uint8), grid))
    scan = tmp_path / "t2.nii.gz", tmp_path / "seg.nii.gz"
    straight = straighten(*scan, work, [work])
    inner = straight.image.data[:, :, 8:-8]
    column = np.array([np.argwhere(plane > 0.8 * plane.max()).mean(0) for plane in inner.T]).T
    assert column.std(axis=1).max() < 0.5 and middle[0, 0].std() > 3
    ijk = np.argwhere(straight.image.data > 150)[::25]
    ijk = ijk[(ijk[:, 2] > 7) & (ijk[:, 2] < straight.image.grid.shape[2] - 8)]
    points = straight.image.grid.to_world(ijk)
    there = straight.to_scan(points)
    assert len(points) > 20 and np.isfinite(there).all()
    voxels = np.rint(grid.to_index(there)).astype(int)
    assert (image[tuple(voxels.T)] > 120).all()
    assert np.abs(straight.from_scan(there) - points).max() < 1
    # A second call finds what the first one left.
    assert (work / "straightening.cache").read_text().startswith("# Cache file generated by SCT")
    fresh = (work / "straight_ref.nii.gz").stat().st_mtime_ns
    straighten(*scan, work, [work])
    assert (work / "straight_ref.nii.gz").stat().st_mtime_ns == fresh


def test_a_cache_that_is_narrower_than_ours_is_not_used(scan, calls, work):
    """SCT's own commands straighten half as wide, under the same signature; as wide as the scan is enough."""
    straighten(*scan, work, [work])
    path = work / "straight_ref.nii.gz"
    straight = nib.Nifti1Image(nib.load(path).get_fdata(), AFFINE)
    assert straight.shape == SHAPE and len(calls()) == 2
    nib.save(straight.slicer[3:-1, :, :], path)  # as SCT cuts a scan that is narrower than 140 mm
    straighten(*scan, work, [work])
    assert sum(call[0] == "sct_straighten_spinalcord" for call in calls()) == 1
    nib.save(straight.slicer[:, 5:-5, :], path)
    straighten(*scan, work, [work])
    assert sum(call[0] == "sct_straighten_spinalcord" for call in calls()) == 2


@pytest.mark.skipif(shutil.which("sct_straighten_spinalcord") is None, reason=NO_SCT)
@pytest.mark.parametrize("width", [50, 90])
def test_what_the_real_sct_straightens_by_default_is_made_anew(tmp_path, work, width):
    """Its 70 mm give way to the 100 mm that a scan holds, or to 140 mm of 180; those are then used again."""
    shape = (width, width, 24)
    x, y, _ = np.indices(shape)
    away = np.hypot(x - width / 2, y - width / 2)
    grid = Grid(shape, np.diag([-2.0, 2, 2, 1]))
    write_volume(tmp_path / "t2.nii.gz", Volume((200 - away).astype(np.float32), grid))
    write_volume(tmp_path / "seg.nii.gz", Volume((away < 3).astype(np.uint8), grid))
    scan = tmp_path / "t2.nii.gz", tmp_path / "seg.nii.gz"
    environment.run_command("sct_straighten_spinalcord", ["-i", scan[0], "-s", scan[1], "-ofolder", work], work)
    version = environment.sct_version(work)
    (work / "straightening.cache").write_bytes(cache_signature(scan, version))
    narrow = read_volume(work / "straight_ref.nii.gz").grid
    assert (narrow.shape * narrow.zooms_mm)[:2].max() < 75
    wide = straighten(*scan, work, [work]).image.grid
    shown_mm = (wide.shape * wide.zooms_mm)[:2].min()
    assert shown_mm > min(2 * width, 140) - 8
    fresh = (work / "straight_ref.nii.gz").stat().st_mtime_ns
    straighten(*scan, work, [work])
    assert (work / "straight_ref.nii.gz").stat().st_mtime_ns == fresh
