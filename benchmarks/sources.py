"""Where the benchmarks find their scans, and the limits that all of their tables share. Imports nothing large."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""

DATA_TEST = ROOT / "data_test"
"""The simulated scans that come with the project."""

REAL = ROOT.parent / "shared" / "real"
"""The real scans and the sources of the simulator, beside the checkout; `make sources` lays out such a folder."""

PLACING_MM = 5.0
"""Farther off than this, a disc does not count as found."""

DOUBTED = 0.5
"""Below this level confidence the program says that it does not know the names."""
