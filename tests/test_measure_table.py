"""What `sct_deepspine_measure` finds where it writes: its own earlier answer is replaced, and nothing else."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from fake_predictor import VOXELS, write_scan

from deepspine_sct.cli import measure
from deepspine_sct.landmarks.measure_table import write_table
from deepspine_sct.landmarks.measures import Measure

NAME = "t2_discs.nii.gz"


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Label files of one name in two folders, the second with a disc less, and work above them."""
    monkeypatch.chdir(tmp_path)
    scan = nib.load(write_scan(tmp_path / "t2.nii.gz"))
    for n_discs, folder in ((5, "sub-01"), (4, "sub-02")):
        data = np.zeros(scan.shape, np.uint8)
        for value, ijk in list(VOXELS.items())[:n_discs]:
            data[ijk] = value
        (tmp_path / folder).mkdir()
        nib.save(nib.Nifti1Image(data, scan.affine, scan.header), tmp_path / folder / NAME)
    return tmp_path


def files_in(folder: Path) -> dict[Path, bytes]:
    """Read all files below a folder."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows_by_labels(table: str) -> dict[str, list[str]]:
    """Read which rows a table has of each label file."""
    head, *lines = Path(table).read_text().splitlines()
    assert head == "measure\tlevel\tvalue\tunit\tlabels"
    rows = {}
    for line in lines:
        rest, _, labels = line.rpartition("\t")
        rows.setdefault(labels, []).append(rest)
    return rows


def test_a_loop_over_folders_loses_nothing(folders, capsys):
    """The second label file of the same name is refused with both remedies, and no file has changed."""
    assert measure.main(["-i", f"sub-01/{NAME}", "-landmarks", "views"]) == 0
    before = files_in(folders)
    capsys.readouterr()
    assert measure.main(["-i", f"sub-02/{NAME}", "-landmarks", "other"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"holds measures of sub-01/{NAME}" in line and "-append 1" in line and "-o" in line
    assert measure.main(["-i", f"sub-02/{NAME}", "-landmarks", "views", "-o", "second.tsv"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"views/t2_discs.mrk.json: was made of ../sub-01/{NAME}" in line
    assert files_in(folders) == before


def test_one_table_takes_the_rows_of_many_files(folders):
    """Each file that is measured again replaces its own rows alone, from whatever folder the command is called."""
    for name in ("sub-01", "sub-02"):
        assert measure.main(["-i", f"{name}/{NAME}", "-o", "all.tsv", "-append", "1"]) == 0
    whole = rows_by_labels("all.tsv")
    assert {labels: len(rows) for labels, rows in whole.items()} == {f"sub-01/{NAME}": 7, f"sub-02/{NAME}": 5}
    shutil.copy(folders / "sub-02" / NAME, folders / "sub-01" / NAME)
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.chdir(folders / "sub-01")
        assert measure.main(["-i", NAME, "-o", "../all.tsv", "-append", "1"]) == 0
    shorter = rows_by_labels("all.tsv")
    assert shorter[f"sub-01/{NAME}"] == shorter[f"sub-02/{NAME}"] == whole[f"sub-02/{NAME}"]
    assert measure.main(["-i", f"sub-01/{NAME}", "-o", "all.tsv"]) == 1
    assert rows_by_labels("all.tsv") == shorter


def test_an_earlier_answer_to_the_same_labels_is_replaced(folders):
    """Table and views follow the label file, whether it held measures before or none."""
    answers = []
    for folder in ("sub-01", "sub-02"):
        shutil.copy(folders / folder / NAME, NAME)
        assert measure.main(["-i", NAME, "-landmarks", "views"]) == 0
        answers.append(files_in(folders / "views") | {"": Path("t2_discs_measures.tsv").read_bytes()})
    assert answers[0] != answers[1]
    labels = nib.load(NAME)
    alone = np.where(np.asarray(labels.dataobj) == 3, 3, 0).astype(np.uint8)
    for data in (alone, np.asarray(labels.dataobj)):
        nib.save(nib.Nifti1Image(data, labels.affine), NAME)
        assert measure.main(["-i", NAME]) == 0
    assert Path("t2_discs_measures.tsv").read_bytes() == answers[1][""]


@pytest.mark.parametrize("append", ["0", "1"])
@pytest.mark.parametrize(
    "content", [b"participant_id\tage\nsub-01\t40\n", b"measure\tlevel\tvalue\tunit\n", b"\xff\xfe", b"a note"]
)
def test_the_file_of_somebody_else_stays(folders, capsys, content, append):
    """Also a table of an earlier version, which does not say of which labels it is."""
    table = folders / "t2_discs_measures.tsv"
    table.write_bytes(content)
    assert measure.main(["-i", f"sub-01/{NAME}", "-append", append]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "no table that says which labels it measures" in line and "remove it" in line
    assert table.read_bytes() == content


@pytest.mark.parametrize("name", ["t2_discs.mrk.json", "t2_discs_balls.nii.gz", "discs_fsleyes.lut"])
def test_views_of_somebody_else_stay(folders, capsys, name):
    """Points that were moved in 3D Slicer, which drops what says where they come from; and colours of one's own."""
    (folders / "views").mkdir()
    (folders / "views" / name).write_text(json.dumps({"markups": []}))
    before = files_in(folders)
    assert measure.main(["-i", f"sub-01/{NAME}", "-landmarks", "views"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"views/{name}: is there and was not made of these labels" in line
    assert files_in(folders) == before


def test_processes_that_append_at_once_lose_no_row(tmp_path):
    """All rows of 40 label files are there, among them names with a tab, a line break and what is no UTF-8."""
    table = tmp_path / "all.tsv"
    names = [f"sub-{n}/discs.nii.gz" for n in range(37)] + ["a\tb.nii", "a\nb.nii", "a\udcffb.nii"]

    def append(name: str) -> None:
        write_table(table, tmp_path / name, [Measure("disc_angle", "C2/C3", 3.0, "deg")], append=True)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, names * 2))
    spelt = ["a\\tb.nii", "a\\nb.nii", "a\\udcffb.nii"]
    assert rows_by_labels(table) == dict.fromkeys([*names[:37], *spelt], ["disc_angle\tC2/C3\t3\tdeg"])
