"""Ctrl-C while libraries load: held back to their end, never lost, and nobody waits for a thread that may never end."""

import signal
from threading import Event, Thread

import pytest
from cohort_cases import DATA_TEST

from deepspine_sct.cli import label
from deepspine_sct.cli.interruption import interrupted_later


@pytest.fixture(autouse=True)
def python_handler():
    """Have the handler that Python starts with, whatever the program that runs the tests has put there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_block_is_finished_before_it_is_interrupted():
    """It ends as KeyboardInterrupt, and the handler is Python's again."""
    done = []
    with pytest.raises(KeyboardInterrupt), interrupted_later():
        signal.raise_signal(signal.SIGINT)
        done.append("imported")
    assert done == ["imported"] and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_the_second_interruption_acts_at_once():
    """For libraries on a disk that hangs."""
    with pytest.raises(KeyboardInterrupt), interrupted_later():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("was not interrupted")


def test_an_error_of_the_block_goes_before_the_interruption():
    """And the handler is Python's again."""
    with pytest.raises(ModuleNotFoundError), interrupted_later():
        signal.raise_signal(signal.SIGINT)
        raise ModuleNotFoundError("numpy")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("handler", [signal.SIG_IGN, lambda number, frame: None])
def test_what_others_do_with_an_interruption_is_left_to_them(handler):
    """As behind nohup, where it is ignored."""
    signal.signal(signal.SIGINT, handler)
    with interrupted_later():
        assert signal.getsignal(signal.SIGINT) is handler
        signal.raise_signal(signal.SIGINT)


def test_another_thread_imports_as_ever():
    """Python interrupts the main thread alone, and lets no other one ask for it."""
    done = []

    def load() -> None:
        with interrupted_later():
            done.append("imported")

    thread = Thread(target=load)
    thread.start()
    thread.join()
    assert done == ["imported"]


def test_an_interrupted_command_does_not_wait_for_the_thread_that_loads(monkeypatch, tmp_path, capsys):
    """Which may wait itself, for a lock that the interrupted import has kept: the command hung for ever."""
    waiting, end, ended = Event(), Event(), Event()

    def load(request: object) -> None:
        waiting.set()
        end.wait(60)
        ended.set()

    def read(request: object, ahead: object) -> None:
        assert waiting.wait(60)
        raise KeyboardInterrupt

    monkeypatch.setattr(label, "load_predictor", load)
    monkeypatch.setattr("deepspine_sct.scan.inputs.read_inputs", read)
    try:
        assert label.main(["-i", str(DATA_TEST / "t2_sim.nii.gz"), "-c", "t2", "-ofolder", str(tmp_path)]) == 130
        assert not ended.is_set()
    finally:
        end.set()
    assert "sct_deepspine_label: interrupted" in capsys.readouterr().err
