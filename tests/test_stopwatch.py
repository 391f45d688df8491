"""The stopwatch: wall time by stage."""

from time import sleep

import pytest

from deepspine_sct.stopwatch import Stopwatch


def test_a_stage_that_comes_twice_is_added_up():
    """And the stages stand in the order in which they began."""
    watch = Stopwatch()
    for stage in ("read", "network", "read"):
        with watch.stage(stage):
            sleep(0.02)
    assert list(watch.seconds) == ["read", "network"]
    assert watch.seconds["read"] >= 0.04 > watch.seconds["network"] * 0.9 >= 0.018


def test_a_stage_that_fails_is_timed_all_the_same():
    """The error goes on its way."""
    watch = Stopwatch()
    with pytest.raises(OSError, match="gone"), watch.stage("write"):
        raise OSError("gone")
    assert watch.seconds["write"] >= 0
