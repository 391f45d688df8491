"""The training loop. It knows batches, losses and scores, not what is in them.

An epoch is ``save_every`` steps: after it the averaged network is handed over to be kept and
validated, and then the state is written, whole. Whenever the process is killed, the next one starts
from the last written state and comes to the same result as one that was never killed, bit for bit
on a CPU: batch ``i`` of the stream is a function of ``i``, and the log is part of the state. With echoes (see
`TrainingConfig`) several steps learn from one batch.
"""

import csv
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset, Subset
from tqdm import tqdm

from deepspine_sct.errors import DeepspineError
from deepspine_sct.files.atomic import atomic_path
from deepspine_sct.training.config import TrainingConfig
from deepspine_sct.training.targets import Batch

Row = dict[str, float]  # one line of the log


TIE_BREAK = "images_all_named"
"""Entry of the validation that decides between epochs of one score, the larger the better."""

# What may change between a stop and a resume: where and how long, not what. The warm-up and the
# average of a short training depend on its length.
_MAY_CHANGE = {"steps", "device", "workers", "patience", "save_every", "score"}
_MAY_CHANGE |= {"warmup", "average_decay"}
_ECHO_AFTER = 8  # batches between two looks at an image


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether a device has arithmetic of its own for bfloat16.

    A CPU with AVX-512 BF16 trains 2.6 times as fast with it as in float32, measured; one without has to imitate it, and
    takes 2.3 times as long.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    capabilities: dict[str, bool] = getattr(
        torch.cpu, "get_capabilities", dict
    )()  # older releases of torch do not tell
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))


class Trainer:
    """Train a network on a stream of batches; stop and resume at any moment.

    Parameters
    ----------
    network : module, called on ``batch["image"]``
    stream : dataset of batches, in their order; where the configuration asks for echoes, ``stream.vary(batch, step)``
        alters one that was learnt before
    loss : maps (scores, attention, batch) to a dict of scalar tensors, minimising its ``loss``
    folder : where ``state.pt`` and ``log.csv`` are kept
    on_save : called as ``on_save(averaged_network, step)`` after every epoch; what it returns, say
        the scores of a validation, joins the log
    on_best : called likewise after ``on_save``, when the epoch is the best one so far. The best has the highest
        ``config.score``; of equals the one with most images right, by `TIE_BREAK`; of equals the last one, which has
        learnt longest
    on_log : called with all rows of the log, after the state was written
    keep : returns the part of a batch that this network may see, which may be empty
    withheld : what ``keep`` takes away, in words such as "fold 2"; a training cannot be resumed with other words

    Raises
    ------
    DeepspineError
        Where ``folder`` holds the state of another training, and when a loss is not a number any more.
    """

    def __init__(
        self,
        network: nn.Module,
        stream: Dataset,
        loss: Callable,
        config: TrainingConfig,
        folder: Path,
        on_save: Callable[[nn.Module, int], Row | None] = lambda network, step: None,
        on_best: Callable[[nn.Module, int], None] = lambda network, step: None,
        on_log: Callable[[list[Row]], None] = lambda rows: None,
        keep: Callable[[Batch], Batch] = lambda batch: batch,
        withheld: str = "",
    ):
        self.config, self.stream, self.loss, self.folder = config, stream, loss, folder
        self.on_save, self.on_best, self.on_log = on_save, on_best, on_log
        self.keep, self.withheld = keep, withheld
        self.device = torch.device(config.device)
        self.network = network.to(self.device, memory_format=torch.channels_last)
        average = get_ema_multi_avg_fn(config.average_decay)
        self.averaged = AveragedModel(self.network, multi_avg_fn=average, use_buffers=True)
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.mixed = computes_in_bfloat16(self.device)
        self.step = 0
        self.rows: list[Row] = []
        folder.mkdir(parents=True, exist_ok=True)
        if self._state_path.exists():
            self._resume()
        self._sums: dict[str, torch.Tensor] = {}  # of the losses since the last epoch's end
        self._n_learnt = 0  # steps behind these sums

    @property
    def _state_path(self) -> Path:
        return self.folder / "state.pt"

    @property
    def _log_path(self) -> Path:
        return self.folder / "log.csv"

    def run(self) -> None:
        """Train to the last step, or until the score has not improved for ``patience`` epochs."""
        train_together([self])

    def learn(self, batch: Batch) -> None:
        """Take one step on a batch, and end the epoch where it is one's end.

        A batch of which the network may see nothing counts as a step, but teaches nothing.
        """
        batch = to_device(self.keep(batch), self.device)
        if len(batch["image"]):
            for key, value in self.training_step(batch).items():
                self._sums[key] = self._sums.get(key, 0.0) + value
            self._n_learnt += 1
        self.step += 1
        if self.step % self.config.save_every == 0 or self.step == self.config.steps:
            self._end_epoch({key: float(value) / self._n_learnt for key, value in self._sums.items()})
            self._sums, self._n_learnt = {}, 0

    def training_step(self, batch: Batch) -> dict[str, torch.Tensor]:
        """One optimiser step, in bfloat16 where the device computes in it; see `computes_in_bfloat16`."""
        self.network.train()
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * self.config.rate(self.step)
        image = batch["image"].contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.mixed):
            scores, attention = self.network(image)
        losses = self.loss(scores.float(), attention, batch)
        self.optimiser.zero_grad(set_to_none=True)
        losses["loss"].backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip_norm)
        self.optimiser.step()
        self.averaged.update_parameters(self.network)
        return {key: value.detach() for key, value in losses.items()}

    def _end_epoch(self, losses: Row) -> None:
        """Validate, then write the state: killed in between, the epoch's end is done again."""
        if not all(map(math.isfinite, losses.values())):
            raise DeepspineError(
                f"{self.folder}: the loss is not a number any more at step {self.step}, and what this epoch taught "
                "is lost; begin again in another -ofolder, with a lower -lr"
            )
        rate = self.config.learning_rate * self.config.rate(self.step - 1)  # of the last step
        scores = self.on_save(self.averaged.module, self.step) or {}
        self.rows.append({"step": self.step, "learning_rate": rate} | losses | scores)
        ranks = self._ranks()
        if ranks and ranks[-1][-1] == len(self.rows) - 1:
            self.on_best(self.averaged.module, self.step)
        self.save()
        self._write_log()
        self.on_log(self.rows)

    def _ranks(self) -> list[tuple[float, float, int]]:
        """Score, tie break and index of the rows that have a score, worst first."""
        rows = [(row.get(self.config.score, math.nan), row.get(TIE_BREAK, 0.0), i) for i, row in enumerate(self.rows)]
        return sorted(row for row in rows if not math.isnan(row[0]))

    @property
    def is_stale(self) -> bool:
        """Whether the score has not improved for ``patience`` epochs; an equal one is no improvement."""
        ranks, patience = self._ranks(), self.config.patience
        if not ranks or patience == 0:
            return False
        risen = min(i for score, tie_break, i in ranks if (score, tie_break) == ranks[-1][:2])
        return len(self.rows) - 1 - risen >= patience

    def save(self) -> None:
        """Write the state to resume from, whole or not at all."""
        state = {
            "step": self.step,
            "network": self.network.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "rows": self.rows,
            "config": self.config.to_dict(),
            "withheld": self.withheld,
        }
        with atomic_path(self._state_path) as temporary:
            torch.save(state, temporary)

    def _resume(self) -> None:
        state = torch.load(self._state_path, map_location=self.device, weights_only=True)
        withheld = state.get("withheld", self.withheld)  # older states do not say
        before = state.get("config", {}) | {"withheld": withheld}
        now = self.config.to_dict() | {"withheld": self.withheld}
        changed = [
            f"{key} {before[key]} to {now[key]}"
            for key in sorted(before.keys() & now.keys() - _MAY_CHANGE)
            if before[key] != now[key]
        ]
        if changed:
            raise DeepspineError(
                f"{self._state_path}: a training that began with other arguments ({', '.join(changed)}) cannot"
                " be resumed; give the same arguments, or another -ofolder"
            )
        try:
            self.network.load_state_dict(state["network"])
            self.averaged.load_state_dict(state["averaged"])
        except RuntimeError as error:
            raise DeepspineError(
                f"{self._state_path}: belongs to another network; give the same arguments, or another -ofolder"
            ) from error
        self.optimiser.load_state_dict(state["optimiser"])
        self.step = state["step"]
        self.rows = state["rows"] if "rows" in state else self._read_log()
        if self.rows:  # killed after the state was written, before the log was
            self._write_log()
            self.on_log(self.rows)

    def _write_log(self) -> None:
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        with atomic_path(self._log_path) as temporary, open(temporary, "w", newline="") as file:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows({k: _format(k, v) for k, v in row.items()} for row in self.rows)

    def _read_log(self) -> list[Row]:
        """Rows of a state that was written before the log was part of it."""
        if not self._log_path.exists():
            return []
        with self._log_path.open(newline="") as file:
            rows = [
                {key: int(value) if key == "step" else float(value) for key, value in row.items()}
                for row in csv.DictReader(file)
            ]
        return [row for row in rows if row["step"] <= self.step]


def train_together(trainers: Sequence[Trainer]) -> None:
    """Train networks of one stream and one configuration, drawing every batch once for all of them.

    One that was interrupted later than the others waits for them. It ends at the last step, or when no network's score
    has improved for ``patience`` epochs.
    """
    if all(trainer.is_stale for trainer in trainers):
        return
    first = trainers[0]
    lessons = _lessons(first.stream, first.config, min(trainer.step for trainer in trainers), first.device)
    bar = tqdm(total=first.config.steps, disable=None, unit="step")
    for step, batch in lessons:
        for trainer in trainers:
            if trainer.step == step:
                trainer.learn(batch)
        bar.update(step + 1 - bar.n)
        if all(trainer.is_stale for trainer in trainers):
            break
    bar.close()


def _lessons(stream: Dataset, config: TrainingConfig, first: int, device: torch.device) -> Iterator[tuple[int, Batch]]:
    """Yield the steps from ``first`` on and what they learn: each batch new, and altered ones of some batches ago."""
    turns, memory = 1 + config.echoes, config.echoes * _ECHO_AFTER
    drawn = range(max(0, first // turns - memory), -(-config.steps // turns))
    recent: deque[Batch] = deque(maxlen=memory + 1)
    for i, batch in zip(drawn, _batches(stream, drawn, config.workers), strict=True):
        recent.append(to_device(batch, device))
        for step in range(max(first, i * turns), min((i + 1) * turns, config.steps)):
            turn = step - i * turns
            old = recent[-1 - min(i, turn * _ECHO_AFTER)]
            yield step, stream.vary(old, step) if turn else old


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Move a batch; the fold of its images stays, since the host decides by it who may see them."""
    return {key: value if key == "fold" else value.to(device, non_blocking=True) for key, value in batch.items()}


def _batches(stream: Dataset, drawn: range, workers: int) -> DataLoader:
    ahead = 4 if workers else None
    return DataLoader(Subset(stream, drawn), batch_size=None, num_workers=workers, prefetch_factor=ahead)


def _format(name: str, value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return f"{value:.2e}" if name == "learning_rate" else f"{value:.5f}"
