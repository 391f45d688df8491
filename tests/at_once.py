"""Several processes that do the same at the same time."""

import multiprocessing
from collections.abc import Callable
from pathlib import Path


def run_at_once(work: Callable[[Path, int], None], folder: Path, n: int) -> None:
    """Call ``work(folder, k)`` for k below n, each in a process of its own; all must succeed, and none is left."""
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=work, args=(folder, k)) for k in range(n)]
    for writer in writers:
        writer.start()
    try:
        for writer in writers:
            writer.join(timeout=300)
            assert writer.exitcode == 0
    finally:
        for writer in writers:
            writer.kill()
