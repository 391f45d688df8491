"""Many scans on many machines: Dask hands them out, every Dask worker keeps workers of ours.

Dask promises that a task is done at least once. That is enough: a scan that is done twice gives
the same files, and one that is settled is not done again. All machines see the data set and the
target folder under the same paths.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
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
        client.register_plugin(KeepWorkers(), name=_PLUGIN)
        yield from _hand_out(client, job, scans, address)
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


def _hand_out(client: Client, job: Job, scans: Sequence[Scan], address: str) -> Iterator[Outcome]:
    """Keep the cluster busy until every scan has its outcome."""
    n_threads = sum(client.nthreads().values()) or 1
    waiting = _chunks(scans, min(MAX_CHUNK, len(scans) // (2 * CHUNKS_PER_THREAD * n_threads) + 1))
    content: dict[str, Sequence[Scan]] = {}

    def submit(chunk: Sequence[Scan]) -> Future:
        future = client.submit(label_chunk, job, chunk, pure=False)
        content[future.key] = chunk
        return future

    gone = DeepspineError(f"{address}: the scheduler is gone; start it and run this again")
    first = [submit(chunk) for chunk in islice(waiting, CHUNKS_PER_THREAD * n_threads)]
    running = as_completed(first, loop=client.loop)
    for future in running:
        chunk = content.pop(future.key)
        if future.status == "finished":
            try:
                outcomes = future.result()
            except OSError as closed:  # killed between the end of the task and the fetching of what it found
                raise gone from closed
            yield from outcomes
        elif future.status != "error":
            raise gone
        elif isinstance(error := future.exception(), DeepspineError):
            raise error
        elif len(chunk) > 1:  # the chunk lost several Dask workers: which scan did it?
            for scan in chunk:
                running.add(submit([scan]))
        else:
            outcome = Outcome(chunk[0].path, FAILED, f"the Dask worker was lost: {error}")
            write_record(job, chunk[0], outcome)
            yield outcome
        n_wanted = CHUNKS_PER_THREAD * (sum(client.nthreads().values()) or 1) - len(content)
        for chunk in islice(waiting, max(0, n_wanted)):
            running.add(submit(chunk))


def _chunks(scans: Sequence[Scan], size: int) -> Iterator[Sequence[Scan]]:
    return (scans[start : start + size] for start in range(0, len(scans), size))
