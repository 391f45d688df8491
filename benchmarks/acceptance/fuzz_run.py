"""One case of `make fuzz`: run the command on it in this process, and judge what came of it."""

import contextlib
import io
import json
import os
import resource
import subprocess
import sys
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import nibabel as nib
import numpy as np
import SimpleITK as sitk

from benchmarks.acceptance.fuzz_base import Base, load_base
from benchmarks.acceptance.fuzz_cases import Case, make_case
from benchmarks.sources import ROOT
from deepspine_sct.cli import label

sitk.ProcessObject.SetGlobalWarningDisplay(False)  # ITK's own words on damaged headers
LATE = "is written and good, but this is missing"

FAR_MM = 5.0
"""A disc of a good variant farther than this from its true place is wrong."""

OUTCOMES = ("answered", "no disc", "refused", "crashed", "hung", "partial", "wrong", "untidy")
"""What can come of a case. The last five are faults: a traceback or a dead process, no end, a file
that should not be there or is not whole, a wrong disc, more or less than one line of error."""


@dataclass(frozen=True)
class Verdict:
    """What came of a case, with the memory and the time that it took."""

    number: int
    kind: str
    outcome: str
    note: str
    grown_mb: float = 0.0
    seconds: float = 0.0


def serve(connection: Connection, seed: int, memory_mb: int) -> None:
    """Run the cases whose numbers arrive, until None does; a worker process starts here."""
    base, load = load_base(), label.load_predictor
    installed = load(label.get_parser().parse_args(["-i", "x.nii", "-c", "t2"]))
    label.load_predictor = lambda args: load(args) if args.model else installed
    _limit_memory(memory_mb)
    while (number := connection.recv()) is not None:
        connection.send(run_case(seed, number, base))


def run_case(seed: int, number: int, base: Base, show: bool = False) -> Verdict:
    """Make a case in a folder of its own, run the command there and judge the result."""
    with TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name)
        kind, case = make_case(seed, number, base, folder)
        before = _listing(folder)
        _forget_peak()
        resident_mb, started_s = _memory_mb("VmRSS"), perf_counter()
        status, out, err, crash = _run(case.arguments, folder) if case.redirection is None else _run_apart(case, folder)
        seconds = perf_counter() - started_s
        grown_mb = _memory_mb("VmHWM") - resident_mb
        added = sorted(_listing(folder) - before)
        if show:
            print(f"{kind}: {case.arguments}\nexit status {status}\n{out}{err}{crash}added: {added}")
        nib.imageglobals.logger.disabled = True  # that is the judge's reading, not the command's
        outcome, note = ("crashed", crash) if crash else judge(case, base, folder, status, err, added)
        nib.imageglobals.logger.disabled = False
    return Verdict(number, kind, outcome, note, grown_mb, seconds)


def _run(arguments: list[str], folder: Path) -> tuple[int, str, str, str]:
    """Exit status, stdout, stderr and traceback of the command."""
    out, err, here = io.StringIO(), io.StringIO(), os.getcwd()
    os.chdir(folder)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status, crash = label.main(arguments), ""
        except SystemExit as ending:
            status, crash = int(ending.code), ""
        except Exception:  # noqa: BLE001 - whatever gets here is what this benchmark looks for
            status, crash = -1, traceback.format_exc()
        finally:
            os.chdir(here)
    return status, out.getvalue(), err.getvalue(), crash


def _run_apart(case: Case, folder: Path) -> tuple[int, str, str, str]:
    """Run the command in a process of its own, in the environment and with the streams of the case."""
    command = [sys.executable, "-m", "deepspine_sct.cli.label", *case.arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **case.variables}
    script = f'"$@" {case.redirection}'
    done = subprocess.run(["sh", "-c", script, "sh", *command], cwd=folder, env=environment, capture_output=True)
    out, err = (stream.decode(errors="replace") for stream in (done.stdout, done.stderr))
    return done.returncode, out, err, err if "Traceback" in err or done.returncode < 0 else ""


def judge(case: Case, base: Base, folder: Path, status: int, err: str, added: list[str]) -> tuple[str, str]:
    """Tell a right answer or a clean refusal from the faults."""
    lines = err.splitlines()
    if status == 0:
        untidy = [line for line in lines if not line.startswith("Warning: ")]
    else:
        lines = lines[-1:] if status == 2 else lines  # after the help of a usage error
        clean = len(lines) == 1 and lines[0].startswith("sct_deepspine_label: error: ")
        untidy = [] if clean else lines or ["nothing on stderr"]
    if case.redirection is not None and not case.redirection.startswith("<"):
        untidy = []  # nobody listens
    if untidy:
        return "untidy", " | ".join(untidy)
    if status == 0 and case.must_refuse:
        return "wrong", f"took {case.must_refuse} for a label file"
    if status == 0 or LATE in err:  # a good label file beside something that could not be written
        return _judge_answer(case, base, folder, added, complete=status == 0)
    if added:
        return "partial", f"exit status {status}, but left {added}"
    if case.same_discs:
        return "wrong", f"a good scan was not labelled: {err}"
    return {3: "no disc"}.get(status, "refused"), err


def _judge_answer(case: Case, base: Base, folder: Path, added: list[str], complete: bool) -> tuple[str, str]:
    """Read everything that was written with other programs than ours."""
    files = {name for name in added if (folder / name).is_file()}
    stray = [name for name in files if Path(name).name.startswith(".deepspine-")]
    named = case.arguments[case.arguments.index("-o") + 1] if "-o" in case.arguments else ""
    written = [name for name in files if name.endswith("_labeled_discs.nii.gz") or name == named]
    if stray or len(written) != 1:
        return "partial", f"files: {sorted(files)}"
    try:
        image = nib.load(folder / written[0])
        data = np.asarray(image.dataobj)
        if "report.json" in files:
            report = json.loads((folder / "report.json").read_text())
            assert len(report["discs"]) == np.count_nonzero(data), "report and image disagree"
        if "picture.png" in files:
            assert (folder / "picture.png").read_bytes().endswith(b"IEND\xaeB`\x82"), "cut picture"
    except Exception as error:  # noqa: BLE001 - any reader's complaint is a broken file
        return "partial", f"{written[0]}: {error!r}"
    if case.report and complete and not _shown(case.report):
        return "partial", "the report folder does not show the scan"
    voxels = np.argwhere(data)
    values = data[tuple(voxels.T)].tolist()
    if data.dtype != np.uint8 or len(set(values)) != len(values) or not 1 <= min(values) <= max(values) <= 25:
        return "wrong", f"{data.dtype} values {values}"
    places_mm = nib.affines.apply_affine(image.affine, voxels)
    if case.image is not None:
        theirs = nib.load(case.image)
        corners = np.array([np.zeros(3), np.array(data.shape) - 1])
        shift_mm = nib.affines.apply_affine(image.affine, corners) - nib.affines.apply_affine(theirs.affine, corners)
        if data.shape != theirs.shape[:3] or np.abs(shift_mm).max() > 0.1:
            return "wrong", f"grid differs from the image's by {np.abs(shift_mm).max():.3g} mm"
        if apart := _apart_for_itk(case.image, folder / written[0]):
            return "wrong", apart
    if case.same_discs:
        known = [value in base.points for value in values]
        far_mm = [np.linalg.norm(xyz - base.points[v]) for v, xyz, k in zip(values, places_mm, known, strict=True) if k]
        if len(far_mm) < 3 or max(far_mm) > FAR_MM:
            return "wrong", f"discs {values} are {np.round(far_mm, 1)} mm off"
    return "answered", ""


def _shown(report: Path) -> bool:
    """Tell whether both pages of a report folder list the scan, and whether SCT's can be read."""
    _, _, entries = (report / "js" / "datasets.js").read_text().partition("window.SCT_QC_DATASETS = ")
    shown = json.loads(entries.strip().removesuffix(";"))
    whole = all(entry["backgroundImage"] and entry["overlayImage"] for entry in shown)
    ours = [entry for entry in shown if entry["command"] == "sct_deepspine_label"]
    return whole and len(ours) == 1 and b"scan.nii" in (report / "deepspine.html").read_bytes()


def _apart_for_itk(image: Path, labels: Path) -> str:
    """Say how far image and labels lie apart for ITK, which looks at other fields of a header; "" where they do not."""
    if not str(image).isprintable():  # ITK itself crashes on a name that is no text
        return ""
    corners = []
    for path in (image, labels):
        try:
            seen = sitk.ReadImage(str(path))
        except (RuntimeError, UnicodeError):
            if path == image:  # what ITK does not read it cannot compare
                return ""
            return "ITK reads the image and not the labels"
        last = np.array(seen.GetSize())[:3] - 1
        ends = np.indices((2,) * 3).reshape(3, -1).T * last
        corners.append([seen.TransformIndexToPhysicalPoint(ijk.tolist()) for ijk in ends])
    apart_mm = np.abs(np.subtract(*corners))
    within = 0.01 + 1e-5 * np.abs(corners[0]).max()
    return "" if not (apart_mm > within).any() else f"ITK sees the labels {apart_mm.max():.3g} mm from the image"


def _listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def _limit_memory(memory_mb: int) -> None:
    """Let the process grow by this much and no more."""
    limit = int((_memory_mb("VmSize") + memory_mb) * 2**20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _memory_mb(key: str) -> float:
    """One line of the kernel's account of this process (Linux)."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(f"{key}:"))


def _forget_peak() -> None:
    """Start the kernel's peak of resident memory anew."""
    with open(f"/proc/{os.getpid()}/clear_refs", "w") as control:
        control.write("5")
