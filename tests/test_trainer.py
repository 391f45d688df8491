"""The training loop: it learns, it stops, and nothing that kills it changes the result."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_dataset import stream
from torch.utils.data import Dataset

from deepspine_sct.errors import DeepspineError
from deepspine_sct.model.hourglass import StackedHourglass
from deepspine_sct.model.hourglass_config import HourglassConfig
from deepspine_sct.training import trainer as trainer_module
from deepspine_sct.training.config import TrainingConfig
from deepspine_sct.training.loss import cross_entropy_loss
from deepspine_sct.training.trainer import Trainer, computes_in_bfloat16

CONFIG = TrainingConfig(steps=6, batch_size=3, learning_rate=1e-3, warmup=2, save_every=2, workers=0, device="cpu")


def small_network() -> StackedHourglass:
    """The architecture, as small as it gets."""
    torch.manual_seed(7)
    return StackedHourglass(HourglassConfig(n_features=8, n_stacks=2, depth=2))


def score_of(network: torch.nn.Module, step: int) -> dict[str, float]:
    """Stand in for a validation: some number that depends on the weights alone."""
    return {"identification_rate": sum(float(p.detach().abs().mean()) for p in network.parameters())}


def train(folder: Path, on_save=score_of, config: TrainingConfig = CONFIG) -> Trainer:
    """Train the small network on phantom scans."""
    torch.set_num_threads(1)
    trainer = Trainer(small_network(), stream(), cross_entropy_loss, config, folder, on_save)
    trainer.run()
    return trainer


def kill_at(step: int, folder: Path) -> None:
    """Train, and kill the process with SIGKILL in the middle of the epoch that ends at `step`."""

    class Deadly(Dataset):
        def __getitem__(self, index):
            if index == step - 1:
                os.kill(os.getpid(), signal.SIGKILL)
            return stream()[index]

        def __len__(self):
            return len(stream())

    torch.set_num_threads(1)
    Trainer(small_network(), Deadly(), cross_entropy_loss, CONFIG, folder, score_of).run()


def equal_states(one: Path, two: Path) -> bool:
    """Compare two states tensor by tensor, bit by bit."""
    a, b = (torch.load(path / "state.pt", weights_only=True) for path in (one, two))

    def same(x, y) -> bool:
        if isinstance(x, torch.Tensor):
            return torch.equal(x, y)
        if isinstance(x, dict):
            return x.keys() == y.keys() and all(same(x[key], y[key]) for key in x)
        if isinstance(x, list):
            return len(x) == len(y) and all(map(same, x, y))
        return x == y

    return same(a, b)


def test_killed_and_resumed_equals_never_killed(tmp_path):
    """kill -9 in the second epoch; weights, averages, optimiser and log come out bit-equal."""
    train(tmp_path / "whole")
    code = "import sys; from pathlib import Path; import test_trainer as t\n"
    code += "t.kill_at(int(sys.argv[1]), Path(sys.argv[2]))"
    killed = subprocess.run(
        [sys.executable, "-c", code, "4", str(tmp_path / "killed")],
        cwd=Path(__file__).parent,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert len((tmp_path / "killed" / "log.csv").read_text().splitlines()) == 2
    resumed = train(tmp_path / "killed")
    assert resumed.step == 6
    assert equal_states(tmp_path / "whole", tmp_path / "killed")
    logs = [(tmp_path / name / "log.csv").read_bytes() for name in ("whole", "killed")]
    assert logs[0] == logs[1] and len(logs[0].splitlines()) == 4


class Stop(Exception):
    """Ends a training from within."""


def test_stopped_during_the_validation_the_epoch_ends_again(tmp_path):
    """The state is written after the validation: its scores are in the log, not lost."""

    def stop(network, step):
        if step == 4:
            raise Stop
        return score_of(network, step)

    with pytest.raises(Stop):
        train(tmp_path / "stopped", stop)
    train(tmp_path / "stopped")
    train(tmp_path / "whole")
    assert equal_states(tmp_path / "whole", tmp_path / "stopped")
    log = tmp_path / "stopped" / "log.csv"
    assert log.read_bytes() == (tmp_path / "whole" / "log.csv").read_bytes()


def test_one_batch_can_be_overfitted(tmp_path):
    """Shown the same batch again and again, the loss falls to a small share of what it was."""

    class OneBatch(Dataset):
        batch = stream()[1]

        def __getitem__(self, index):
            return self.batch

        def __len__(self):
            return 40

    config = TrainingConfig(steps=40, learning_rate=1e-2, warmup=5, save_every=5, workers=0, average_decay=0.9)
    torch.set_num_threads(1)
    trainer = Trainer(small_network(), OneBatch(), cross_entropy_loss, config, tmp_path)
    trainer.run()
    assert trainer.rows[-1]["loss"] < 0.25 * trainer.rows[0]["loss"]


def test_a_loss_that_is_no_number_ends_the_training_before_anything_is_written(tmp_path):
    """It is said in one line; the state, the log and the weights are those of the last epoch that went well."""

    def broken(scores, attention, batch):
        losses = cross_entropy_loss(scores, attention, batch)
        return losses | {"loss": losses["loss"] * torch.nan} if made.step >= 3 else losses

    torch.set_num_threads(1)
    saved = []
    made = Trainer(small_network(), stream(), broken, CONFIG, tmp_path, lambda network, step: saved.append(step))
    with pytest.raises(DeepspineError, match=r"not a number any more at step 4.*lower -lr"):
        made.run()
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert saved == [2] and state["step"] == 2 and len((tmp_path / "log.csv").read_text().splitlines()) == 2
    assert all(torch.isfinite(value).all() for value in state["network"].values())


def fixed(scores: list[float]):
    """Validation that returns the given identification rates, one an epoch."""
    remaining = iter(scores)
    return lambda network, step: {"identification_rate": next(remaining)}


@pytest.mark.parametrize(
    ("scores", "epochs", "best_steps"),
    [
        ([0.5, 0.4, 0.3], 3, [2]),
        ([0.1, 0.2, 0.3], 3, [2, 4, 6]),
        ([0.5, 0.5, 0.5], 3, [2, 4, 6]),
        ([0.5, 0.6, 0.5], 3, [2, 4]),
        ([float("nan"), 0.0, 0.1], 3, [4, 6]),
    ],
)
def test_the_best_epoch_is_kept(tmp_path, scores, epochs, best_steps):
    """on_best is called when the score is as good as ever, so that the last of equals stays: not when it is NaN."""
    best: list[int] = []
    trainer = Trainer(
        small_network(),
        stream(),
        cross_entropy_loss,
        CONFIG,
        tmp_path,
        fixed(scores),
        on_best=lambda network, step: best.append(step),
    )
    trainer.run()
    assert len(trainer.rows) == epochs and best == best_steps


def test_of_equal_scores_the_one_with_most_images_right_is_kept(tmp_path):
    """The discs may be tied and the images not; the last of equals is kept, and an equal epoch is no improvement."""
    images = iter([0.4, 0.6, 0.6, 0.5])
    best: list[int] = []
    config = TrainingConfig(**CONFIG.to_dict() | {"steps": 8})
    trainer = Trainer(
        small_network(),
        stream(),
        cross_entropy_loss,
        config,
        tmp_path,
        lambda network, step: {"identification_rate": 0.9, "images_all_named": next(images)},
        on_best=lambda network, step: best.append(step),
    )
    trainer.run()
    assert best == [2, 4, 6]
    patient = TrainingConfig(**CONFIG.to_dict() | {"steps": 8, "patience": 2})
    assert Trainer(small_network(), stream(), cross_entropy_loss, patient, tmp_path).is_stale


def test_training_stops_when_nothing_improves(tmp_path):
    """Patience 1: the second worse epoch is never begun, and a resume does not begin it either."""
    config = TrainingConfig(**CONFIG.to_dict() | {"patience": 1})
    trainer = train(tmp_path, fixed([0.5, 0.4, 0.9]), config)
    assert trainer.step == 4
    assert train(tmp_path, fixed([]), config).step == 4


def test_the_log_has_a_line_an_epoch(tmp_path):
    """Step, learning rate, losses and scores, as numbers."""
    train(tmp_path)
    with (tmp_path / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == [2, 4, 6]
    names = {"step", "learning_rate", "loss", "discs", "level", "attention", "identification_rate"}
    assert set(rows[0]) == names and all(float(v) >= 0 for row in rows for v in row.values())


def test_a_log_that_was_not_written_any_more_is_written_by_the_next_call(tmp_path):
    """Killed between the state and the log of the last epoch, a training that is called again has all its lines."""
    train(tmp_path)
    whole = (tmp_path / "log.csv").read_bytes()
    (tmp_path / "log.csv").write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    train(tmp_path)
    assert (tmp_path / "log.csv").read_bytes() == whole


def test_a_state_from_before_the_log_was_in_it_resumes(tmp_path):
    """Its rows are read from log.csv, those after the state's step are dropped."""
    train(tmp_path / "old")
    path = tmp_path / "old" / "state.pt"
    state = torch.load(path, weights_only=True)
    rows = state.pop("rows")
    del state["config"]
    torch.save(state | {"step": 4}, path)
    resumed = Trainer(small_network(), stream(), cross_entropy_loss, CONFIG, tmp_path / "old")
    assert resumed.step == 4 and [row["step"] for row in resumed.rows] == [2, 4]
    assert resumed.rows[0]["loss"] == pytest.approx(rows[0]["loss"], abs=1e-5)


def test_another_training_in_the_same_folder_is_refused(tmp_path):
    """Other data or another network cannot go on from a state; more steps can."""
    train(tmp_path)
    other = TrainingConfig(**CONFIG.to_dict() | {"batch_size": 4})
    with pytest.raises(DeepspineError, match="batch_size 3 to 4"):
        train(tmp_path, config=other)
    larger = StackedHourglass(HourglassConfig(n_features=16, depth=2))
    with pytest.raises(DeepspineError, match="another network"):
        Trainer(larger, stream(), cross_entropy_loss, CONFIG, tmp_path)
    longer = TrainingConfig(**CONFIG.to_dict() | {"steps": 8})
    assert train(tmp_path, config=longer).step == 8


def test_a_training_does_not_go_on_with_what_was_withheld_from_it(tmp_path):
    """A state says what the network must not see: another one is refused, and an older state without it resumes."""

    def withholding(what: str) -> Trainer:
        return Trainer(small_network(), stream(), cross_entropy_loss, CONFIG, tmp_path, withheld=what)

    torch.set_num_threads(1)
    withholding("fold 0").run()
    assert withholding("fold 0").step == 6
    with pytest.raises(DeepspineError, match=r"state\.pt.*withheld fold 0 to fold 2.*give the same arguments"):
        withholding("fold 2")
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    del state["withheld"]
    torch.save(state, tmp_path / "state.pt")
    assert withholding("fold 2").step == 6


def test_the_learning_rate_rises_holds_and_falls():
    """Up over the warm-up, one in between, to zero over the cool-down."""
    config = TrainingConfig(steps=100, warmup=10, cooldown_share=0.3)
    assert [config.rate(step) for step in (0, 4, 9, 50, 70)] == [0.1, 0.5, 1, 1, 1]
    assert config.rate(85) == pytest.approx(0.5) and config.rate(100) == 0


@pytest.mark.parametrize(
    ("capabilities", "mixed"),
    [({"avx512_bf16": True}, True), ({"amx_bf16": True, "avx512_bf16": False}, True), ({"avx512_f": True}, False)],
)
def test_bfloat16_is_used_where_the_processor_computes_in_it(monkeypatch, capabilities, mixed):
    """A processor that says that it has such arithmetic trains in bfloat16, any other one in float32."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert computes_in_bfloat16(torch.device("cpu")) is mixed


ECHOES = TrainingConfig(**CONFIG.to_dict() | {"echoes": 2, "steps": 8})


def test_with_echoes_three_steps_learn_from_one_batch(tmp_path, monkeypatch):
    """A new batch, then twice altered ones of 8 and 16 batches ago, or of the first where there are not as many."""
    monkeypatch.setattr(trainer_module, "_ECHO_AFTER", 1)
    drawn, varied = [], []

    class Told(Dataset):
        def __getitem__(self, index):
            drawn.append(index)
            return stream()[index] | {"number": torch.tensor([index] * 3)}

        def __len__(self):
            return 3

        def vary(self, batch, step):
            varied.append((step, int(batch["number"][0])))
            return batch

    torch.set_num_threads(1)
    made = Trainer(small_network(), Told(), cross_entropy_loss, ECHOES, tmp_path)
    made.run()
    assert made.step == 8 and drawn == [0, 1, 2]
    assert varied == [(1, 0), (2, 0), (4, 0), (5, 0), (7, 1)]


def test_stopped_between_echoes_the_result_is_the_same(tmp_path):
    """Stopped after step 4, in the middle of a batch's turns, the resumed training ends bit-equal."""

    def stop(network, step):
        if step == 4:
            raise Stop
        return score_of(network, step)

    every_two = TrainingConfig(**ECHOES.to_dict() | {"save_every": 2})
    with pytest.raises(Stop):
        train(tmp_path / "stopped", stop, every_two)
    train(tmp_path / "stopped", config=every_two)
    train(tmp_path / "whole", config=every_two)
    assert equal_states(tmp_path / "whole", tmp_path / "stopped")
    plain = TrainingConfig(**every_two.to_dict() | {"echoes": 0})
    train(tmp_path / "plain", config=plain)
    assert not equal_states(tmp_path / "whole", tmp_path / "plain")
