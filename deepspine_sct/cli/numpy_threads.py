"""Threads of numpy's matrix products, settled before numpy is loaded."""

import os
import sys

_LIBRARIES = ("OPENBLAS", "MKL", "VECLIB")


def give_numpy_one_thread() -> None:
    """Load numpy with one thread for its products, unless it is loaded or the user says otherwise.

    The products outside of the network are small. Threads that wait for each other over them cost
    a busy machine more time than the network takes. The network has threads of its own, and the
    programs that this one starts get the environment as the user left it.
    """
    if "numpy" in sys.modules:
        return
    limits = {f"{library}_NUM_THREADS": "1" for library in _LIBRARIES}
    ours = {name: limit for name, limit in limits.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        import numpy  # noqa: F401 - reads the environment as it loads
    finally:
        for name in ours:
            del os.environ[name]
