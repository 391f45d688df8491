"""The short name of a folder of sources: the same for the same data, another for other data."""

import shutil
from pathlib import Path

import pytest

from deepspine_sct.training.data_digest import digest

FILES = ("pam50/PAM50_cord.nii.gz", "head/icbm152_t1.nii.gz", "slices/a_T2w.nii.gz", "lumbar/b_T2w.nii.gz")


@pytest.fixture
def data(tmp_path) -> Path:
    """Write a folder of sources, with files that only count bytes."""
    for name in FILES:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"123")
    return tmp_path / "data"


def test_the_same_data_elsewhere_have_the_same_digest(data, tmp_path):
    """A copy, with links instead of folders and with files that training does not read, is the same to a training."""
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for name in ("slices", "pam50"):
        shutil.copytree(data / name, copy / name)
    for name in ("lumbar", "head"):
        (copy / name).symlink_to(data / name)
    for name in ("README.txt", "slices/.DS_Store"):
        (copy / name).write_text("notes")
    assert digest(copy) == digest(data) and len(digest(data)) == 8


@pytest.mark.parametrize("name", FILES)
def test_other_data_have_another_digest(data, name):
    """A file of another size, of another name, or one that is missing changes the digest, in every folder."""
    path, digests = data / name, {digest(data)}
    path.write_bytes(b"1234")
    digests.add(digest(data))
    path.rename(path.with_name("other.nii.gz"))
    digests.add(digest(data))
    path.with_name("other.nii.gz").unlink()
    digests.add(digest(data))
    assert len(digests) == 4
