"""Many scans on many machines: Dask hands them out, every Dask worker keeps workers of ours.

Dask promises that a task is done at least once. That is enough: a scan that is done twice gives
the same files, and one that is settled is not done again. All machines see the data set and the
target folder under the same paths.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from itertools import islice

from distributed import Client, Future, WorkerPlugin, as_completed, get_worker

from deepspine_sct.cohort.job import Job, Outcome
from deepspine_sct.cohort.local import label_recorded
from deepspine_sct.cohort.state import write_record
from deepspine_sct.cohort.supervisor import Supervisor
from deepspine_sct.data.bids import Scan
from deepspine_sct.errors import DeepspineError
from deepspine_sct.quality_control.outcomes import FAILED

CONNECT_S = 30.0

MAX_CHUNK = 16
"""Scans that are handed out together: asking for each would cost a scheduler 1,000,000 tasks."""

CHUNKS_PER_THREAD = 4
"""Chunks that wait for a thread of the cluster: it never idles, and the scheduler holds few."""

_PLUGIN = "deepspine_sct"


class KeepWorkers(WorkerPlugin):
    """Lives in a Dask worker and keeps supervisors there, with their networks loaded, for its threads."""

    def __init__(self) -> None:
        self._idle: list[Supervisor] | None = None  # None before the plugin lives and after it died

    def setup(self, worker: object) -> None:
        """Begin without any supervisor."""
        self._idle = []

    def teardown(self, worker: object) -> None:
        """Kill the worker processes that have nothing to do; the others are killed when they are done."""
        idle, self._idle = self._idle or [], None
        for supervisor in idle:
            supervisor.close()

    def label(self, job: Job, scans: Sequence[Scan]) -> list[Outcome]:
        """Label scans with a supervisor of this job that is idle, or a new one."""
        supervisor = self._take(job) or Supervisor(job)
        try:
            return list(label_recorded(supervisor, scans))
        finally:
            if self._idle is None:
                supervisor.close()
            else:
                self._idle.append(supervisor)

    def _take(self, job: Job) -> Supervisor | None:
        for supervisor in list(self._idle or ()):
            with suppress(ValueError, AttributeError):  # another thread was faster
                self._idle.remove(supervisor)
                if supervisor.job == job:
                    return supervisor
                supervisor.close()  # of an earlier run
        return None


def label_chunk(job: Job, scans: Sequence[Scan]) -> list[Outcome]:
    """Label scans in the Dask worker that this runs in: the task that Dask hands out."""
    return get_worker().plugins[_PLUGIN].label(job, scans)


def label_on_cluster(job: Job, scans: Sequence[Scan], address: str) -> Iterator[Outcome]:
    """Label scans on a Dask cluster.

    Parameters
    ----------
    job : Job
        What is done to every scan.
    scans : sequence of Scan
        In the order in which they are begun.
    address : str
        Scheduler, such as ``tcp://login1:8786``.

    Yields
    ------
    Outcome
        As they come.

    Raises
    ------
    DeepspineError
        When the scheduler cannot be reached or goes away, or a worker has another version.
    """
    with _connect(address) as client:
        with _told_when_gone(client, address):
            client.register_plugin(KeepWorkers(), name=_PLUGIN)
        yield from _hand_out(client, job, scans, address)
        with suppress(DeepspineError), _told_when_gone(client, address):  # all is labelled: it may go
            client.register_plugin(KeepWorkers(), name=_PLUGIN)  # a new one: the old one's workers end


def check_scheduler(address: str) -> None:
    """Refuse a scheduler that does not answer, before anything that is known of the scans is dropped.

    Raises
    ------
    DeepspineError
        When it cannot be reached.
    """
    _connect(address).close()


def _connect(address: str) -> Client:
    for name in ("distributed", "distributed.client"):  # we say in one line what it says in forty
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        return Client(address, timeout=CONNECT_S, set_as_default=False)
    except OSError as error:
        raise DeepspineError(f"{address}: no Dask scheduler answers; start one first") from error


@contextmanager
def _told_when_gone(client: Client, address: str) -> Iterator[None]:
    """Say in one line that the scheduler went away, whichever talk with it is the first to notice."""
    try:
        yield
    except Exception as error:
        # once it gave up to connect again, the client raises whatever comes first
        if isinstance(error, (OSError, CancelledError)) or client.status == "closed":
            raise DeepspineError(f"{address}: the scheduler is gone; start it and run this again") from error
        raise


def _hand_out(client: Client, job: Job, scans: Sequence[Scan], address: str) -> Iterator[Outcome]:
    """Keep the cluster busy until every scan has its outcome."""
    content: dict[str, Sequence[Scan]] = {}

    def n_threads() -> int:
        with _told_when_gone(client, address):
            return sum(client.nthreads().values()) or 1

    def submit(chunk: Sequence[Scan]) -> Future:
        with _told_when_gone(client, address):
            future = client.submit(label_chunk, job, chunk, pure=False)
        content[future.key] = chunk
        return future

    n_first = CHUNKS_PER_THREAD * n_threads()
    waiting = _chunks(scans, min(MAX_CHUNK, len(scans) // (2 * n_first) + 1))
    running = as_completed([submit(chunk) for chunk in islice(waiting, n_first)], loop=client.loop)
    for future in running:
        chunk = content.pop(future.key)
        if future.status != "error":
            with _told_when_gone(client, address):
                outcomes = future.result()  # cancelled, if the scheduler went away
            yield from outcomes
        elif isinstance(error := future.exception(), DeepspineError):
            raise error
        elif len(chunk) > 1:  # the chunk lost several Dask workers: which scan did it?
            for scan in chunk:
                running.add(submit([scan]))
        else:
            outcome = Outcome(chunk[0].path, FAILED, f"the Dask worker was lost: {error}")
            write_record(job, chunk[0], outcome)
            yield outcome
        for chunk in islice(waiting, max(0, CHUNKS_PER_THREAD * n_threads() - len(content))):
            running.add(submit(chunk))


def _chunks(scans: Sequence[Scan], size: int) -> Iterator[Sequence[Scan]]:
    return (scans[start : start + size] for start in range(0, len(scans), size))
