"""The stopwatch: wall time by stage."""

import pytest

from deepspine_sct import stopwatch
from deepspine_sct.stopwatch import Stopwatch


def test_a_stage_that_comes_twice_is_added_up(monkeypatch):
    """And the stages stand in the order in which they began."""
    monkeypatch.setattr(stopwatch, "perf_counter", iter((10, 11, 20, 25, 30, 37)).__next__)
    watch = Stopwatch()
    for stage in ("read", "network", "read"):
        with watch.stage(stage):
            pass
    assert list(watch.seconds.items()) == [("read", 1 + 7), ("network", 5)]


def test_a_stage_that_fails_is_timed_all_the_same():
    """The error goes on its way."""
    watch = Stopwatch()
    with pytest.raises(OSError, match="gone"), watch.stage("write"):
        raise OSError("gone")
    assert watch.seconds["write"] >= 0
