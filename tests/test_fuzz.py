"""`make fuzz` in small: its cases find no fault, and it would find one."""

from pathlib import Path

import pytest

from benchmarks.acceptance import fuzz_base, fuzz_cases, fuzz_run
from benchmarks.acceptance.fuzz import FAULTS
from deepspine_sct.cli import label

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measures memory on Linux")


@pytest.fixture(scope="module")
def base():
    """The small scan that all cases begin with."""
    return fuzz_base.load_base()


@pytest.fixture
def one_predictor(monkeypatch):
    """Load the shipped network once for all cases."""
    load = label.load_predictor
    installed = load(label.get_parser().parse_args(["-i", "x.nii", "-c", "t2"]))
    monkeypatch.setattr(label, "load_predictor", lambda args: load(args) if args.model else installed)


def test_the_first_cases_show_no_fault(base, one_predictor):
    """Of all kinds together: a right answer or a clean refusal, never a fault, nor only one of both."""
    verdicts = [fuzz_run.run_case(0, number, base) for number in range(40)]
    assert [verdict for verdict in verdicts if verdict.outcome in FAULTS] == []
    assert {"answered", "refused"} <= {verdict.outcome for verdict in verdicts}


def test_a_case_is_always_the_same(base, tmp_path):
    """The same seed and number write the same files and give the same arguments."""
    for number in range(25):
        cases, contents = [], []
        for copy in ("a", "b"):
            folder = tmp_path / f"{number}{copy}"
            folder.mkdir()
            kind, case = fuzz_cases.make_case(3, number, base, folder)
            cases.append((kind, case.arguments, case.same_discs))
            contents.append({path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()
                             and not path.is_symlink()})  # fmt: skip
        assert cases[0] == cases[1] and contents[0] == contents[1]


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (lambda args: 1 / 0, "crashed"),
        (lambda args: Path("left.txt").touch() or (_ for _ in ()).throw(OSError("gone")), "partial"),
        (lambda args: (_ for _ in ()).throw(SystemExit(7)), "untidy"),
    ],
)
def test_a_fault_would_be_found(base, monkeypatch, tmp_path, fault, outcome):
    """A crash, a file that is left after an error, and an end without a line are seen as such."""
    monkeypatch.setattr(label, "load_predictor", fault)
    for number in range(99):
        folder = tmp_path / str(number)
        folder.mkdir()
        if fuzz_cases.make_case(0, number, base, folder)[1].same_discs:
            break
    assert fuzz_run.run_case(0, number, base).outcome == outcome
