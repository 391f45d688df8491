"""Reading ahead: the same image or the same refusal as without it."""

import gzip
import os
import tracemalloc
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.ahead import ReadAhead
from deepspine_sct.image.nifti import read_volume

RNG = np.random.default_rng(5)


def content(dtype=np.int16, slope=None, order="<", offset=352):
    """A NIfTI file of noise, uncompressed."""
    voxels = RNG.integers(0, 1000, (5, 30, 40)).astype(np.dtype(dtype).newbyteorder(order))
    image = nib.Nifti1Image(voxels, np.diag([3.0, 1, 1, 1]), nib.Nifti1Header(endianness=order))
    image.header.set_data_dtype(voxels.dtype)
    image.header.set_slope_inter(slope, slope and 0)
    image.header["vox_offset"] = offset
    start = image.header.binaryblock + bytes(offset - 348)
    return start + voxels.tobytes(order="F")


def written(path, data):
    """Write bytes, and return the path."""
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize(
    "data",
    [
        partial(content),
        partial(content, order=">"),
        partial(content, np.float32),
        partial(content, np.uint8),
        partial(content, slope=2.5),
        partial(content, offset=353),
    ],
    ids=["int16", "big endian", "float32", "uint8", "scaled", "odd offset"],
)
def test_an_image_that_was_read_ahead_is_the_same(tmp_path, data, lazy):
    """Voxels, their type and their grid are those of the file read step by step."""
    path = written(tmp_path / "a.nii.gz", gzip.compress(data()))
    assert ReadAhead(path).take() == gzip.decompress(path.read_bytes())
    volume, expected = (read_volume(path, lazy=lazy, ahead=a) for a in (ReadAhead(path), None))
    np.testing.assert_array_equal(volume.data, expected.data)
    np.testing.assert_array_equal(volume.grid.affine, expected.grid.affine)
    assert volume.data.dtype == expected.data.dtype


def cut(data):
    """Half of a compressed file."""
    return gzip.compress(data)[: len(gzip.compress(data)) // 2]


def damaged(data):
    """A compressed file with another byte in its middle."""
    whole = bytearray(gzip.compress(data))
    whole[len(whole) // 2] ^= 0xFF
    return bytes(whole)


@pytest.mark.parametrize(
    "data",
    [
        cut(content()),
        damaged(content()),
        content(),
        b"",
        gzip.compress(content()) + b"more",
        gzip.compress(content()[:9000]) + gzip.compress(content()[9000:]),
        gzip.compress(content()) + gzip.compress(b""),
        gzip.compress(content()[:9000]),
        gzip.compress(bytes(2**20)),
    ],
    ids=["cut", "damaged", "not compressed", "empty", "more", "members", "empty member", "few voxels", "zeros"],
)
def test_an_unusual_file_is_left_to_those_who_read_it_step_by_step(tmp_path, data):
    """What is no whole file of one member gives the same image or the same message with and without reading ahead."""
    path = written(tmp_path / "a.nii.gz", data)
    outcomes = []
    for ahead in (ReadAhead(path), None):
        try:
            outcomes.append(read_volume(path, ahead=ahead).data.tobytes())
        except DeepspineError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]


def test_what_holds_nothing_to_inflate_does_not_keep_anyone_waiting(tmp_path):
    """A missing file, a folder, a pipe without a writer and an uncompressed scan have no content."""
    (tmp_path / "folder.nii.gz").mkdir()
    os.mkfifo(tmp_path / "pipe.nii.gz")
    written(tmp_path / "plain.nii", content())
    for name in ("missing.nii.gz", "folder.nii.gz", "pipe.nii.gz", "plain.nii"):
        assert ReadAhead(tmp_path / name).take() is None


def test_a_file_that_claims_to_hold_more_than_a_scan_costs_no_memory(tmp_path):
    """What a hostile file says of its size is not believed beyond what noise can be deflated to."""
    whole = gzip.compress(content())
    path = written(tmp_path / "a.nii.gz", whole[:-4] + (2**31).to_bytes(4, "little"))
    assert ReadAhead(path).take() is None


def test_a_file_that_holds_more_than_it_states_costs_no_memory(tmp_path):
    """A file that states a small size and would inflate to 200 MB takes twice its own and the stated size at most."""
    bomb = gzip.compress(RNG.bytes(2**20) + bytes(200 * 2**20), 1)
    path = written(tmp_path / "a.nii.gz", bomb[:-4] + (2**20).to_bytes(4, "little"))
    tracemalloc.start()
    content_of_bomb = ReadAhead(path).take()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert content_of_bomb is None and peak < 2 * (path.stat().st_size + 2**20) + 2**20


def test_the_content_is_handed_over_once(tmp_path):
    """Whoever has read the image does not keep its file in memory as well."""
    ahead = ReadAhead(written(tmp_path / "a.nii.gz", gzip.compress(content())))
    assert ahead.take() is not None and ahead.take() is None


def test_a_very_large_file_is_not_read_into_memory(tmp_path, monkeypatch):
    """Gzip notes sizes only up to 4 GiB, so the size of the file itself decides before anything is read."""
    path = tmp_path / "a.nii.gz"
    with open(path, "wb") as file:
        file.truncate(2**28 + 1)  # a hole, which takes no room on the disk
    read = []
    monkeypatch.setattr(Path, "read_bytes", lambda self: read.append(self) or b"")
    assert ReadAhead(path).take() is None and read == []
