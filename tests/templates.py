"""The templates that the simulator builds its spines from, where they lie beside the checkout."""

from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "shared" / "real"
needs_templates = pytest.mark.skipif(not SOURCES.is_dir(), reason="needs the PAM50 and ICBM templates")
