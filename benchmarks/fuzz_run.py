"""One case of `make fuzz`: run the command on it in this process, and judge what came of it."""

import contextlib
import io
import json
import os
import resource
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import nibabel as nib
import numpy as np
from fuzz_base import Base, load_base
from fuzz_cases import Case, make_case

from deepspine_sct.cli import label

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
        status, out, err, crash = _run(case.arguments, folder)
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


def judge(case: Case, base: Base, folder: Path, status: int, err: str, added: list[str]) -> tuple[str, str]:
    """Tell a right answer or a clean refusal from the faults."""
    lines = err.splitlines()
    if status == 0:
        untidy = [line for line in lines if not line.startswith("Warning: ")]
    else:
        lines = lines[-1:] if status == 2 else lines  # after the help of a usage error
        clean = len(lines) == 1 and lines[0].startswith("sct_deepspine_label: error: ")
        untidy = [] if clean else lines or ["nothing on stderr"]
    if untidy:
        return "untidy", " | ".join(untidy)
    if status == 0:
        return _judge_answer(case, base, folder, added)
    if added:
        return "partial", f"exit status {status}, but left {added}"
    if case.same_discs:
        return "wrong", f"a good scan was not labelled: {err}"
    return {3: "no disc"}.get(status, "refused"), err


def _judge_answer(case: Case, base: Base, folder: Path, added: list[str]) -> tuple[str, str]:
    """Read everything that was written with other programs than ours."""
    files = {name for name in added if (folder / name).is_file()}
    stray = [name for name in files if Path(name).name.startswith(".deepspine-")]
    written = [name for name in files if name.endswith("_labeled_discs.nii.gz")]
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
    if case.same_discs:
        known = [value in base.points for value in values]
        far_mm = [np.linalg.norm(xyz - base.points[v]) for v, xyz, k in zip(values, places_mm, known, strict=True) if k]
        if len(far_mm) < 3 or max(far_mm) > FAR_MM:
            return "wrong", f"discs {values} are {np.round(far_mm, 1)} mm off"
    return "answered", ""


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
