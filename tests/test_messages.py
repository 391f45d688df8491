"""Messages that send people the right way: what they typed, what a file really is, what the system said."""

import errno
import gzip
import os
from argparse import ArgumentTypeError

import nibabel as nib
import numpy as np
import pytest

from deepspine_sct.anatomy import DISC_NAMES
from deepspine_sct.cli import batch, label, prepare
from deepspine_sct.cli.argument_types import disc_values, slice_and_disc
from deepspine_sct.cli.messages import did_you_mean, one_line
from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.scan.contrasts import contrast


def nifti_bytes() -> bytes:
    """A small image as it stands in an uncompressed file."""
    return nib.Nifti1Image(np.arange(60, dtype=np.int16).reshape(3, 4, 5), np.eye(4)).to_bytes()


CONTENTS = {
    "a NIfTI that is not compressed": (
        "a.nii.gz",
        nifti_bytes(),
        "is not compressed although its name ends in .gz; rename it to a.nii",
    ),
    "a compressed NIfTI": ("a.nii", gzip.compress(nifti_bytes()), "rename it to a.nii.gz"),
    "compressed twice": (
        "a.nii.gz",
        gzip.compress(gzip.compress(nifti_bytes())),
        "is compressed twice; unpack it once",
    ),
    "DICOM": ("a.nii", bytes(128) + b"DICM" + bytes(400), "is a DICOM file; convert it to NIfTI (dcm2niix)"),
    "compressed DICOM": ("a.nii.gz", gzip.compress(bytes(128) + b"DICM" + bytes(400)), "is a DICOM file"),
    "a login page": ("a.nii.gz", b"\n<!DOCTYPE html><html><body>Please log in", "is a web page or XML"),
    "an error in XML": ("a.nii.gz", b"<?xml version='1.0'?><Error><Code>AccessDenied</Code>", "is a web page or XML"),
    "Git LFS": ("a.nii.gz", b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "git lfs pull"),
    "git-annex": ("a.nii.gz", b"/annex/objects/MD5E-s1--ab.nii.gz\n", "git annex get"),
    "zip": ("a.nii.gz", b"PK\x03\x04" + bytes(99), "is a zip archive; unpack it"),
    "bzip2": ("a.nii", b"BZh91AY" + bytes(99), "bunzip2"),
    "xz": ("a.nii.gz", b"\xfd7zXZ\x00" + bytes(99), "unxz"),
    "Zstandard": ("a.nii", b"\x28\xb5\x2f\xfd" + bytes(99), "unzstd"),
    "MINC 2": ("a.nii", b"\x89HDF\r\n" + bytes(600), "convert the image to NIfTI"),
    "NRRD": ("a.nii", b"NRRD0004\ntype: short\n" + bytes(600), "is an NRRD file"),
    "a picture": ("a.nii", b"\x89PNG\r\n" + bytes(600), "is a PNG picture"),
    "macOS": ("._a.nii.gz", b"\x00\x05\x16\x07" + bytes(600), "without ._ before its name"),
    "a copy that stopped": ("a.nii", bytes(4096), "nothing but zeros"),
    "a compressed copy that stopped": ("a.nii.gz", bytes(4096), "nothing but zeros"),
    "text": ("a.nii", b"spine " * 200, "is not a NIfTI file"),
}


@pytest.mark.parametrize("case", CONTENTS)
def test_a_file_is_called_what_it_is(tmp_path, case):
    """By its content, with what to do about it: never \"damaged\" where it is whole."""
    name, content, message = CONTENTS[case]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DeepspineError) as caught:
        read_volume(tmp_path / name)
    line = str(caught.value)
    assert line.startswith(f"{tmp_path / name}: ") and message in line and "\n" not in line
    assert "damaged" not in line


@pytest.mark.parametrize("typed", ["t2.nii", "T2.nii.gz", "t2_.nii.gz", "t22.nii.gz"])
def test_a_mistyped_file_is_told_its_neighbour(tmp_path, typed):
    """The scan that lies beside it; a name that resembles none is only to be checked."""
    (tmp_path / "t2.nii.gz").touch()
    with pytest.raises(DeepspineError, match=r"no such file; did you mean .*/t2\.nii\.gz\?"):
        read_volume(tmp_path / typed)
    with pytest.raises(DeepspineError, match="no such file; check the path"):
        read_volume(tmp_path / "sub-01_ses-2_bold.nii.gz")


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("3-11", range(3, 12)), ("3:11", range(3, 12)), ("3..5", (3, 4, 5)), ("3 to 5", (3, 4, 5)),
        ("C2/C3", (3,)), ("c2/c3", (3,)), ("C2-C3", (3,)), ("C2C3", (3,)), ("C2/3", (3,)), ("T12/L1", (20,)),
        ("L5/S1", (25,)), ("L5S1", (25,)), ("top of C1", (1,)), ("C2/C3:C5/C6", (3, 4, 5, 6)),
        ("C2/C3-C5/C6", (3, 4, 5, 6)), ("C2-C3-C5-C6", (3, 4, 5, 6)), ("3:C5/C6", (3, 4, 5, 6)),
        ("3; 5, C7/T1", (3, 5, 8)), (" 4 ", (4,)),
    ],
)  # fmt: skip
def test_discs_are_taken_as_people_write_them(text, values):
    """By value or name, one, several or a range."""
    assert disc_values(text) == tuple(values)


def test_every_name_of_the_tables_is_its_value():
    """As the program itself prints it."""
    for value, name in DISC_NAMES.items():
        assert disc_values(name) == (value,)
        assert slice_and_disc(f"12,{name}") == (12, value)


@pytest.mark.parametrize("text", ["68,C3/C4", "68,4", "68:4", "68 4", "68, c3-c4", "68;C3C4"])
def test_a_slice_and_a_disc_are_taken_as_people_write_them(text):
    """By value or name, with whatever sign between them."""
    assert slice_and_disc(text) == (68, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [("C3", "named after both of its vertebrae"), ("C2-C7", "named after both"), ("C3/C5", "'C3/C5' is not a disc"),
     ("0", "from 1 to 25"), ("S1/S2", "nor a name such as C3/C4"), ("11-3", "runs backwards")],
)  # fmt: skip
def test_what_is_no_disc_is_told_how_one_is_written(text, message):
    """A vertebra, discs that do not exist, and ranges from foot to head."""
    with pytest.raises(ArgumentTypeError, match=message):
        disc_values(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("T1w", "t1"), ("t2W", "t2"), ("T2", "t2"), ("T2star", "t2s"), ("T2*", "t2s"), ("PDw", "pd"), ("STIR", "stir")],
)
def test_contrasts_are_taken_as_bids_writes_them(text, value):
    """T1w, T2w and the others, in any case; what is unknown stays for the list of choices."""
    assert contrast(text) == value
    assert label.get_parser().parse_args(["-i", "a.nii", "-c", text]).c == value
    assert contrast("bold") == "bold"


@pytest.mark.parametrize(
    ("main", "arguments", "hint"),
    [
        (label.main, ["-i", "a.nii", "-c", "t2", "-ofoldr", "x"], "did you mean -ofolder?"),
        (label.main, ["--json", "x"], "did you mean -json?"),
        (label.main, ["-i", "a.nii", "-c", "t2", "-device", "gpu"], "choose from auto, cpu, cuda"),
        (label.main, ["-i", "my", "scan.nii", "-c", "t2"], "a name with spaces needs quotes"),
        (batch.main, ["a", "b", "participants"], "did you mean participant?"),
        (batch.main, ["a", "b", "group", "--n_procs", "3"], "did you mean --n-procs?"),
        (prepare.main, ["-path-dat", "a", "-o", "b"], "did you mean -path-data?"),
    ],
)
def test_a_typing_error_gets_the_word_that_was_meant(capsys, main, arguments, hint):
    """Options and choices alike, in two lines."""
    with pytest.raises(SystemExit):
        main(arguments)
    *usage, line = capsys.readouterr().err.splitlines()
    assert hint in line and line.count("error: ") == 1
    assert usage[0].startswith("usage: ") and len(usage) <= 2


def test_no_word_is_suggested_for_what_resembles_none():
    """A wild guess is worse than none."""
    assert did_you_mean("zzzz", ["alpha", "beta"]) == ""


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EIO, errno.ELOOP, errno.EMFILE])
def test_what_the_system_says_is_explained(code):
    """No bare error number: the path, what is wrong with it, and a remedy."""
    line = one_line(OSError(code, os.strerror(code), "/data/a b.nii"))
    assert line.startswith("/data/a b.nii: ") and ";" in line and "Errno" not in line


def test_a_folder_that_was_deleted_under_the_user_is_said(tmp_path, monkeypatch, capsys):
    """Every command that needs the current folder, in one line with the remedy."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    for main, arguments in ((batch.main, ["data", "out", "participant"]), (label.main, ["-i", "a.nii", "-c", "t2"])):
        assert main(arguments) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "was deleted or moved; change to another one (cd)" in line
    os.chdir("/")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_data_set_is_said(tmp_path, capsys):
    """An output folder that cannot be made is named, with what to do."""
    (tmp_path / "data").mkdir(mode=0o555)
    assert batch.main([str(tmp_path / "data"), str(tmp_path / "data" / "out"), "participant"]) == 1
    assert "check the permissions" in capsys.readouterr().err


def test_a_folder_below_a_file_is_said(tmp_path, capsys):
    """Where the output folder cannot be made because a file is in the way."""
    from cohort_cases import write_data_set

    root = write_data_set(tmp_path / "data", ["sub-01/anat/sub-01_T2w.nii.gz"])
    (tmp_path / "file").touch()
    assert batch.main([str(root), str(tmp_path / "file" / "out"), "participant"]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert f"{tmp_path / 'file' / 'out'}: {tmp_path / 'file'} is not a folder; give another folder" in line
