"""Many scans on many machines: Dask hands them out, every Dask worker keeps workers of ours.

Dask promises that a task is done at least once. That is enough: a scan that is done twice gives
the same files, and one that is settled is not done again. All machines see the data set and the
target folder under the same paths.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from queue import Empty, SimpleQueue

from distributed import Client, Future, WorkerPlugin, as_completed, get_worker

from deepspine_sct.cohort.discovery import relative
from deepspine_sct.cohort.job import FAILED, Job, Outcome
from deepspine_sct.cohort.local import label_recorded
from deepspine_sct.cohort.state import write_record
from deepspine_sct.cohort.supervisor import Supervisor
from deepspine_sct.errors import DeepspineError
from deepspine_sct.training.bids import Scan

CONNECT_S = 30.0

MAX_CHUNK = 16
"""Scans that are handed out together: asking for each would cost a scheduler 1,000,000 tasks."""

CHUNKS_PER_THREAD = 4
"""Chunks that wait for a thread of the cluster: it never idles, and the scheduler holds few."""

_PLUGIN = "deepspine_sct"


class KeepWorkers(WorkerPlugin):
    """Lives in a Dask worker and keeps supervisors there, with their networks loaded, for its threads."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._idle: SimpleQueue | None = None

    def setup(self, worker: object) -> None:
        """Begin without any supervisor."""
        self._idle = SimpleQueue()

    def teardown(self, worker: object) -> None:
        """Kill the worker processes."""
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return

    def label(self, scans: Sequence[Scan]) -> list[Outcome]:
        """Label scans with a supervisor that is idle, or a new one."""
        try:
            supervisor = self._idle.get_nowait()
        except Empty:
            supervisor = Supervisor(self.job)
        outcomes = list(label_recorded(supervisor, scans))
        self._idle.put(supervisor)
        return outcomes


def label_chunk(scans: Sequence[Scan]) -> list[Outcome]:
    """Label scans in the Dask worker that this runs in: the task that Dask hands out."""
    return get_worker().plugins[_PLUGIN].label(scans)


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
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except OSError as error:
        raise DeepspineError(f"{address}: no Dask scheduler answers; start one first") from error
    with client:
        client.register_plugin(KeepWorkers(job), name=_PLUGIN)
        yield from _hand_out(client, job, scans, address)


def _hand_out(client: Client, job: Job, scans: Sequence[Scan], address: str) -> Iterator[Outcome]:
    """Keep the cluster busy until every scan has its outcome."""
    n_threads = sum(client.nthreads().values()) or 1
    waiting = _chunks(scans, min(MAX_CHUNK, len(scans) // (2 * CHUNKS_PER_THREAD * n_threads) + 1))
    content: dict[str, Sequence[Scan]] = {}

    def submit(chunk: Sequence[Scan]) -> Future:
        future = client.submit(label_chunk, chunk, pure=False)
        content[future.key] = chunk
        return future

    running = as_completed([submit(chunk) for chunk in islice(waiting, CHUNKS_PER_THREAD * n_threads)])
    for future in running:
        chunk = content.pop(future.key)
        if future.status == "finished":
            yield from future.result()
        elif future.status != "error":
            raise DeepspineError(f"{address}: the scheduler is gone; start it and run this again")
        elif isinstance(error := future.exception(), DeepspineError):
            raise error
        elif len(chunk) > 1:  # the chunk lost several Dask workers: which scan did it?
            for scan in chunk:
                running.add(submit([scan]))
        else:
            outcome = Outcome(relative(chunk[0]), FAILED, f"the Dask worker was lost: {error}")
            write_record(job, chunk[0], outcome)
            yield outcome
        n_wanted = CHUNKS_PER_THREAD * (sum(client.nthreads().values()) or 1) - len(content)
        for chunk in islice(waiting, max(0, n_wanted)):
            running.add(submit(chunk))


def _chunks(scans: Sequence[Scan], size: int) -> Iterator[Sequence[Scan]]:
    return (scans[start : start + size] for start in range(0, len(scans), size))
