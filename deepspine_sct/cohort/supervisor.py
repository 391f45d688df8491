"""The keeper of one worker process: it feeds it, stops it when it hangs, and replaces it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from deepspine_sct import __version__
from deepspine_sct.cohort.job import Job, Outcome
from deepspine_sct.cohort.worker import Broken, Ready
from deepspine_sct.data.bids import Scan
from deepspine_sct.errors import DeepspineError
from deepspine_sct.quality_control.outcomes import FAILED

AHEAD = 2
"""Scans in a worker's hands: the one that it labels and the one that it reads."""

GRACE_S = 3.0
"""A worker is killed this much after a scan's time is over: it says first where it hangs, also on a busy machine. As
much time has one that closed its pipe, to end."""

START_S = 300.0
"""Time for a worker to load the network, from the slowest of disks."""

_PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])

# As in the launchers: the folder of the package takes the place of the current one on the path.
_START = """\
import sys
sys.path[0] = sys.argv[1]
from deepspine_sct.cohort.worker import main
main(int(sys.argv[2]))"""

# Every worker has one core: as many workers as cores keep all of them busy, and none waits.
_ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}


class WorkerLost(Exception):  # noqa: N818 - what happened, not always an error of ours
    """A worker ended, or had to be killed, before it gave its answer."""


class Supervisor:
    """Has scans labelled by a worker process that may die of any of them.

    Parameters
    ----------
    job : Job
        What is done to every scan.
    program : sequence of str, optional
        Python arguments of the worker; the folder of the package and the number of the pipe's
        file descriptor are added to them.
    """

    def __init__(self, job: Job, program: Sequence[str] = ("-c", _START)) -> None:
        self.job = job
        self.program = program
        self._process: subprocess.Popen | None = None
        self._pipe: Connection | None = None
        self._stopped = False

    def __enter__(self) -> Supervisor:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill the worker."""
        if self._process:
            self._pipe.close()
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Have `label_all` end at once, from another thread."""
        self._stopped = True
        if process := self._process:
            process.kill()

    def label_all(self, scans: Iterator[Scan]) -> Iterator[tuple[Scan, Outcome]]:
        """Label scans, each to its end, whatever happens to the worker.

        When a worker is lost it is not clear which of the scans in its hands did it, if any: they
        are done again, one at a time. Only a scan that then loses a worker of its own has failed.

        Parameters
        ----------
        scans : iterator of Scan
            Taken from as the work goes on, so several supervisors may share one.

        Yields
        ------
        Scan, Outcome

        Raises
        ------
        DeepspineError
            When no worker can be started, which is no scan's fault.
        """
        given: deque[Scan] = deque()
        suspects: deque[Scan] = deque()
        alone = False  # whether a suspect is in the worker's hands
        while not self._stopped:
            try:
                while len(given) < (1 if alone or suspects else AHEAD):
                    if alone := bool(suspects):
                        self.close()  # the next one is its own
                    scan = suspects.popleft() if alone else next(scans, None)
                    if scan is None:
                        break
                    given.append(scan)
                    self._send(scan)
                if not given:
                    return
                outcome = self._receive(self.job.timeout_s)
            except WorkerLost as lost:
                self.close()
                if self._stopped:
                    return
                if not alone:
                    suspects.extend(given)
                    given.clear()
                    continue
                outcome = Outcome(given[0].path, FAILED, str(lost))
            alone = False
            yield given.popleft(), outcome

    def _send(self, scan: Scan) -> None:
        if not self._process:
            self._start()
        with suppress(OSError):  # it is dead, which the next attempt to receive will explain
            self._pipe.send(scan)

    def _start(self) -> None:
        """Start a worker and make sure that it has the network that the run wants."""
        self._pipe, end = Pipe()
        arguments = [sys.executable, *self.program, _PACKAGE_ROOT, str(end.fileno())]
        with end:
            self._process = subprocess.Popen(
                arguments,
                pass_fds=[end.fileno()],
                stdin=subprocess.DEVNULL,
                env=os.environ | _ONE_THREAD,
                start_new_session=True,  # an interruption from the keyboard is for us to handle
            )
        if self._stopped:  # while there was no process yet that `stop` could kill
            raise WorkerLost("was stopped")
        with suppress(OSError):  # as in `_send`
            self._pipe.send(self.job)
        try:
            ready = self._receive(START_S)
        except WorkerLost as lost:
            if self._stopped:
                raise
            self.close()
            raise DeepspineError(f"a worker could not start: {lost}") from lost
        if ready != Ready(__version__, self.job.checksum):
            self.close()
            raise DeepspineError(
                f"a worker has version {ready.version} and network {ready.checksum[:8]}, but the run needs "
                f"{__version__} and {self.job.checksum[:8]}; install the same everywhere"
            )

    def _receive(self, timeout_s: float):
        """Wait for an answer; raise WorkerLost, saying why, where none can come any more."""
        try:
            if not self._pipe.poll(timeout_s + GRACE_S):
                raise WorkerLost(f"took longer than {timeout_s:g} s")
            answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise WorkerLost(self._end()) from error
        if isinstance(answer, Broken):
            raise WorkerLost(answer.reason)
        return answer

    def _end(self) -> str:
        """Say how the worker ended; one that only closed its pipe is killed."""
        try:
            status = self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return "the worker closed its pipe and went on"
        if status >= 0:
            return f"the worker ended with exit status {status}"
        name = signal.Signals(-status).name
        if -status == signal.SIGKILL:
            return f"the worker was killed ({name}), as the system does when memory runs out"
        return f"the worker crashed ({name})"
