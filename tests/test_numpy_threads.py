"""numpy's threads, seen from fresh processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deepspine_sct.cohort.local import usable_cores

ROOT = Path(__file__).resolve().parent.parent

PROBE = """
import json, os, sys
before = dict(os.environ)
{first}
from deepspine_sct.cli.numpy_threads import give_numpy_one_thread
give_numpy_one_thread()
loaded = "numpy" in sys.modules
import numpy as np
factor = np.ones((700, 700))
factor @ factor
threads = len(os.listdir("/proc/self/task")) if os.path.isdir("/proc/self/task") else None
print(json.dumps([loaded, before == dict(os.environ), threads]))
"""


def probe(first: str = "", **environment: str) -> tuple[bool, bool, int | None]:
    """Whether numpy was loaded, whether the environment is as before, and how many threads run."""
    clean = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    out = subprocess.run(
        [sys.executable, "-c", PROBE.format(first=first)],
        cwd=ROOT, env=clean | environment, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return tuple(json.loads(out))


def test_one_thread_and_an_environment_left_alone():
    """Products run on one thread, and a program that is started later does not inherit that."""
    loaded, unchanged, threads = probe()
    assert loaded and unchanged
    assert threads in (1, None)


@pytest.mark.skipif(usable_cores() < 2, reason="needs two cores")
@pytest.mark.parametrize(
    ("first", "environment"),
    [("", {"OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"}), ("import numpy", {})],
    ids=["the user's wish", "numpy loaded before"],
)
def test_what_was_settled_before_stays(first, environment):
    """Neither the user's own limit nor a numpy that is already there is overruled."""
    _, unchanged, threads = probe(first, **environment)
    assert unchanged
    assert threads is None or threads >= 2
