"""`make kill`: the command is killed with SIGKILL at random moments; what does it leave behind?

A third of the kills falls anywhere in the run, a third anywhere between the first temporary file and
the end, and a third within 2 ms of the appearance of one of the temporary files, which live for a few
milliseconds each. All kills hit one and the same output folder. Every file in it must be whole after
each of them, and after the next complete run no temporary file may be left.
"""

import argparse
import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.sources import DATA_TEST, ROOT
from deepspine_sct.files.atomic import PREFIX

SCAN = DATA_TEST / "t2_sim.nii.gz"
EVERY = 20
"""Kills between two complete runs."""


class Command:
    """The command with all of its outputs, on one scan, into one folder."""

    def __init__(self, folder: Path) -> None:
        self.out = folder / "out"
        scan = shutil.copy(SCAN, folder / "t2.nii.gz")
        self.arguments = [
            sys.executable, "-m", "deepspine_sct.cli.label", "-i", str(scan), "-c", "t2", "-v", "0",
            "-ofolder", str(self.out), "-json", str(self.out / "report.json"),
            "-overlay", str(self.out / "picture.png"), "-qc", str(self.out / "qc"),
        ]  # fmt: skip
        self.out.mkdir()

    def start(self) -> subprocess.Popen:
        """Start a run."""
        return subprocess.Popen(self.arguments, cwd=ROOT, stderr=subprocess.PIPE)

    def complete(self) -> None:
        """Let a run come to its end; what it says of the scan does not matter here."""
        process = self.start()
        _, err = process.communicate()
        if process.returncode:
            raise SystemExit(f"the command failed: {err.decode()}")

    def temporaries(self) -> list[Path]:
        """List the temporary files below the output folder."""
        return [path for path in self._files() if path.name.startswith(PREFIX)]

    def broken(self, discs: bytes) -> list[str]:
        """List the files that are not whole; the label file must be one and the same always."""
        files = [path for path in self._files() if not path.name.startswith(".")]
        return [str(path) for path in files if not _is_whole(path, discs)]

    def _files(self) -> Iterator[Path]:
        # Unlike Path.rglob, os.walk bears folders that the run removes meanwhile.
        return (Path(folder, name) for folder, _, names in os.walk(self.out) for name in names)


def _is_whole(path: Path, discs: bytes) -> bool:
    content = path.read_bytes()
    if path.name.endswith(".nii.gz"):
        return gzip.decompress(content) == discs
    if path.suffix == ".png":
        return content.startswith(b"\x89PNG") and content.endswith(b"IEND\xaeB`\x82")
    if path.suffix == ".json":
        return bool(json.loads(content or b"null"))
    if path.suffix == ".html":
        return content.rstrip().endswith(b"</html>")
    return len(content) > 0


def wait_for_writing(command: Command, process: subprocess.Popen, nth: int = 1) -> bool:
    """Wait until the run opens its n-th temporary file; False when it ended before."""
    known = set(command.temporaries())
    while process.poll() is None:
        fresh = set(command.temporaries()) - known
        known |= fresh
        nth -= len(fresh)
        if nth <= 0:
            return True
        time.sleep(0.0002)
    return False


def wait_for_the_moment(
    command: Command, process: subprocess.Popen, kind: int, times: tuple[float, float], rng: random.Random
) -> None:
    """Wait for a random moment of one of the three kinds."""
    run_s, write_s = times
    if kind == 0:
        time.sleep(rng.uniform(0, run_s))
    elif kind == 1 and wait_for_writing(command, process):
        time.sleep(rng.uniform(0, write_s))
    elif kind == 2 and wait_for_writing(command, process, rng.randint(1, 12)):
        time.sleep(rng.uniform(0, 0.002))


def main() -> int:
    """Kill, look, and print what was seen; exit status 1 where anything was left."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-n", type=int, default=200, help="kills (default: 200)")
    parser.add_argument("-seed", type=int, default=0)
    args = parser.parse_args()
    rng = random.Random(args.seed)
    with TemporaryDirectory() as name:
        command = Command(Path(name))
        times = measure(command)
        print("a run takes {:.2f} s, the last {:.2f} s of it from the first temporary file on".format(*times))
        discs = gzip.decompress(next(command.out.glob("*_labeled_discs.nii.gz")).read_bytes())
        kills = broken = left_after_kill = left_after_run = 0
        while kills < args.n:
            process = command.start()
            wait_for_the_moment(command, process, kills % 3, times, rng)
            if process.poll() is not None:
                process.communicate()
                continue  # it was faster
            process.kill()
            process.communicate()
            kills += 1
            left_after_kill += bool(command.temporaries())
            broken += len(faults := command.broken(discs))
            for fault in faults:
                print(f"kill {kills}: {fault} is not whole")
            if kills % EVERY == 0 or kills == args.n:
                command.complete()
                left_after_run += len(command.temporaries())
                broken += len(command.broken(discs))
        print(f"{kills} kills, {kills - kills // 3} of them aimed at the writing")
        print(f"files that were not whole: {broken}")
        print(f"kills after which a temporary file was there: {left_after_kill}")
        print(f"temporary files after the next complete run: {left_after_run}")
    return int(bool(broken or left_after_run))


def measure(command: Command) -> tuple[float, float]:
    """Time [s] of a run, and of its part from the first temporary file on."""
    command.complete()  # fills the caches
    started_s = time.perf_counter()
    process = command.start()
    wait_for_writing(command, process)
    writing_s = time.perf_counter()
    process.communicate()
    return time.perf_counter() - started_s, time.perf_counter() - writing_s


if __name__ == "__main__":
    sys.exit(main())
