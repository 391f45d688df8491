"""The command when something is wrong: one clear line, the right exit status, no file."""

import gzip
import os
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from fake_predictor import SHAPE, FakePredictor, known_discs, oblique_affine, write_scan

from deepspine_sct.cli import label, parser
from deepspine_sct.errors import DeepspineError
from deepspine_sct.pictures import figure
from deepspine_sct.scan import output_paths


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    """Work in an empty folder that holds the scan alone."""
    monkeypatch.chdir(tmp_path)
    write_scan(tmp_path / "t2.nii.gz")
    return tmp_path


def files_in(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content; hidden ones and broken links as well."""
    return {str(path): path.read_bytes() if path.exists() else b"" for path in folder.rglob("*") if not path.is_dir()}


def refusal(capsys, *arguments: str, status: int = 1) -> str:
    """Run the command, which has to fail; return its one line."""
    assert label.main(arguments) == status
    streams = capsys.readouterr()
    assert streams.out == ""
    (line,) = streams.err.splitlines()
    prefix = "sct_deepspine_label: error: "
    assert line.startswith(prefix)
    return line.removeprefix(prefix)


def _save(data, name="bad.nii.gz", affine=None) -> None:
    nib.save(nib.Nifti1Image(data, oblique_affine() if affine is None else affine), name)


def _noise(shape=SHAPE):
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def _make_rgb():
    pixel = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    _save(np.zeros(SHAPE, pixel))


def _make_cut_gzip():
    whole = Path("t2.nii.gz").read_bytes()
    Path("bad.nii.gz").write_bytes(whole[: len(whole) // 2])


def _make_cut_nifti():
    Path("bad.nii").write_bytes(gzip.decompress(Path("t2.nii.gz").read_bytes())[:-4])


BAD_IMAGES = {
    "missing": (lambda: None, "bad.nii.gz", "no such file"),
    "folder": (lambda: Path("bad.nii.gz").mkdir(), "bad.nii.gz", "folder"),
    "empty": (lambda: Path("bad.nii.gz").touch(), "bad.nii.gz", "empty"),
    "text": (lambda: Path("bad.nii").write_text("spine\n" * 99), "bad.nii", "NIfTI"),
    "another type": (lambda: Path("bad.mgz").write_bytes(b"x" * 999), "bad.mgz", ".nii"),
    "2-D": (lambda: _save(_noise((30, 44))), "bad.nii.gz", "3-D"),
    "several volumes": (lambda: _save(_noise((*SHAPE, 3))), "bad.nii.gz", "3 volumes"),
    "all NaN": (lambda: _save(np.full(SHAPE, np.nan, "f4")), "bad.nii.gz", "finite"),
    "constant": (lambda: _save(np.full(SHAPE, 7, "i2")), "bad.nii.gz", "same value"),
    "RGB": (_make_rgb, "bad.nii.gz", "colour"),
    "complex": (lambda: _save(_noise().astype("c8")), "bad.nii.gz", "complex"),
    "truncated gzip": (_make_cut_gzip, "bad.nii.gz", "truncated"),
    "truncated": (_make_cut_nifti, "bad.nii", "copy it again"),
    "pointer": (
        lambda: os.symlink(".git/annex/objects/Xk/bad.nii.gz", "bad.nii.gz"),
        "bad.nii.gz",
        "git annex get",
    ),
}


@pytest.mark.parametrize("case", BAD_IMAGES)
def test_a_bad_image_gets_one_clear_line(in_folder, predictor, capsys, case):
    """The line names the file and the fault; nothing is written, not even the other outputs."""
    make, name, fault = BAD_IMAGES[case]
    make()
    before = files_in(in_folder)
    line = refusal(capsys, "-i", name, "-c", "t2", "-json", "a.json", "-overlay", "a.png", "-qc", "qc")
    assert line.startswith(f"{name}: ") and fault in line
    assert predictor.calls == []
    assert files_in(in_folder) == before
    assert not (in_folder / "qc").exists()


def test_a_scan_without_a_spine_exits_with_3(in_folder, predictor, capsys):
    """No disc found: a line with the advice that is still open, exit status 3 and no file or folder."""
    predictor.labeling.discs.clear()
    before = files_in(in_folder)
    for start in ((), ("-initz", "3,5")):
        line = refusal(capsys, "-i", "t2.nii.gz", "-c", "t2", "-ofolder", "new", *start, status=3)
        assert line.startswith("t2.nii.gz: no disc was found") and "-discs" not in line
        assert ("give one disc that you know with -initz <slice>,<disc>" in line) == (not start)
    line = refusal(capsys, "-i", "t2.nii.gz", "-c", "t2", "-discs", "3:8", status=3)
    assert line.endswith("with -initz <slice>,<disc>, widen -discs, or lower -thr")
    assert files_in(in_folder) == before
    assert not (in_folder / "new").exists()


def test_a_refusal_names_what_else_is_odd_about_the_header(in_folder, predictor, capsys, monkeypatch):
    """A scan that seems upside down is refused; that its qform says otherwise is why, and no warning says so."""
    image = nib.load("t2.nii.gz")
    image.set_qform(np.diag([1, -1, -1, 1]) @ image.affine, 1)
    nib.save(image, "two.nii.gz")

    def refuse(*_, **__):
        raise DeepspineError("superior and inferior seem to be swapped; correct the orientation in the header")

    monkeypatch.setattr(predictor, "predict", refuse)
    line = refusal(capsys, "-i", "two.nii.gz", "-c", "t2")
    assert "in the header; note that the header holds two geometries, sform" in line and line.endswith(")")
    assert refusal(capsys, "-i", "t2.nii.gz", "-c", "t2").endswith("correct the orientation in the header")


def test_a_scan_without_a_disc_that_was_asked_for_is_told_what_it_shows(in_folder, predictor, capsys):
    """Discs were found, and none of them was asked for: no reason to look for a scan without a spine."""
    line = refusal(capsys, "-i", "t2.nii.gz", "-c", "t2", "-discs", "20:25", status=3)
    assert line.startswith("t2.nii.gz: none of the discs that were asked for was found")
    assert "as the scan seems to show C2/C3 to C6/C7; check which discs" in line and "widen -discs" in line


def test_discs_outside_of_the_image_alone_exit_with_3(in_folder, monkeypatch, capsys):
    """Discs that are all off the grid are no discs of this image."""
    fake = FakePredictor(known_discs({3: (60, 20, 5), 4: (66, 20, 5)}))
    monkeypatch.setattr(label, "load_predictor", lambda args: fake)
    before = files_in(in_folder)
    refusal(capsys, "-i", "t2.nii.gz", "-c", "t2", status=3)
    assert files_in(in_folder) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "required: -i, -c"),
        (("-i", "t2.nii.gz"), "required: -c"),
        (("-i", "t2.nii.gz", "-c", "ct"), "argument -c: invalid choice: 'ct'"),
        (("-i",), "argument -i: expected one argument"),
        (("-i", "t2.nii.gz", "-c", "t2", "rest"), "unrecognized arguments: rest"),
        (("-i", "t2.nii.gz", "-c", "t2", "-initlable", "x"), "unrecognized option: -initlable"),
        (("-i", "t2.nii.gz", "-c", "t2", "-dev", "cpu"), "unrecognized option: -dev"),
        (("-it2.nii.gz", "-c", "t2"), "unrecognized option: -it2.nii.gz"),
        (("-i", "-t2.nii.gz", "-c", "t2"), "./-t2.nii.gz"),
        (("-i", "t2.nii.gz", "-c", "t2", "-o", "a.nii", "-ofolder", "b"), "not allowed with"),
        (("-i", "t2.nii.gz", "-c", "t2", "-initz", "3,5", "-initlabel", "a"), "not allowed with"),
        (("-i", "t2.nii.gz", "-c", "t2", "-thr", "1"), "'1' is not a number between 0 and 1"),
        (("-i", "t2.nii.gz", "-c", "t2", "-thr", "-1"), "'-1' is not a number between"),
        (("-i", "t2.nii.gz", "-c", "t2", "-thr", "nan"), "'nan' is not a number between"),
        (("-i", "t2.nii.gz", "-c", "t2", "-thr", "high"), "'high' is not a number between"),
        (("-i", "t2.nii.gz", "-c", "t2", "-discs", "3:26"), "'26' is not a disc value"),
        (("-i", "t2.nii.gz", "-c", "t2", "-discs", "3:"), "'' is not a disc value"),
        (("-i", "t2.nii.gz", "-c", "t2", "-discs", "9:3"), "runs backwards"),
        (("-i", "t2.nii.gz", "-c", "t2", "-initz", "68"), "'68' is not SLICE,DISC"),
        (("-i", "t2.nii.gz", "-c", "t2", "-initz", "x,3"), "'x,3' is not SLICE,DISC"),
        (("-i", "t2.nii.gz", "-c", "t2", "-initz", "68,49"), "'49' is not a disc value"),
        (("-i", "t2.nii.gz", "-c", "t2", "-v", "3"), "argument -v: invalid choice: 3"),
        (("-i", "t2.nii.gz", "-c", "t2", "-i", "t1.nii.gz"), "argument -i: is given twice; give it once ("),
        (("-i", "t2.nii.gz", "-c", "t2", "-with", "a.nii", "-with", "b.nii"), "argument -with: is given twice"),
        (("-i", "t2.nii.gz", "-c", "t2", "-initz", "9,4", "-initz", "5,5"), "argument -initz: is given twice"),
    ],
)
def test_a_usage_error_prints_the_usage_and_one_line_and_exits_with_2(in_folder, capsys, arguments, message):
    """The line that matters is not pushed off the screen by the help, which it names instead."""
    with pytest.raises(SystemExit) as ending:
        label.main(arguments)
    assert ending.value.code == 2
    streams = capsys.readouterr()
    assert streams.out == ""
    usage, last = streams.err.splitlines()
    assert usage.startswith("usage: sct_deepspine_label -i <file>")
    assert last.startswith("sct_deepspine_label: error: ") and message in last
    assert last.endswith("(sct_deepspine_label -h shows all options)")


@pytest.mark.parametrize("link", ["path", "symbolic", "hard"])
@pytest.mark.parametrize(
    ("victim", "arguments"),
    [
        ("t2.nii.gz", ("-o", "alias.nii.gz")),
        ("t2.nii.gz", ("-json", "alias.nii.gz")),
        ("start.nii.gz", ("-initlabel", "start.nii.gz", "-o", "alias.nii.gz")),
        ("weights", ("-model", "weights", "-json", "alias.nii.gz")),
    ],
)
def test_an_input_is_never_overwritten(in_folder, predictor, capsys, victim, arguments, link):
    """Neither the image nor a start nor a model, under whatever name an output leads to it."""
    if not Path(victim).exists():
        Path(victim).write_bytes(b"precious")
    alias = "alias.nii.gz"
    if link == "path":
        alias = f"../{in_folder.name}/{victim}"
        arguments = [alias if word == "alias.nii.gz" else word for word in arguments]
    elif link == "symbolic":
        os.symlink(victim, alias)
    else:
        os.link(victim, alias)
    before = files_in(in_folder)
    line = refusal(capsys, "-i", "t2.nii.gz", "-c", "t2", *arguments)
    assert line == f"{alias}: is an input and would be overwritten; rename the output"
    assert files_in(in_folder) == before
    assert predictor.calls == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "discs.mgz"), "discs.mgz: unknown file type"),
        (("-o", "t2.nii.gz/discs.nii.gz"), "t2.nii.gz is not a folder; give another path"),
        (("-o", "kept.nii"), "kept.nii: cannot be written because it is a folder"),
        (("-ofolder", "t2.nii.gz"), "t2.nii.gz: is a file, not a folder"),
        (("-qc", "t2.nii.gz"), "t2.nii.gz: is a file, not a folder"),
        (("-json", "t2.nii.gz/no/r.json"), "t2.nii.gz is not a folder"),
        (("-overlay", "o.jpg"), "o.jpg: a picture is written as .png"),
        (("-json", "t2_labeled_discs.nii.gz"), "two outputs would be written to this file"),
        (("-json", "a.png", "-overlay", "./a.png"), "two outputs would be written to this file"),
        (("-qc", "page", "-json", "page/deepspine.html"), "two outputs would be written to this file"),
        (("-json", "seg.nii.gz"), "seg.nii.gz: a report is written as .json"),
    ],
)
def test_an_output_that_cannot_be_is_refused_first(in_folder, predictor, capsys, arguments, message):
    """Before the scan is read and the network runs."""
    (in_folder / "kept.nii").mkdir()
    before = files_in(in_folder)
    line = refusal(capsys, "-i", "t2.nii.gz", "-c", "t2", *arguments)
    assert message in line
    assert files_in(in_folder) == before
    assert predictor.calls == []


def test_an_output_that_is_no_file_is_refused_first(in_folder, predictor, capsys):
    """A device, a pipe, a loop of links and a name that is too long, before the network runs."""
    os.mkfifo("pipe.json")
    os.symlink("loop.nii.gz", "loop.nii.gz")
    scan = ("-i", "t2.nii.gz", "-c", "t2")
    assert "/dev/null: cannot be written because it is a device" in refusal(capsys, *scan, "-json", "/dev/null")
    assert "pipe.json: cannot be written because it is a device or a pipe" in refusal(
        capsys, *scan, "-json", "pipe.json"
    )
    assert "the name is too long" in refusal(capsys, *scan, "-json", "n" * 251 + ".json")
    assert "no such file" in refusal(capsys, "-i", "loop.nii.gz", "-c", "t2")
    assert predictor.calls == []


def test_a_start_that_cannot_be_is_refused(in_folder, predictor, capsys):
    """A slice that is not there or far from the spine, a disc off the image or left out."""
    scan = ("-i", "t2.nii.gz", "-c", "t2")
    assert "slices run from 0 (lowest) to 29" in refusal(capsys, *scan, "-initz", "30,5")
    line = refusal(capsys, *scan, "-initz", "20,5", "-discs", "6:9")
    assert line == "disc 5 is given as known but left out by -discs; widen -discs"
    data = np.zeros(SHAPE, np.uint8)
    data[2, 2, 2] = 4
    _save(data, "off.nii.gz", np.diag([1, 1, 1, 1.0]) + np.eye(4, k=3) * 500)
    line = refusal(capsys, *scan, "-initlabel", "off.nii.gz")
    assert line.startswith("off.nii.gz: disc 4 lies outside of the image")
    _save(data, "on.nii.gz")
    line = refusal(capsys, *scan, "-initlabel", "on.nii.gz", "-discs", "5:9")
    assert line == "disc 4 is given as known but left out by -discs; widen -discs"
    _save(np.zeros(SHAPE, np.uint8), "none.nii.gz")
    assert refusal(capsys, *scan, "-initlabel", "none.nii.gz").startswith("none.nii.gz: ")
    assert not (in_folder / "t2_labeled_discs.nii.gz").exists()


def test_a_refusal_of_the_predictor_names_the_image(in_folder, predictor, monkeypatch, capsys):
    """The predictor sees a volume and no file; the user's line names the file."""

    def refuse(volume, **request):
        raise DeepspineError("the image is only 12 mm high")

    monkeypatch.setattr(predictor, "predict", refuse)
    line = refusal(capsys, "-i", "t2.nii.gz", "-c", "t2")
    assert line == "t2.nii.gz: the image is only 12 mm high"


def test_a_picture_without_matplotlib_is_refused_first(in_folder, predictor, monkeypatch, capsys):
    """The remedy is said before the network has run."""
    monkeypatch.setattr(figure, "find_spec", lambda name: None)
    line = refusal(capsys, "-i", "t2.nii.gz", "-c", "t2", "-overlay", "a.png")
    assert "pip install matplotlib" in line
    assert predictor.calls == []


def test_the_traceback_is_shown_with_v_2_only(in_folder, predictor, capsys):
    """The line is the last one either way."""
    assert label.main(["-i", "no.nii", "-c", "t2", "-v", "2"]) == 1
    *traceback, line = capsys.readouterr().err.splitlines()
    assert traceback[0].startswith("Traceback")
    assert line == refusal_line("no.nii: no such file; check the path")


def refusal_line(message: str) -> str:
    """Return the line that the command prints for a message."""
    return f"sct_deepspine_label: error: {message}"


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (KeyboardInterrupt(), 130, "sct_deepspine_label: interrupted"),
        (MemoryError("12 GiB"), 1, refusal_line("not enough memory 12 GiB")),
        (
            OSError(28, "No space left on device", "a\nb"),
            1,
            refusal_line("a b: cannot be written because the disk is full"),
        ),
        (
            ModuleNotFoundError("No module", name="torch"),
            1,
            "'torch' is missing: run `pip install 'deepspine_sct[train]'",
        ),
        (ModuleNotFoundError("No module", name="tqdm.std"), 1, "'tqdm' is missing: run `pip install tqdm`"),
    ],
)
def test_trouble_of_the_machine_is_one_line_too(in_folder, monkeypatch, capsys, error, status, line):
    """An interrupt, exhausted memory or disk and a missing package need no traceback."""

    def fail(args):
        raise error

    monkeypatch.setattr(label, "load_predictor", fail)
    assert label.main(["-i", "t2.nii.gz", "-c", "t2"]) == status
    (printed,) = capsys.readouterr().err.splitlines()
    assert line in printed


def test_a_bug_keeps_its_traceback(in_folder, monkeypatch):
    """What is nobody's mistake but ours is not dressed up as an error of the user's."""
    monkeypatch.setattr(label, "load_predictor", lambda args: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        label.main(["-i", "t2.nii.gz", "-c", "t2"])


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("a/t2.nii.gz", "t2_labeled_discs.nii.gz"),
        ("T2.NII", "T2_labeled_discs.nii.gz"),
        ("sub-1.acq.nii.gz", "sub-1.acq_labeled_discs.nii.gz"),
        ("t2.gz", "t2.gz_labeled_discs.nii.gz"),
    ],
)
def test_the_default_name_follows_the_image(image, name):
    """Only the NIfTI ending goes; other dots stay."""
    assert output_paths.default_name(image) == name


def test_say_escapes_what_the_terminal_cannot_show(monkeypatch, capsys):
    """A file name that is no text in the terminal's encoding does not stop the command."""
    monkeypatch.setattr(type(sys.stdout), "encoding", "ascii", raising=False)
    parser.say("disc_\udcff_é")
    assert capsys.readouterr().out == "disc_\\udcff_\\xe9\n"
