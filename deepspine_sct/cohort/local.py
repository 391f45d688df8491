"""Many scans on one machine: one supervisor a worker, each in a thread of its own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import chain, groupby
from queue import SimpleQueue
from threading import Lock, Thread

from deepspine_sct.cohort.job import Job, Outcome
from deepspine_sct.cohort.state import inputs_of, settled, write_record
from deepspine_sct.cohort.supervisor import Supervisor
from deepspine_sct.data.bids import Scan


def usable_cores() -> int:
    """Count the cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def label_recorded(supervisor: Supervisor, scans: Iterable[Scan]) -> Iterator[Outcome]:
    """Label scans and record what became of each; one that is settled meanwhile is left as it is."""
    job = supervisor.job
    known = []
    inputs = {}

    def unsettled() -> Iterator[Scan]:
        for scan in scans:
            outcome = settled(job, scan)
            if outcome:
                known.append(outcome)
            else:
                inputs[scan] = inputs_of(job, scan)
                yield scan

    for scan, outcome in supervisor.label_all(unsettled()):
        write_record(job, scan, outcome, inputs.pop(scan))
        yield outcome
    yield from known


def label_locally(job: Job, scans: Iterable[Scan], n_workers: int) -> Iterator[Outcome]:
    """Label scans on this machine, each worker with one core.

    Parameters
    ----------
    job : Job
        What is done to every scan.
    scans : iterable of Scan
        In the order in which they are begun.
    n_workers : int
        Processes at work.

    Yields
    ------
    Outcome
        As they come. When the caller stops listening, the workers are killed.

    Raises
    ------
    DeepspineError
        When no worker can be started, or the record of a scan cannot be written.
    """
    shared = _Shared(_sessions(job, scans))
    answers: SimpleQueue = SimpleQueue()
    supervisors = [Supervisor(job) for _ in range(n_workers)]
    threads = [Thread(target=_keep_busy, args=(s, shared, answers), daemon=True) for s in supervisors]
    try:
        for thread in threads:
            thread.start()
        n_busy = n_workers
        while n_busy:
            answer = answers.get()
            if isinstance(answer, Exception):
                raise answer
            if answer is None:
                n_busy -= 1
            else:
                yield answer
    finally:
        for supervisor in supervisors:
            supervisor.stop()
        for thread in threads:
            thread.join()


def _keep_busy(supervisor: Supervisor, sessions: Iterable[list[Scan]], answers: SimpleQueue) -> None:
    """Feed one worker until the scans are used up; what goes wrong is for the main thread."""
    try:
        with supervisor:
            for outcome in label_recorded(supervisor, chain.from_iterable(sessions)):
                answers.put(outcome)
        answers.put(None)
    except Exception as error:
        answers.put(error)


def _sessions(job: Job, scans: Iterable[Scan]) -> Iterator[list[Scan]]:
    """Keep the scans that name each other in one worker's hands, which then looks at each of them once."""
    for _, session in groupby(scans, key=lambda scan: scan.folder if job.together else scan.image):
        yield list(session)


class _Shared:
    """An iterator that several threads may draw from."""

    def __init__(self, items: Iterable[list[Scan]]) -> None:
        self._items = iter(items)
        self._lock = Lock()

    def __iter__(self) -> Iterator[list[Scan]]:
        return self

    def __next__(self) -> list[Scan]:
        with self._lock:
            return next(self._items)
