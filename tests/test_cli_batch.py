"""`sct_deepspine_batch` as a user runs it, with the installed network on the demonstration scans."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from cohort_cases import DATA_TEST, ROOT, contents, edit_by_hand, kill_tree, load

from deepspine_sct.cli import batch

GOOD = {
    "sub-1/ses-a/anat/sub-1_ses-a_T2w.nii.gz": "t2_sim",
    "sub-1/ses-b/anat/sub-1_ses-b_run-1_T2w.nii.gz": "t2_lumbar_sim",
    "sub-2/anat/sub-2_T1w.nii.gz": "t1_sim",
}
BAD = "sub-3/anat/sub-3_T2w.nii.gz"
TABLES = {f"deepspine_{name}.{kind}" for name in ("images", "discs", "measures") for kind in ("tsv", "json")}


@pytest.fixture
def data(tmp_path) -> Path:
    """Copy the demonstration scans into a BIDS data set."""
    root = tmp_path / "data"
    for name, source in GOOD.items():
        (root / name).parent.mkdir(parents=True)
        shutil.copyfile(DATA_TEST / f"{source}.nii.gz", root / name)
    return root


@pytest.fixture(autouse=True)
def fixed(monkeypatch):
    """Make runs comparable: one date, no progress bar."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    monkeypatch.setenv("SCT_PROGRESS_BAR", "off")


def run(data: Path, level: str = "participant", *arguments: str, target: str = "out") -> int:
    """Run the command with two workers."""
    target_path = data.parent / target
    if "--scheduler" not in arguments:
        arguments = ("--n-procs", "2", *arguments)
    return batch.main([str(data), str(target_path), level, *arguments])


def spoil(data: Path) -> None:
    """Add a scan that is damaged."""
    (data / BAD).parent.mkdir(parents=True, exist_ok=True)
    (data / BAD).write_bytes((DATA_TEST / "t2_sim.nii.gz").read_bytes()[:5000])


def test_labels_a_data_set_and_leaves_nothing_to_do(data, capsys):
    """Exit status 0; every scan has the files that the documentation names; then nothing is left."""
    assert run(data, "participant", "--qc") == 0
    assert "3 labelled" in capsys.readouterr().out
    out = data.parent / "out"
    endings = ("dlabel.nii.gz", "dlabel.json", "report.json", "measures.tsv")
    expected = {f"{n.removesuffix('.nii.gz')}_label-discs_{e}" for n in GOOD for e in endings}
    own = {"dataset_description.json", "README.md", ".bidsignore"}
    assert set(contents(out, "logs", "deepspine.html", "deepspine")) == expected | TABLES | own
    assert len(list((out / "deepspine").glob("*/slice.png"))) == 3
    before = {path: path.stat().st_mtime_ns for path in (out / "logs").rglob("*.log")}
    assert len(before) == 3
    assert run(data, "participant", "--qc", "--resume") == 0
    assert "3 of 3 scans are done already" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_the_command_in_the_sidecar_makes_the_same_file(data):
    """`sct_deepspine_label`, run from the data set's folder, writes the same bytes."""
    assert run(data) == 0
    name = next(iter(GOOD)).removesuffix(".nii.gz")
    labels = data.parent / "out" / f"{name}_label-discs_dlabel.nii.gz"
    command = load(labels.with_name(labels.name.replace(".nii.gz", ".json")))["GeneratedBy"][0]["Command"]
    words = command.split()
    assert words[0] == "sct_deepspine_label"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    label = [sys.executable, "-m", "deepspine_sct.cli.label", *words[1:], "-v", "0"]
    subprocess.run(label, cwd=data, env=environment, check=True)
    assert (data / words[words.index("-o") + 1]).read_bytes() == labels.read_bytes()


def test_a_bad_scan_fails_alone_and_is_done_once_it_is_mended(data, capsys):
    """Exit status 1 and its reason; the next run does this scan only."""
    spoil(data)
    assert run(data) == 1
    streams = capsys.readouterr()
    assert f"failed: {BAD}: damaged or truncated gzip" in streams.err
    assert "1 of 4 scans failed" in streams.err.splitlines()[-1]
    assert "3 labelled" in streams.out
    shutil.copyfile(DATA_TEST / "t2_sim.nii.gz", data / BAD)
    assert run(data) == 0
    said = capsys.readouterr().out
    assert "3 of 4 scans are done already\nThis run: 1 labelled\n4 labelled, " in said
    assert (data.parent / "out" / "logs" / "summary.txt").read_text().startswith("4 labelled, ")


def test_force_does_all_again_and_gives_the_same_files(data, capsys):
    """Byte for byte, and with one worker as with two."""
    assert run(data) == 0
    before = contents(data.parent / "out", "logs", "deepspine.html")
    assert run(data, "participant", "--force", "--n-procs", "1") == 0
    assert "This run: 3 labelled" in capsys.readouterr().out
    assert contents(data.parent / "out", "logs", "deepspine.html") == before


def test_a_label_file_that_was_corrected_by_hand_stays_and_is_not_done_for_ever(data, capsys):
    """With --force the run says at its end that it stays, the table says of which scan, and the next does nothing."""
    assert run(data, "participant", "--suffix", "T1w") == 0
    (label,) = (data.parent / "out").rglob("*_dlabel.nii.gz")
    edited = edit_by_hand(label)
    assert run(data, "participant", "--suffix", "T1w", "--force") == 0
    assert "What was corrected by hand stays for 1 scan; " in capsys.readouterr().err
    assert f"{label.name} was made or corrected by hand" in (data.parent / "out" / "deepspine_images.tsv").read_text()
    assert run(data, "participant", "--suffix", "T1w") == 0
    assert "1 of 1 scan is done already" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in edited} == edited


def test_a_dry_run_says_what_is_to_do_and_does_nothing(data, capsys):
    """Not even the folder is made; and what is done is told from what is not."""
    assert run(data, "participant", "--dry-run") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "3 to do"
    assert not (data.parent / "out").exists()
    assert run(data, "participant", "--participant_label=2") == 0
    capsys.readouterr()
    assert run(data, "participant", "--dry-run") == 0
    assert capsys.readouterr().out.splitlines() == [
        *(f"to do: {name}" for name in list(GOOD)[:2]),
        "labelled before: sub-2/anat/sub-2_T1w.nii.gz",
        "2 to do, 1 labelled before",
    ]
    assert not (data.parent / "out" / "deepspine_images.tsv").exists()  # of the whole data set only
    assert batch.main([str(data), str(data), "participant", "--dry-run"]) == 1  # as without it
    assert "is the data set itself" in capsys.readouterr().err


@pytest.mark.parametrize("option", [("--dry-run",), ("--participant-label", "2"), ("--session_label", "a")])
def test_what_chooses_scans_to_label_is_a_wrong_usage_of_the_level_group(data, capsys, option):
    """It has no plan to show, and its page is that of all: exit status 2, and nothing is written over."""
    assert run(data) == 0
    before = contents(data.parent / "out")
    with pytest.raises(SystemExit) as caught:
        run(data, "group", *option)
    assert caught.value.code == 2
    assert f"{option[0].replace('_', '-')}: belongs to the level participant" in capsys.readouterr().err
    assert contents(data.parent / "out") == before


def entries_on_page(out: Path) -> dict[str, dict]:
    """Read what the page shows of each scan."""
    text = (out / "deepspine.html").read_text(encoding="utf-8")
    block = text.partition('<script id="data" type="application/json">')[2].partition("</script>")[0]
    return {Path(scan["image"]).name: scan for scan in json.loads(block)["scans"]}


def test_the_page_holds_every_scan(data, capsys):
    """Labelled ones with picture and discs, the failed one first, and the level group writes the same page again."""
    spoil(data)
    assert run(data, "participant", "--qc") == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("out/deepspine.html")
    out = data.parent / "out"
    shown = entries_on_page(out)
    assert set(shown) == {Path(name).name for name in [*GOOD, BAD]}
    assert next(iter(shown)) == Path(BAD).name
    assert "damaged or truncated gzip" in shown[Path(BAD).name]["reason"]
    for name in GOOD:
        scan = shown[Path(name).name]
        assert scan["outcome"] == "labelled" and len(scan["discs"]) > 3
        assert (out / "deepspine" / scan["key"] / scan["pictures"]["slice"]["file"]).exists()
    assert run(data, "group") == 0
    assert entries_on_page(out) == shown


def test_scans_of_other_contrasts_stay_on_the_page_and_in_the_tables(data, capsys):
    """Whatever suffix the last run asked for, at either level, they cover all that has a record."""
    (data / "sub-2" / "anat" / "sub-2_STIR.nii.gz").symlink_to(DATA_TEST / "t2_sim.nii.gz")
    out = data.parent / "out"
    assert run(data, "participant", "--suffix", "STIR") == 0
    assert set(entries_on_page(out)) == {"sub-2_STIR.nii.gz"}
    assert run(data, "participant", "--contrast", "t1") == 0
    assert "This run: 1 labelled\n2 labelled, " in capsys.readouterr().out
    assert run(data, "group", "--contrast", "t1") == 0
    assert set(entries_on_page(out)) == {"sub-2_STIR.nii.gz", "sub-2_T1w.nii.gz"}
    lines = (out / "deepspine_images.tsv").read_text().splitlines()[1:]
    assert [line.split("\t")[2:4] for line in lines] == [
        ["sub-2/anat/sub-2_STIR.nii.gz", "labelled"],
        ["sub-2/anat/sub-2_T1w.nii.gz", "labelled"],
    ]


def test_scans_without_levels_of_their_cord_are_counted(data, capsys):
    """At the end of the run that was given a folder of segmentations, which has none of them."""
    (data.parent / "cords").mkdir()
    assert run(data, "participant", "--derivatives-seg", str(data.parent / "cords")) == 0
    assert "No levels of the cord for 3 scans; deepspine_images.tsv says why" in capsys.readouterr().err
    assert run(data, "participant", "--force") == 0
    assert "No levels" not in capsys.readouterr().err


def test_participants_that_are_given_twice_are_a_usage_error(data, capsys):
    """In either spelling: the run would be on the second participant alone."""
    with pytest.raises(SystemExit) as ending:
        run(data, "participant", "--participant-label", "1", "--participant_label=2")
    assert ending.value.code == 2
    assert "--participant_label: is given twice; give it once, with all of its values" in capsys.readouterr().err


def write_cord(data: Path) -> Path:
    """Segment the cord of the second participant, as a straight tube; return the folder of segmentations."""
    name = "sub-2/anat/sub-2_T1w"
    scan = nib.load(data / f"{name}.nii.gz")
    cord = np.zeros(scan.shape, np.uint8)
    axis = next(n for n, code in enumerate(nib.aff2axcodes(scan.affine)) if code in "SI")
    middle = [slice(n // 2 - 3, n // 2 + 3) for n in scan.shape]
    middle[axis] = slice(None)
    cord[tuple(middle)] = 1
    path = data.parent / "cords" / f"{name}_seg.nii.gz"
    path.parent.mkdir(parents=True)
    nib.save(nib.Nifti1Image(cord, scan.affine), path)
    return data.parent / "cords"


def test_levels_of_the_cord_stay_while_they_are_true_and_are_not_removed_without_a_word(data, capsys):
    """A later run without segmentations has nothing to do; one that labels the scans again says what it removes."""
    cords = write_cord(data)
    out = data.parent / "out"
    assert run(data, "participant", "--derivatives-seg", str(cords)) == 0
    (levels,) = out.rglob("*_label-vertebrae_dseg.nii.gz")
    sources = load(levels.with_name(levels.name.replace(".nii.gz", ".json")))["Sources"]
    (uri,) = [uri for uri in sources if uri.endswith("sub-2/anat/sub-2_T1w_seg.nii.gz")]
    link = load(out / "dataset_description.json")["DatasetLinks"][uri.split(":")[1]]
    assert link == cords.as_uri()
    assert run(data) == 0 and levels.exists()
    streams = capsys.readouterr()
    assert "3 of 3 scans are done already" in streams.out and "were removed" not in streams.err
    assert run(data, "participant", "--force") == 0 and not levels.exists()
    said = [line for line in capsys.readouterr().err.splitlines() if "levels of the cord" in line]
    assert len(said) == 1 and "were removed for 1 scan without any in" in said[0] and levels.name in said[0]
    assert run(data, "participant", "--force") == 0
    assert "levels of the cord" not in capsys.readouterr().err


def test_results_of_a_scan_that_has_gone_stay_and_are_named(data, capsys):
    """In the summary of both levels; a run on a part of the data set knows nothing of the others."""
    assert run(data) == 0
    shutil.rmtree(data / "sub-2")
    before = contents(data.parent / "out" / "sub-2")
    for level in ("participant", "group"):
        capsys.readouterr()
        assert run(data, level) == 0
        line = "\n1 labelled before, but not in the data set any more: sub-2/anat/sub-2_T1w; "
        assert line in capsys.readouterr().out
        assert line in (data.parent / "out" / "logs" / "summary.txt").read_text()
    assert run(data, "participant", "--participant-label", "1") == 0
    assert "not in the data set" not in capsys.readouterr().out
    assert contents(data.parent / "out" / "sub-2") == before


def test_a_label_file_that_was_cut_is_made_again(data, capsys):
    """It is not empty, so only its end tells; the other scans are left as they are."""
    assert run(data) == 0
    label = next((data.parent / "out").rglob("*_dlabel.nii.gz"))
    whole = label.read_bytes()
    label.write_bytes(whole[: len(whole) // 2])
    assert run(data) == 0
    assert "This run: 1 labelled" in capsys.readouterr().out and label.read_bytes() == whole


def test_a_part_of_the_data_set_points_to_the_reports_as_it_writes_no_table(data, capsys):
    """Which then say why a scan has no levels of its cord."""
    (data.parent / "cords").mkdir()
    arguments = ("--participant-label", "2", "--derivatives-seg", str(data.parent / "cords"))
    assert run(data, "participant", *arguments) == 0
    errors = capsys.readouterr().err
    assert "No levels of the cord for 1 scan; *_label-discs_report.json of each says why" in errors
    (report,) = (data.parent / "out").rglob("*_label-discs_report.json")
    assert "there is no folder" in report.read_text()


def test_a_data_set_has_the_name_of_its_folder_however_it_is_reached(data, monkeypatch):
    """By "..", as from a folder in it, and by a link, whose name it keeps."""
    (data / "code").mkdir()
    monkeypatch.chdir(data / "code")
    (data.parent / "linked").symlink_to(data)
    for n, (typed, name) in enumerate({"..": "data", "../../linked": "linked"}.items()):
        target = data.parent / f"out{n}"
        arguments = [typed, str(target), "participant", "--participant-label", "2", "--n-procs", "1"]
        assert batch.main(arguments) == 0
        assert batch.main([typed, str(target), "group"]) == 0
        assert {scan["dataset"] for scan in entries_on_page(target).values()} == {name}


def test_without_pictures_every_scan_is_on_the_page_all_the_same(data):
    """And a part of the data set writes no page, which would hold that part alone."""
    assert run(data, "participant", "--participant-label", "2") == 0
    assert not (data.parent / "out" / "deepspine.html").exists()
    assert run(data) == 0
    shown = entries_on_page(data.parent / "out")
    assert len(shown) == 3 and all(scan["discs"] and not scan["pictures"] for scan in shown.values())


def test_a_log_holds_no_progress_bar(data):
    """Where stderr is a file it has lines that say something, and no carriage return."""
    spoil(data)
    environment = {name: text for name, text in os.environ.items() if name != "SCT_PROGRESS_BAR"}
    command = [sys.executable, "-m", "deepspine_sct.cli.batch", str(data), str(data.parent / "out"), "participant"]
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    assert answer.returncode == 1
    assert b"\r" not in answer.stderr and b"it/s" not in answer.stderr and b"scan/s" not in answer.stderr
    assert b"failed: sub-3" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("participant", "--participant-label", "9"), "sub-9"),
        (("participant", "--contrast", "t1", "--session-label", "a"), "ses-a"),
        (("participant", "--model", "gone.onnx"), "gone.onnx"),
        (("participant", "--derivatives-seg", "gone"), "gone: no such folder"),
        (("participant", "--suffix", "bold"), "bold"),
        (("group",), "run the level participant first"),
        (("participant", "--scheduler", "tcp://127.0.0.1:9"), "no Dask scheduler answers"),
    ],
)
def test_requests_that_cannot_be_met_are_one_line(data, capsys, monkeypatch, arguments, words):
    """Exit status 1, and no folder is written unless the work could have begun."""
    if "--scheduler" in arguments:
        cluster = pytest.importorskip("deepspine_sct.cohort.cluster")
        monkeypatch.setattr(cluster, "CONNECT_S", 0.5)
    assert run(data, *arguments) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("Warning")]
    assert len(lines) == 1
    assert lines[0].startswith("sct_deepspine_batch: error: ")
    assert words in lines[0]


def test_a_scheduler_that_does_not_answer_costs_no_record(data, monkeypatch):
    """What is known of scans that are to be done again is dropped once the work can begin."""
    cluster = pytest.importorskip("deepspine_sct.cohort.cluster")
    monkeypatch.setattr(cluster, "CONNECT_S", 0.5)
    assert run(data) == 0
    before = {path: path.read_bytes() for path in (data.parent / "out" / "logs").rglob("sub-*.json")}
    assert before and run(data, "participant", "--force", "--scheduler", "tcp://127.0.0.1:9") == 1
    assert {path: path.read_bytes() for path in (data.parent / "out" / "logs").rglob("sub-*.json")} == before


def test_the_level_group_writes_into_none_but_its_own_folders(data, capsys):
    """The data set itself and the derivative of another program are refused, and stay as they are."""
    other = data.parent / "other"
    other.mkdir()
    (other / "dataset_description.json").write_text('{"GeneratedBy": [{"Name": "another program"}]}')
    for target, words in (("data", "is the data set itself"), ("other", "holds another data set")):
        before = contents(data.parent / target)
        assert run(data, "group", target=target) == 1
        assert words in capsys.readouterr().err
        assert contents(data.parent / target) == before


def whole(path: Path) -> bool:
    """Tell whether a file is complete, by its own kind's measure."""
    if path.name.endswith(".nii.gz"):
        return np.asarray(nib.load(path).dataobj).any()
    if path.suffix == ".json":
        return bool(load(path))
    return path.suffix != ".png" or path.read_bytes().endswith(b"IEND\xaeB`\x82")


def test_killed_at_any_moment_a_run_loses_nothing(data):
    """kill -9 of the whole run again and again: no file is ever torn, and in the end all are the same."""
    assert run(data, "participant", "--qc", target="undisturbed") == 0
    out = data.parent / "out"
    command = [
        sys.executable, "-m", "deepspine_sct.cli.batch", str(data), str(out),
        "participant", "--qc", "--n-procs", "2", "-v", "0",
    ]  # fmt: skip
    n_done = []
    for delay_s in (1.0, 2.0, 2.5, 3.0):
        process = subprocess.Popen(command, cwd=ROOT)
        time.sleep(delay_s)
        kill_tree(process.pid)
        process.wait()
        files = [path for path in out.rglob("*") if path.is_file() and not path.name.startswith(".")]
        assert all(whole(path) for path in files)
        n_done.append(sum(path.name.endswith("dlabel.nii.gz") for path in files))
    assert n_done == sorted(n_done)
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    assert contents(out, "logs", "deepspine.html") == contents(data.parent / "undisturbed", "logs", "deepspine.html")
