"""Call a function for several items at the same time, in threads."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def in_threads(function: Callable[[Item], Answer], items: Collection[Item], threads: int) -> list[Answer]:
    """Return the answers in the order of the items, as ``map`` does; at most ``threads`` are worked out at once.

    It pays where the function spends its time outside of Python, as in a network.

    Raises
    ------
    Exception
        What the function raises for the first item that fails.
    """
    if min(threads, len(items)) <= 1:
        return [function(item) for item in items]
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, items))
