"""What a run costs, counted and not timed: modules, bytes, voxels, network runs, multiply-adds."""

import gzip
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from deepspine_sct.image.grid import Grid
from deepspine_sct.image.nifti import read_volume, write_discs, write_volume
from deepspine_sct.image.preprocessing import canonical
from deepspine_sct.image.volume import Volume
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.model.checkpoint import load_checkpoint
from deepspine_sct.model.inference_graph import inference_graph, multiply_adds
from deepspine_sct.model.output import Maps
from deepspine_sct.model.runtime import SHIPPED, load_runtime

ROOT = Path(__file__).resolve().parent.parent
SCAN = ROOT / "data_test" / "t2_sim.nii.gz"
LIBRARIES = "numpy, nibabel, onnxruntime"
CERVICAL = (64, 320, 320), (0.8, 0.8, 0.8)  # the scan that SCT's users wait 40 s for
WHOLE_SPINE = (20, 1024, 512), (3.3, 0.7, 0.7)


# Modules


def loaded_modules(code: str) -> set[str]:
    """Names of the modules that a fresh interpreter holds after some code."""
    code = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def command_modules(tmp_path_factory):
    """Modules that the whole command loads, with a report and all output."""
    folder = tmp_path_factory.mktemp("out")
    argv = ["-i", str(SCAN), "-c", "t2", "-ofolder", str(folder), "-json", str(folder / "r.json")]
    return loaded_modules(f"from deepspine_sct.cli.label import main\nassert main({argv!r}) == 0")


def test_the_command_does_without_torch(command_modules):
    """Neither torch nor safetensors, onnx, matplotlib or tqdm is loaded to label a scan."""
    packages = {name.partition(".")[0] for name in command_modules}
    assert packages.isdisjoint({"torch", "safetensors", "onnx", "matplotlib", "tqdm"})
    assert "onnxruntime" in packages


def test_the_command_loads_little_beside_its_three_libraries(command_modules):
    """At most 111 modules beside those of the libraries, and no more of SciPy than nibabel asks for."""
    floor = loaded_modules(f"import {LIBRARIES}")
    added = command_modules - floor
    assert len(added) <= 111, sorted(added)
    assert not {name for name in added if name.partition(".")[0] == "scipy"}


# Bytes


@pytest.fixture(scope="module")
def scans(tmp_path_factory) -> dict[str, Path]:
    """One image, plain and compressed, whose slices lie one after the other in the file."""
    folder = tmp_path_factory.mktemp("scans")
    data = np.random.default_rng(0).integers(0, 500, (160, 128, 64), dtype=np.int16)
    affine = np.array([[0, 0, -1.0, 0], [0, -1.6, 0, 0], [-1.6, 0, 0, 0], [0, 0, 0, 1]])
    paths = {suffix: folder / f"scan{suffix}" for suffix in (".nii", ".nii.gz")}
    for path in paths.values():
        write_volume(path, Volume(data, Grid(data.shape, affine)))
    return paths


def bytes_read(action) -> int:
    """Bytes that this process reads from files while it does something."""
    counter = Path("/proc/self/io")
    if not counter.exists():
        pytest.skip("only Linux counts what a process reads")

    def total():
        return int(counter.read_text().split("rchar: ")[1].split()[0])

    own = -(total() - total())  # what reading the counter itself adds
    before = total()
    action()
    return total() - before - own


def test_a_plain_file_is_not_read_before_it_is_looked_at(scans):
    """Lazily, an uncompressed image of 2.6 MB costs a few headers."""
    assert bytes_read(lambda: read_volume(scans[".nii"], lazy=True)) < 32e3
    assert bytes_read(lambda: read_volume(scans[".nii"])) > 2.6e6


def test_a_compressed_file_is_read_once(scans):
    """Its bytes pass by once, and a little of its beginning a second time for the header."""
    size = scans[".nii.gz"].stat().st_size
    header = 192e3  # looked at first, in buffers of 8 KiB, or 128 KiB from Python 3.12 on
    assert bytes_read(lambda: read_volume(scans[".nii.gz"], lazy=True)) < size + header


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_integers_stay_as_small_as_they_are(scans, suffix):
    """Lazily, an image takes two bytes a voxel, or none while it is still on the disk."""
    tracemalloc.start()
    volume = read_volume(scans[suffix], lazy=True)
    current_bytes, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert volume.data.dtype == np.int16
    assert current_bytes < (1e5 if suffix == ".nii" else volume.data.nbytes + 1e5)
    assert peak_bytes < current_bytes + 5e6  # a block of 2**20 voxels on its way through gzip


def test_a_label_file_is_small_and_written_in_one_go(tmp_path):
    """The zeros of a whole-spine label file need 11 MB of memory once, and few bytes on the disk."""
    shape, zooms_mm = WHOLE_SPINE
    grid = Grid(shape, np.diag([*zooms_mm, 1]))
    tracemalloc.start()
    write_discs(tmp_path / "d.nii.gz", grid, {5: grid.to_world((4, 500, 200))})
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 1.6 * np.prod(shape)
    assert len(gzip.decompress((tmp_path / "d.nii.gz").read_bytes())) == 352 + np.prod(shape)
    assert (tmp_path / "d.nii.gz").stat().st_size < 0.01 * np.prod(shape)


# Voxels and network runs

LATER_LOOKS = 7
"""Images on top, at most: discs on finer pixels, and where one bright spot is all there is, on coarser ones and turned
over."""


class CountingArray(np.ndarray):
    """An array that counts the voxels taken out of it by indices, through all of its views."""

    taken = 0

    def __getitem__(self, key):
        picked = super().__getitem__(key)
        if isinstance(picked, np.ndarray) and not np.shares_memory(picked, self):
            CountingArray.taken += picked.size
        return np.asarray(picked) if not np.shares_memory(picked, self) else picked


class Spine:
    """A network that sees a disc in the images whose middle is bright."""

    multiple = 32
    threads = 1
    checksum = ""
    description = {"spacing_mm": 2.0, "thickness_mm": 5.0}  # noqa: RUF012 - read only

    def run(self, images):
        """Answer with a disc in the middle of the image where that is bright."""
        n, height, width = images.shape
        heatmaps = np.zeros((n, 25, height // 2, width // 2), np.float32)
        rows, columns = (slice(side // 2 - 5, side // 2 + 5) for side in (height, width))
        bright = images[:, rows, columns].mean(axis=(1, 2))
        heatmaps[:, 4, height // 4, width // 4] = np.clip(bright - 1, 0, 0.9)
        level = np.full((n, height // 2, width // 2), 418.5, np.float32)
        return Maps(heatmaps, level, np.ones_like(level))


class CountingRuntime:
    """A runtime that notes the shapes (N, H, W) that it is given."""

    def __init__(self, inner):
        self.inner, self.shapes = inner, []
        self.description, self.checksum = inner.description, inner.checksum
        self.multiple, self.threads = inner.multiple, 1  # one after the other, in a fixed order

    def run(self, images):
        """Run the inner runtime."""
        self.shapes.append(images.shape)
        return self.inner.run(images)

    @property
    def images(self):
        """Number of images so far."""
        return sum(n for n, _, _ in self.shapes)


def cost(shape, zooms_mm, spine_mm=0.0):
    """Label a scan with a bright spot at ``spine_mm`` from its middle; return counts and result."""
    affine = np.array([[-zooms_mm[0], 0, 0, 0], [0, 0, -zooms_mm[2], 0], [0, -zooms_mm[1], 0, 0], [0, 0, 0, 1.0]])
    data = np.random.default_rng(0).integers(0, 20, shape, dtype=np.int16)
    data += np.linspace(0, 400, shape[2]).astype(np.int16)  # tissue everywhere: no slab is air
    slices_mm = (np.arange(shape[0]) - (shape[0] - 1) / 2) * zooms_mm[0]
    near = np.abs(slices_mm - spine_mm) < 14
    half = [int(30 / zoom) for zoom in zooms_mm]
    spot = [slice(n // 2 - h, n // 2 + h) for n, h in zip(shape, half, strict=True)][1:]
    data[(near, *spot)] = 1000
    runtime = CountingRuntime(Spine())
    CountingArray.taken = 0
    result = Predictor(runtime).predict(Volume(data.view(CountingArray), Grid(shape, affine)))
    return runtime, CountingArray.taken, result


def test_a_cervical_scan_costs_13_images():
    """The middle slab, four more 12 mm apart, then half the width of those 4 mm apart that were not yet seen."""
    runtime, voxels, result = cost(*CERVICAL)
    assert result.slabs.data.shape == (11, 128, 64)  # 256 mm are 128 pixels and not 129
    assert runtime.shapes[:3] == [(1, 128, 128), (4, 128, 128), (8, 128, 64)]  # one disc does not show where to look
    assert runtime.images <= 13 + LATER_LOOKS
    assert voxels < 1.5 * np.prod(CERVICAL[0])


def test_a_clear_middle_slab_halves_the_width_of_the_others():
    """Where four names are clear in the middle slab, no other one is looked at far beside the spine."""
    volume = canonical(read_volume(SCAN))
    wide = np.pad(volume.data, ((0, 0), (0, 0), (60, 60)), mode="edge")
    affine = volume.grid.affine.copy()
    affine[:3, 3] = volume.grid.to_world((0, 0, -60))
    predictor = Predictor(CountingRuntime(load_runtime()))
    predictor.predict(Volume(wide, Grid(wide.shape, affine)))
    (n_first, *whole), *others = predictor.runtime.shapes[:3]
    assert n_first == 1 and whole[1] >= 224
    assert all(n_rows == whole[0] and n_columns <= whole[1] / 2 for _, n_rows, n_columns in others)


def test_a_wide_scan_costs_its_spine():
    """Of a head of 192 slices, those around the spine and 17 places 12 mm apart are looked at."""
    shape, zooms_mm = (192, 320, 256), (1, 1, 1)
    runtime, voxels, result = cost(shape, zooms_mm, spine_mm=30)
    assert len(result.slabs.data) <= 11
    assert runtime.images <= 17 + 8 + LATER_LOOKS
    assert voxels < np.prod(shape)  # 5 mm in 12, and 45 mm


def test_a_whole_spine_costs_13_images():
    """A scan of 66 mm by 717 mm by 358 mm is no more slabs than a cervical one."""
    runtime, voxels, _ = cost(*WHOLE_SPINE)
    assert runtime.images <= 13 + LATER_LOOKS
    assert [(height, width) for _, height, width in runtime.shapes[:3]] == [(384, 192), (384, 192), (384, 64)]
    assert voxels < 2.2 * np.prod(WHOLE_SPINE[0])  # thick slices are in two slabs each


def test_noise_beside_the_body_is_not_taken_for_a_spine():
    """The empty sides of a wide scan change no disc and cost no image."""
    volume = canonical(read_volume(SCAN))
    beside = np.random.default_rng(0).normal(20, 3, (40, *volume.grid.shape[1:])).astype(np.float32)
    affine = volume.grid.affine.copy()
    affine[:3, 3] = volume.grid.to_world((-40, 0, 0))
    wide = Volume(np.concatenate([beside, volume.data, beside]), Grid((93, *volume.grid.shape[1:]), affine))
    predictor = Predictor(CountingRuntime(load_runtime()))
    expected, n_expected = predictor.predict(volume), predictor.runtime.images
    found, n_found = predictor.predict(wide), predictor.runtime.images - n_expected
    assert n_found <= n_expected + 4  # the slabs' places differ: one more at each end of both passes
    assert [disc.value for disc in found.labeling.discs] == [disc.value for disc in expected.labeling.discs]
    for disc, other in zip(found.labeling.discs, expected.labeling.discs, strict=True):
        np.testing.assert_allclose(disc.xyz_mm, other.xyz_mm, atol=2)


def test_memory_is_that_of_the_slabs():
    """A scan that is four times wider, with 17 places to look at instead of 5, takes less than 2.5 times as much."""
    peaks = []
    for n_slices in (64, 256):
        tracemalloc.start()
        cost((n_slices, 160, 160), (0.8, 1.6, 1.6))
        peaks.append(tracemalloc.get_traced_memory()[1] - 2 * n_slices * 160**2)
        tracemalloc.stop()
    assert peaks[1] < 2.5 * peaks[0]


# Multiply-adds


def test_multiply_adds_are_those_of_the_definition():
    """A 3x3 convolution of 2 to 5 channels, then a pointwise one at half the size, by hand."""
    network = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 1), torch.nn.Conv2d(2, 5, 3, padding=1), torch.nn.Conv2d(5, 4, 1, stride=2)
    )
    assert multiply_adds(network, (6, 8)) == 6 * 8 * (2 + 2 * 5 * 9) + 3 * 4 * 5 * 4


@pytest.fixture(scope="module")
def network():
    """The shipped network and its description."""
    return load_checkpoint(SHIPPED)


def test_the_network_is_no_larger_than_it_was(network):
    """A slab of 128 x 128 costs at most 1.15 billion multiply-adds."""
    assert multiply_adds(network[0], (128, 128)) <= 1.15e9


def test_the_export_does_only_what_the_answer_needs(network):
    """The merged convolutions leave out the inner stacks' scores: fewer operations, same result."""
    graph = inference_graph(network[0], network[1]["loss"])
    assert multiply_adds(graph, (128, 128)) < 0.99 * multiply_adds(network[0], (128, 128))


def test_the_shipped_file_is_small():
    """Checkpoint and export together fit a clone over a slow line."""
    assert sum(os.path.getsize(path) for path in SHIPPED.parent.glob("deepspine.*")) < 10e6
