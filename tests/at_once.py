"""Several processes that do the same at the same time."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path


def run_at_once(work: Callable[[Path, int], None], folder: Path, n: int) -> None:
    """Call ``work(folder, k)`` for k below n, each in a process of its own; all must succeed within a minute."""
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=work, args=(folder, k)) for k in range(n)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(timeout=60)
        assert writer.exitcode == 0
