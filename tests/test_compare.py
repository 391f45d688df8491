"""Comparing two disc files: the numbers that `make demo` prints, and its verdict."""

import nibabel as nib
import numpy as np
import pytest

from deepspine_sct.evaluation import compare

SHAPE = (9, 20, 60)


def write_labels(path, voxels: dict[int, tuple[int, int, int]], zoom_mm: float = 2.0) -> str:
    """Write a label file on a grid of one voxel size, its first voxel at the world's origin."""
    data = np.zeros(SHAPE, np.uint8)
    for value, ijk in voxels.items():
        data[ijk] = value
    nib.save(nib.Nifti1Image(data, np.diag([zoom_mm, zoom_mm, zoom_mm, 1])), path)
    return str(path)


TRUTH = {3: (4, 10, 50), 4: (4, 10, 40), 5: (4, 10, 30)}


@pytest.fixture
def truth(tmp_path):
    """Write the true discs, 20 mm apart."""
    return write_labels(tmp_path / "truth.nii.gz", TRUTH)


def test_distances_are_in_mm_and_by_name(tmp_path, truth, capsys):
    """One disc is exact, one 2 mm low, one 6 mm off: hand-computed from the voxel size."""
    predicted = TRUTH | {4: (4, 10, 39), 5: (4, 13, 30)}
    assert compare.main([write_labels(tmp_path / "p.nii.gz", predicted), truth]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["3", "C2/C3", "0.00"]
    assert lines[2].split() == ["4", "C3/C4", "2.00"]
    assert lines[3].split() == ["5", "C4/C5", "6.00", "not", "within", "5", "mm"]
    assert lines[4] == "mean error 2.67 mm, largest 6.00 mm"
    assert lines[5] == "2 of 3 discs named right within 5 mm, 1 false"


def test_grids_may_differ(tmp_path, truth):
    """The world counts, not the voxel: the same places on a coarser grid agree."""
    coarse = {value: (2, 5, k // 2) for value, (_, _, k) in TRUTH.items()}
    assert compare.main([write_labels(tmp_path / "p.nii.gz", coarse, zoom_mm=4.0), truth]) == 0
    assert compare.main([write_labels(tmp_path / "p.nii.gz", coarse), truth]) == 1


@pytest.mark.parametrize(
    ("predicted", "status"),
    [
        (TRUTH, 0),
        (TRUTH | {2: (4, 10, 58), 6: (4, 10, 20)}, 0),
        ({3: TRUTH[3], 5: TRUTH[5]}, 1),
        ({3: TRUTH[4], 4: TRUTH[3], 5: TRUTH[5]}, 1),
        ({4: TRUTH[3], 5: TRUTH[4], 6: TRUTH[5]}, 1),
    ],
    ids=["equal", "more above and below", "one missing", "two swapped", "all shifted by one"],
)
def test_the_verdict_is_the_exit_status(tmp_path, truth, predicted, status):
    """0 only where every true disc carries its own name; discs beyond the marked ones are free."""
    assert compare.main([write_labels(tmp_path / "p.nii.gz", predicted), truth]) == status


def test_an_unreadable_file_is_one_line(tmp_path, truth, capsys):
    """It names the file."""
    assert compare.main([str(tmp_path / "no.nii"), truth]) == 1
    streams = capsys.readouterr()
    assert streams.out == ""
    assert len(streams.err.splitlines()) == 1 and "no.nii: no such file" in streams.err
