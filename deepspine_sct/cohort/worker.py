"""The process that labels scans: it loads the network once, and is killed when a scan goes wrong.

It talks to its `Supervisor` through a pipe: scans come in, outcomes go out. The next scan is read
while the network looks at the present one. It ends when the supervisor is gone, at the latest after
the time that one scan may take.
"""

from __future__ import annotations

import faulthandler
import io
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from math import ceil
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from time import perf_counter, strftime

from deepspine_sct import __version__
from deepspine_sct.cohort.bids_derivative import files_of
from deepspine_sct.cohort.job import Job, Outcome
from deepspine_sct.cohort.label_one import label_one
from deepspine_sct.data.bids import Scan
from deepspine_sct.errors import DeepspineError
from deepspine_sct.image.nifti import read_volume
from deepspine_sct.image.volume import Volume
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.quality_control.outcomes import FAILED
from deepspine_sct.scan.looks import Looks

ORPHAN_S = 10
"""A worker without a supervisor ends itself this much after a scan's time is over."""

Label = Callable[[Job, Scan, Volume, Looks], Outcome]


@dataclass(frozen=True)
class Ready:
    """A worker's first message: what it will work with."""

    version: str
    checksum: str


@dataclass(frozen=True)
class Broken:
    """A worker's last message: why it cannot go on."""

    reason: str


def main(descriptor: int, label: Label = label_one) -> None:
    """Work until the supervisor at the other end of a pipe is gone.

    Parameters
    ----------
    descriptor : int
        File descriptor of the pipe, whose first message is the job.
    label : callable
        What is done to a scan.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a log that cannot show a name is no reason to fail
    # A supervisor that is gone, as when the run was killed, is no news for the terminal.
    with Connection(descriptor) as supervisor, suppress(EOFError, BrokenPipeError, ConnectionResetError):
        job = supervisor.recv()
        try:
            _limit_memory(job)
            looks = Looks(Predictor.load(job.model, device="cpu"))
        except (DeepspineError, OSError, MemoryError, ModuleNotFoundError) as error:  # as in `cli.parser`
            supervisor.send(Broken(_reason(job, error)))
            return
        supervisor.send(Ready(__version__, looks.predictor.checksum))
        for scan, reading in _arriving(supervisor):
            answer = _attempt(job, scan, reading, looks, label)
            supervisor.send(answer)
            if isinstance(answer, Broken):
                return


def _limit_memory(job: Job) -> None:
    """Let what asks for more memory than the job allows fail, and leave no core files behind.

    RLIMIT_DATA counts memory that is really used; RLIMIT_AS would count what libraries reserve.
    """
    n_bytes = int(job.memory_gb * 2**30)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if most != resource.RLIM_INFINITY:
        n_bytes = min(n_bytes, most)
    resource.setrlimit(resource.RLIMIT_DATA, (n_bytes, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _arriving(supervisor: Connection) -> Iterator[tuple[Scan, Future]]:
    """Yield scans as they come, each with its volume to be; a thread reads one ahead."""
    queue: SimpleQueue = SimpleQueue()
    Thread(target=_read_ahead, args=(supervisor, queue), daemon=True).start()
    while (arrived := queue.get()) is not None:
        yield arrived


def _read_ahead(supervisor: Connection, queue: SimpleQueue) -> None:
    while True:
        try:
            scan = supervisor.recv()
        except (EOFError, OSError):
            queue.put(None)
            return
        reading: Future = Future()
        queue.put((scan, reading))  # before it is read: its clock runs as soon as its turn comes
        started_s = perf_counter()
        try:
            volume = read_volume(scan.image, lazy=True)
            reading.set_result((volume, perf_counter() - started_s))
        except Exception as error:  # raised again where the scan has its turn
            reading.set_exception(error)


def _attempt(job: Job, scan: Scan, reading: Future, looks: Looks, label: Label) -> Outcome | Broken:
    """Label a scan; what is none of its own fault, as far as one can tell, breaks the worker."""
    try:
        with _on_record(job, scan):
            volume, read_s = reading.result()
            outcome = label(job, scan, volume, looks)
            seconds = {"read": read_s} | outcome.seconds
            outcome = replace(outcome, seconds={name: round(s, 3) for name, s in seconds.items()})
            print(f"{outcome.kind} {outcome.reason}\n{outcome.seconds}", *outcome.warnings, sep="\n")
    except DeepspineError as error:
        reason = _reason(job, error).removeprefix(f"{scan.image}: ").removeprefix(f"{scan.path}: ")
        outcome = Outcome(scan.path, FAILED, reason)
    except Exception as error:
        return Broken(_reason(job, error))
    return replace(outcome, peak_mb=round(_peak_mb()))


def _peak_mb() -> float:
    """Most memory that this process has used [MiB]."""
    with suppress(OSError, ValueError):  # Linux's ru_maxrss counts the process that this one was forked from
        _, _, high_water = Path("/proc/self/status").read_text().partition("VmHWM:")
        return int(high_water.partition("kB")[0]) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


@contextmanager
def _on_record(job: Job, scan: Scan) -> Iterator[None]:
    """Send what the process prints to the scan's log; end the process long after the time is over."""
    log = _open_log(files_of(job, scan).log)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    print(strftime("%Y-%m-%d %H:%M:%S"), socket.gethostname(), "process", os.getpid(), flush=True)
    faulthandler.enable()  # says where it crashes
    faulthandler.dump_traceback_later(job.timeout_s)  # and where it hangs
    # The supervisor kills what hangs. Without one the system does, whatever state Python is in.
    signal.alarm(ceil(job.timeout_s) + ORPHAN_S)
    try:
        yield
    except DeepspineError as error:
        print(error)
        raise
    except Exception:
        traceback.print_exc()
        raise
    finally:
        signal.alarm(0)
        faulthandler.cancel_dump_traceback_later()
        sys.stdout.flush()


def _open_log(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # a link that somebody put there must not be followed
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)


def _reason(job: Job, error: Exception) -> str:
    """Say in one line what went wrong."""
    if isinstance(error, MemoryError):
        return f"needs more memory than the {job.memory_gb:g} GB that a worker may use; raise --memory"
    text = " ".join(str(error).split())
    return text if isinstance(error, DeepspineError) else f"{type(error).__name__}: {text}"
