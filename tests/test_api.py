"""The way in from Python: the same discs as the command, from files and from arrays."""

import json
import multiprocessing
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest
from fake_predictor import SHAPE, VOXELS, FakePredictor, known_discs, oblique_affine, world, write_scan

import deepspine_sct
from deepspine_sct import (
    DeepspineError,
    Grid,
    Labelled,
    NoDiscFound,
    Predictor,
    Volume,
    label,
    read_volume,
    write_discs,
)
from deepspine_sct.cli import label as command
from deepspine_sct.image.arrays import as_volume
from deepspine_sct.labeling.settings import PredictorSettings
from deepspine_sct.model.checkpoint import load_checkpoint, save_checkpoint
from deepspine_sct.model.runtime import SHIPPED, SHIPPED_ONNX, load_runtime

DATA = Path(__file__).resolve().parent.parent / "data_test"


@pytest.fixture
def image():
    """The scan of `fake_predictor`, as nibabel holds it."""
    data = np.random.default_rng(0).normal(100, 20, SHAPE).astype(np.float32)
    return nib.Nifti1Image(data, oblique_affine())


def test_a_result_is_shown_in_one_line(image):
    """A notebook that ends in the result shows what was found, and not its arrays; nor those of its parts."""
    labelled = label(DATA / "t2_sim.nii.gz", "t2")
    (line,) = repr(labelled).splitlines()
    assert "t2_sim.nii.gz: 12 discs, top of C1 to T4/T5; confidence of the levels 0.97; 0 warnings" in line
    assert "data=" not in repr(as_volume(image))
    assert "heatmaps=" not in repr(labelled.result)


def test_every_name_can_be_imported_and_no_other():
    """What __all__ promises is there, and a wrong name is an AttributeError as in any module."""
    for name in deepspine_sct.__all__:
        assert getattr(deepspine_sct, name).__name__ == name
    assert set(deepspine_sct.__all__) <= set(dir(deepspine_sct))
    with pytest.raises(AttributeError, match="has no attribute 'labels'"):
        _ = deepspine_sct.labels


def test_the_package_alone_loads_nothing_heavy():
    """The commands import it before they parse an argument."""
    code = "import deepspine_sct, sys; print([m for m in ('numpy', 'nibabel', 'scipy', 'torch') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_labelling_loads_no_room_of_research():
    """Neither training nor evaluation nor torch: they may not even be installed."""
    code = (
        "import sys; from deepspine_sct import label; label(sys.argv[1], 't2'); "
        "print([m for m in sys.modules if m.startswith(tuple(sys.argv[2:]))])"
    )
    research = [f"deepspine_sct.{room}" for room in ("simulation", "training", "evaluation")]
    arguments = [str(DATA / "t2_lumbar_sim.nii.gz"), *research, "torch"]
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_file_gives_the_discs_of_the_command(tmp_path):
    """With the installed network: names, places and confidences are those that the command reports."""
    scan = DATA / "t2_lumbar_sim.nii.gz"
    labelled = label(scan, "t2")
    assert (
        command.main(["-i", str(scan), "-c", "t2", "-ofolder", str(tmp_path), "-json", str(tmp_path / "r.json")]) == 0
    )
    report = json.loads((tmp_path / "r.json").read_text())
    assert isinstance(labelled, Labelled) and len(labelled.discs) >= 4
    for disc, told in zip(labelled.discs, report["discs"], strict=True):
        assert (disc.value, disc.name) == (told["value"], told["name"])
        assert np.allclose(disc.xyz_mm, told["world_mm"], atol=1e-3) and disc.confidence == pytest.approx(
            told["confidence"], abs=1e-4
        )
    assert labelled.level_confidence == pytest.approx(report["level_confidence"], abs=1e-4)
    write_discs(tmp_path / "python.nii.gz", labelled.volume.grid, labelled.points)
    ours, theirs = (np.asarray(nib.load(path).dataobj) for path in sorted(tmp_path.glob("*.nii.gz")))
    assert np.array_equal(ours, theirs)


def test_an_array_gives_the_discs_of_its_file():
    """A nibabel image, a Volume and the file they were written to have the same discs in the world."""
    scan = DATA / "t2_lumbar_sim.nii.gz"
    predictor = Predictor.load()
    of_file = label(scan, "t2", predictor=predictor).points
    loaded = nib.load(scan)
    volume = Volume(np.asarray(loaded.dataobj), Grid(loaded.shape, loaded.affine))
    for image in (loaded, volume, read_volume(scan)):
        points = label(image, "t2", predictor=predictor).points
        assert list(points) == list(of_file)
        assert np.allclose(list(points.values()), list(of_file.values()), atol=1e-3)


def test_discs_are_in_world_mm_and_no_file_is_written(image, tmp_path, monkeypatch):
    """An oblique image from memory: RAS+ millimetres by its affine, and the folder stays empty."""
    monkeypatch.chdir(tmp_path)
    labelled = label(image, "t2", predictor=FakePredictor(known_discs()))
    for value, ijk in VOXELS.items():
        assert np.allclose(labelled.points[value], world(ijk), atol=1e-6)
    assert labelled.voxels == VOXELS and labelled.cautions == ()
    assert list(tmp_path.iterdir()) == []


def test_what_is_known_reaches_the_network(image):
    """Values, pins and threshold are handed on as they were given."""
    predictor = FakePredictor(known_discs())
    label(image, "t2", predictor=predictor, values=[5, 3, 4], pins={4: tuple(world(VOXELS[4]))}, threshold=0.2)
    (call,) = predictor.calls
    assert call["values"] == (3, 4, 5) and call["threshold"] == 0.2 and set(call["pins"]) == {4}
    assert np.allclose(call["pins"][4], world(VOXELS[4]))


def test_straighten_looks_twice(image):
    """As -straighten 2 does: the second look is at another image."""
    predictor = FakePredictor(known_discs())
    labelled = label(image, "t2", predictor=predictor, straighten=True)
    assert len(predictor.calls) == 2 and labelled.straight is not None


def test_the_image_is_not_changed(image):
    """Not even where it holds what is no number."""
    image.dataobj[2, 3, 4] = np.nan
    before = np.array(image.dataobj)
    label(image, "t2", predictor=FakePredictor(known_discs()))
    assert np.array_equal(before, image.dataobj, equal_nan=True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: np.zeros((3, 4, 5)), "cannot label a ndarray; give a path, a nibabel or SCT image, or a Volume"),
        (lambda: nib.Nifti1Image(np.ones(SHAPE, "f4"), np.eye(4)), "every voxel of the image has the same value"),
        (lambda: nib.Nifti1Image(np.arange(24, dtype="f4").reshape(2, 3, 4, 1), np.eye(4)), "only"),
        (lambda: nib.Nifti1Image(np.zeros((4, 5, 6, 2), "f4"), np.eye(4)), "three-dimensional"),
        (lambda: nib.Nifti1Image(np.zeros((4, 5), "f4"), np.eye(4)), "three-dimensional"),
        (lambda: nib.Nifti1Image(np.zeros(SHAPE, "c8"), np.eye(4)), "scalar"),
        (lambda: SimpleNamespace(dataobj=np.ones(SHAPE), affine=np.zeros((4, 4))), "no usable geometry"),
        (lambda: "none.nii.gz", "none.nii.gz: no such file"),
    ],
)
def test_what_is_no_image_is_refused(make, message):
    """In one line that says what to give."""
    with pytest.raises(DeepspineError, match=message):
        label(make(), "t2")


@pytest.mark.parametrize(("name", "harm"), [("t2.nii", "cut"), ("t2.nii.gz", "cut"), ("t2.nii.gz", "gone")])
def test_an_image_whose_file_is_cut_or_gone_by_now_is_refused(image, tmp_path, name, harm):
    """Nibabel reads the voxels when they are wanted: the refusal names the file, as that of a path does."""
    path = tmp_path / name
    nib.save(image, path)
    held = nib.load(path)
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(DeepspineError, match=f"{name}: the voxels cannot be read .*; check the file") as refusal:
        label(held, "t2")
    assert "\n" not in str(refusal.value)


def test_wrong_requests_are_refused(image):
    """A disc that is none, outside of the image, or left out by the values; a threshold that is none."""
    predictor = FakePredictor(known_discs())
    for values, pins, message in (
        ([26], None, "not a disc value"),
        (None, {26: (0, 0, 0)}, "not a disc value"),
        ("3:8", None, "not a disc value: '3:8'"),
        (None, {"C3/C4": (0, 0, 0)}, "not a disc value: 'C3/C4'"),
        ([3, "4"], None, "not a disc value: '4'"),
        ([], None, "there is no disc among them"),
        (None, {4: (900, 0, 0)}, "does not lie in the image"),
        (None, {4: (1, 2)}, "does not lie in the image"),
        ([5, 6], {4: tuple(world(VOXELS[4]))}, "left out"),
        (5, None, "5 is no list of disc values"),
        ([[3, 4]], None, "is no list of disc values"),
        ((value for value in ()), None, "there is no disc among them"),
        (None, [4], "give each disc value with its position"),
        (None, [], "give each disc value with its position"),
        (None, np.zeros((2, 3)), "give each disc value with its position"),
        (None, {4: "here"}, "a position is three numbers"),
    ):
        with pytest.raises(DeepspineError, match=message):
            label(image, "t2", predictor=predictor, values=values, pins=pins)
    for threshold in (1.5, "0.1"):
        with pytest.raises(ValueError, match="threshold"):
            label(image, "t2", predictor=predictor, threshold=threshold)
    with pytest.raises(DeepspineError, match="cord: give the path of a file, not a Nifti1Image"):
        label(image, "t2", predictor=predictor, cord=image)
    for straighten in (1, 2, "no", None):  # the command's 1 is another way of straightening, which needs SCT
        with pytest.raises(DeepspineError, match=r"straighten: give True or False, not .* -straighten 2"):
            label(image, "t2", predictor=predictor, straighten=straighten)
    for network in ("installed", DATA / "best.onnx", Predictor):
        with pytest.raises(DeepspineError, match=r"predictor: load the network first, with Predictor.load\(path\)"):
            label(image, "t2", predictor=network)
    assert predictor.calls == []
    with pytest.raises(DeepspineError, match="device: 'gpu' is not known; give one of auto, cpu, cuda"):
        Predictor.load(device="gpu")


def test_values_are_taken_from_any_collection(image):
    """A range, a set, an array and a generator ask for the same discs."""
    for values in (range(4, 6), {5, 4}, np.array([4, 5]), (value for value in (4, 5))):
        found = label(image, "t2", predictor=FakePredictor(known_discs()), values=values)
        assert found.request.values == (4, 5)


def test_a_large_image_that_shows_little_is_not_called_small(shipped):
    """Such as a label file that is given as the image: its empty margins are no part of it, and that is said."""
    data = np.zeros((20, 200, 200), dtype=np.float32)
    data[10, 100, 100] = 4
    with pytest.raises(DeepspineError, match="apart from empty margins, is only 1 mm high and 1 mm deep"):
        label(nib.Nifti1Image(data, np.eye(4)), "t2", predictor=shipped)


def test_an_image_without_discs_is_said_to_have_none(image):
    """As its own kind of error, which a program can tell from a fault."""
    with pytest.raises(NoDiscFound, match="no disc was found"):
        label(image, "t2", predictor=FakePredictor([]))


def test_the_package_is_typed():
    """Type checkers look into a package only where it says so."""
    assert (Path(deepspine_sct.__file__).parent / "py.typed").exists()


def test_a_file_is_not_left_open_or_locked(tmp_path):
    """The image can be replaced as soon as it is labelled."""
    scan = write_scan(tmp_path / "t2.nii.gz")
    label(scan, "t2", predictor=FakePredictor(known_discs()))
    scan.unlink()
    assert not scan.exists()


def test_a_number_that_stands_for_no_data_is_no_brightness(image, tmp_path):
    """FLT_MAX in a voxel: what is looked at is the same from memory as from a file, and has no such voxel."""
    data = np.asarray(image.dataobj, dtype=np.float32)
    data[0, 0, 0] = np.finfo(np.float32).min
    nib.save(nib.Nifti1Image(data, image.affine), tmp_path / "t2.nii")
    in_memory = as_volume(nib.Nifti1Image(data, image.affine)).data
    assert np.array_equal(in_memory, read_volume(tmp_path / "t2.nii").data) and np.abs(in_memory).max() < 1e30


def test_two_geometries_are_told_of_an_image_in_memory_too(image):
    """As of the file that nibabel read it from."""
    other = image.affine.copy()
    other[:3, 3] += 20
    image.set_sform(image.affine, 1)
    image.set_qform(other, 1)
    cautions = label(image, "t2", predictor=FakePredictor(known_discs())).cautions
    assert [caution.code for caution in cautions] == ["two_geometries"]


def test_a_contrast_is_one_of_those_that_the_command_knows(image):
    """In SCT's spelling or in that of BIDS; anything else is refused."""
    predictor = FakePredictor(known_discs())
    assert label(image, "T1w", predictor=predictor).request.contrast == "t1"
    for unknown in ("foo", None):
        with pytest.raises(DeepspineError, match="is not known; give one of t1, t2"):
            label(image, unknown, predictor=predictor)


def test_known_discs_that_no_spine_has_are_refused(image):
    """Eight levels within 13 mm, and one level of 60 mm."""
    top, low = world(VOXELS[4]), world(VOXELS[5])
    for pins in ({4: top, 12: low}, {4: top, 5: top + 4 * (low - top)}):
        with pytest.raises(DeepspineError, match="mm apart, where an adult has about"):
            label(image, "t2", predictor=FakePredictor(known_discs()), pins=pins)


def test_labels_never_take_the_place_of_their_image(image, tmp_path):
    """The image that the labels are written like is refused as their file."""
    nib.save(image, tmp_path / "t2.nii.gz")
    before = (tmp_path / "t2.nii.gz").read_bytes()
    labelled = label(tmp_path / "t2.nii.gz", "t2", predictor=FakePredictor(known_discs()))
    with pytest.raises(DeepspineError, match="is an input and would be overwritten"):
        write_discs(tmp_path / "t2.nii.gz", labelled.volume.grid, labelled.points, like=tmp_path / "t2.nii.gz")
    assert (tmp_path / "t2.nii.gz").read_bytes() == before


@pytest.mark.parametrize("dtype", [np.int16, np.float64])
def test_what_a_masked_array_hides_is_dark(dtype):
    """As NaN is: the values behind the mask, here far brighter than all others, are looked at nowhere."""
    data = np.arange(24, dtype=dtype).reshape(2, 3, 4)
    hidden = np.ma.masked_greater(np.where(data > 20, 9999, data), 1000)
    read = as_volume(Volume(hidden, Grid(data.shape, np.eye(4)))).data
    assert type(read) is np.ndarray and np.array_equal(read, np.where(data > 20, 0, data))


@pytest.fixture(scope="module")
def shipped():
    """The installed network."""
    return Predictor.load()


def with_voxels(data: np.ndarray, value: float) -> np.ndarray:
    """Put a value into some voxels of an image, none of them in a corner."""
    data = data.astype(np.float64)
    data[data.shape[0] // 2, 5:9, 5:9] = value
    return data


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, "masked"])
def test_the_network_sees_an_array_as_it_sees_a_file_of_the_same_values(shipped, tmp_path, value):
    """What is no number, infinite, too large or masked gives the discs of the file, and the array stays as it was."""
    scan = read_volume(DATA / "t2_sim.nii.gz")
    if value == "masked":
        marked = with_voxels(scan.data, -1)
        array, stored = np.ma.masked_equal(marked, -1), np.where(marked == -1, 0, marked)
    else:
        array = stored = with_voxels(scan.data, value)
    nib.save(nib.Nifti1Image(stored, scan.grid.affine), tmp_path / "t2.nii")
    before = array.copy()
    ours = shipped.predict(Volume(array, scan.grid)).labeling
    theirs = shipped.predict(read_volume(tmp_path / "t2.nii")).labeling
    assert len(ours.discs) > 8 and ours.points.keys() == theirs.points.keys()
    assert all(np.array_equal(ours.points[disc], theirs.points[disc]) for disc in ours.points)
    assert ours.level_confidence == theirs.level_confidence and ours.warnings == theirs.warnings
    assert np.array_equal(array, before, equal_nan=True)


def test_half_floats_are_as_good_as_any(shipped):
    """No warning, and the discs of the same values in single floats."""
    scan = read_volume(DATA / "t2_sim.nii.gz")
    half = (scan.data / scan.data.max()).astype(np.float16)
    ours, theirs = (shipped.predict(Volume(half.astype(t), scan.grid)).labeling for t in (np.float16, np.float32))
    assert list(ours.points) == list(theirs.points) and ours.level_confidence == theirs.level_confidence


@pytest.mark.parametrize("make", [lambda a: np.full(a.shape, np.nan), lambda a: a * 1j, lambda a: a.astype(str)])
def test_an_array_that_no_file_could_hold_is_refused_by_the_network(shipped, make):
    """One line instead of an error of numpy's: nothing but NaN, complex numbers and texts."""
    scan = read_volume(DATA / "t2_sim.nii.gz")
    with pytest.raises(DeepspineError, match="give (an image of a spine|a scalar image)"):
        shipped.predict(Volume(make(scan.data), scan.grid))


def test_a_predictor_goes_to_another_process(monkeypatch):
    """A spawned worker, as on macOS or of joblib, gives the discs that this process gives."""
    monkeypatch.chdir(DATA.parent)
    predictor = Predictor.load(SHIPPED_ONNX.relative_to(DATA.parent))
    scan = DATA / "t2_lumbar_sim.nii.gz"
    with multiprocessing.get_context("spawn").Pool(1, os.chdir, ("/",)) as pool:
        theirs = pool.apply(label, (scan, "t2"), {"predictor": predictor})
    ours = label(scan, "t2", predictor=predictor)
    for disc, other in zip(ours.discs, theirs.discs, strict=True):
        assert disc.value == other.value and disc.confidence == other.confidence
        assert np.array_equal(disc.xyz_mm, other.xyz_mm)


@pytest.mark.parametrize("path", [SHIPPED, SHIPPED_ONNX], ids=["torch", "onnxruntime"])
def test_a_copied_predictor_answers_the_same(path):
    """Settings, checksum and network are those of the first one, whichever program runs the network."""
    settings = PredictorSettings(threshold=0.3)
    first = Predictor(load_runtime(path, "cpu"), settings)
    second = pickle.loads(pickle.dumps(first))
    images = np.random.default_rng(0).normal(size=(2, 128, 192)).astype(np.float32)
    for ours, theirs in zip(first.runtime.run(images), second.runtime.run(images), strict=True):
        assert np.array_equal(ours, theirs)
    assert second.settings == settings and second.checksum == first.checksum
    assert second.observer.runtime is second.runtime


@pytest.fixture
def network(tmp_path) -> Path:
    """A copy of the installed network, which may vanish."""
    return Path(shutil.copy(SHIPPED_ONNX, tmp_path / "network.onnx"))


def test_a_predictor_whose_network_is_gone_says_so(network):
    """A pickle that runs on another machine names the file that is missing there, and runs once it is back."""
    predictor = pickle.loads(pickle.dumps(Predictor.load(network)))
    content = network.read_bytes()
    network.unlink()
    with pytest.raises(DeepspineError, match=f"{network}: no such network; check -model"):
        label(DATA / "t2_lumbar_sim.nii.gz", "t2", predictor=predictor)
    network.write_bytes(content)
    assert label(DATA / "t2_lumbar_sim.nii.gz", "t2", predictor=predictor).discs


def test_a_pool_whose_network_vanishes_does_not_wait_for_ever(network):
    """Its workers hand the error on, as they do with all errors of a task, and take the next one."""
    predictor = Predictor.load(network)
    network.unlink()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        task = pool.apply_async(label, (DATA / "t2_lumbar_sim.nii.gz", "t2"), {"predictor": predictor})
        with pytest.raises(DeepspineError, match=f"{network}: no such network; check -model"):
            task.get(timeout=120)
        assert pool.apply(abs, (-1,)) == 1


def test_a_predictor_whose_network_was_replaced_says_so(tmp_path):
    """Two processes that think they share a predictor would give discs of two networks."""
    path = tmp_path / "network.safetensors"
    path.write_bytes(SHIPPED.read_bytes())
    pickled = pickle.dumps(Predictor.load(path, "cpu"))
    network, description = load_checkpoint(path)
    save_checkpoint(path, network, description | {"note": "another"})
    with pytest.raises(DeepspineError, match=f"{path}: holds another network than when the predictor was pickled"):
        label(DATA / "t2_lumbar_sim.nii.gz", "t2", predictor=pickle.loads(pickled))
