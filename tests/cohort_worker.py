"""A worker program whose scans say with `acq-` in their names what befalls it."""

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, sys.argv[1])

from deepspine_sct.cohort.job import Outcome  # noqa: E402
from deepspine_sct.cohort.worker import main  # noqa: E402
from deepspine_sct.quality_control.outcomes import LABELLED  # noqa: E402


def befall(job, scan, volume, predictor) -> Outcome:
    """Do to this process what the name of the scan says."""
    what = next((part[4:] for part in scan.stem.split("_") if part.startswith("acq-")), "")
    seen = Path(f"{scan.image}.{what}")  # a note for the test: how often this was tried
    seen.write_text(f"{seen.read_text() if seen.exists() else ''}{os.getpid()}\n")
    if what == "crash" or (what == "once" and len(seen.read_text().split()) == 1):
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == "replaced":
        scan.image.write_bytes(scan.image.read_bytes() + b"more")
    if what == "networkless":
        job.model.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    while what.startswith("held") and not Path(f"{scan.image}.go").exists():
        time.sleep(0.01)
    if what == "hang":
        ctypes.PyDLL(None).sleep(60)  # in C, and nothing else in Python can run meanwhile
    if what == "memory":
        np.ones(2**30)
    if what == "bug":
        raise KeyError("a bug")
    time.sleep(0.05)
    print(f"labelled by {os.getpid()}")
    return Outcome(scan.path, LABELLED, warnings=(str(os.getpid()),), seconds={"network": 0.05})


main(int(sys.argv[2]), befall)
