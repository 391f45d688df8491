"""Networks that train together on one stream: each comes out as if it trained alone, and sees nobody of its fold."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_dataset import stack
from test_trainer import CONFIG, Stop, equal_states, small_network

from deepspine_sct.errors import DeepspineError
from deepspine_sct.model.checkpoint import load_checkpoint
from deepspine_sct.model.hourglass import HourglassConfig
from deepspine_sct.training import recipe
from deepspine_sct.training.dataset import SampleStream
from deepspine_sct.training.folds import deal
from deepspine_sct.training.loss import cross_entropy_loss
from deepspine_sct.training.recipe import Sources
from deepspine_sct.training.trainer import Trainer, TrainingConfig, train_together

FOLDS = {"a": 0, "b": 1, "c": 2}
SMALL = HourglassConfig(n_features=8, n_stacks=1, depth=2)


def stream(batch_size: int = 3) -> SampleStream:
    """Ten batches of phantom scans of three subjects, one in each fold."""
    sources = [replace(stack(seed=n), name=name) for n, name in enumerate(FOLDS)]
    return SampleStream(None, sources, batch_size, 10, seed=5, real_share=1.0, folds=FOLDS)


def trainer(folder: Path, fold: int, on_save=lambda network, step: None, batch_size: int = 3, seen=None) -> Trainer:
    """Make the trainer of a small network that must not see a fold; ``seen`` collects the folds that its loss sees."""

    def keep(batch):
        return {key: value[batch["fold"] != fold] for key, value in batch.items()}

    def loss(scores, attention, batch):
        if seen is not None:
            seen.extend(batch["fold"].tolist())
        return cross_entropy_loss(scores, attention, batch)

    torch.set_num_threads(1)
    config = TrainingConfig(**CONFIG.to_dict() | {"batch_size": batch_size})
    return Trainer(small_network(), stream(batch_size), loss, config, folder, on_save, keep=keep)


@pytest.fixture(scope="module")
def together(tmp_path_factory) -> Path:
    """Folder of two networks that trained together, without a stop."""
    folder = tmp_path_factory.mktemp("together")
    train_together([trainer(folder / str(fold), fold) for fold in (0, 1)])
    return folder


def test_together_equals_alone(together, tmp_path):
    """Weights, averages, optimisers and logs of two networks are bit for bit those of each trained by itself."""
    for fold in ("0", "1"):
        trainer(tmp_path / fold, int(fold)).run()
        assert equal_states(together / fold, tmp_path / fold)
        assert (together / fold / "log.csv").read_bytes() == (tmp_path / fold / "log.csv").read_bytes()
    assert not equal_states(together / "0", together / "1")


def test_a_network_interrupted_later_than_the_other_waits_for_it(together, tmp_path):
    """Stopped when one state is of step 4 and the other of step 2, both come to the same end as never stopped."""

    def stop(network, step):
        if step == 4:
            raise Stop

    with pytest.raises(Stop):
        train_together([trainer(tmp_path / "stopped" / "0", 0), trainer(tmp_path / "stopped" / "1", 1, stop)])
    resumed = [trainer(tmp_path / "stopped" / str(fold), fold) for fold in (0, 1)]
    assert [one.step for one in resumed] == [4, 2]
    train_together(resumed)
    for fold in ("0", "1"):
        assert equal_states(tmp_path / "stopped" / fold, together / fold)


def test_a_batch_that_may_not_be_seen_is_a_step_without_learning(tmp_path):
    """With one image in a batch some steps are empty: they are counted, the losses are means of the others, no NaN."""
    seen: list[int] = []
    made = trainer(tmp_path, 1, batch_size=1, seen=seen)
    folds = [int(stream(1)[i]["fold"]) for i in range(CONFIG.steps)]
    assert 1 in folds and set(folds) > {1}
    made.run()
    assert made.step == CONFIG.steps and seen == [fold for fold in folds if fold != 1]
    assert all(torch.isfinite(weight).all() for weight in made.averaged.parameters())
    updates = {int(state["step"]) for state in made.optimiser.state.values()}
    assert updates == {len(seen)} == {int(made.averaged.n_averaged)}
    assert all(row["loss"] > 0 for row in made.rows if "loss" in row)


def test_an_epoch_that_may_not_be_seen_changes_no_weight(tmp_path):
    """Where all subjects are of the network's fold, it stays as it was, its log has lines without losses."""
    made = trainer(tmp_path, 0, batch_size=1)
    made.keep = lambda batch: {key: value[:0] for key, value in batch.items()}
    made.run()
    for trained, untrained in zip(made.network.parameters(), small_network().parameters(), strict=True):
        assert torch.equal(trained, untrained)
    assert [set(row) for row in made.rows] == [{"step", "learning_rate"}] * 3
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 4


@pytest.fixture(scope="module")
def subjects(lumbar_subjects):
    """Four made-up lumbar subjects as the only thing to learn from."""
    return Sources(None, None, [], list(lumbar_subjects.values()))


def recipe_config(steps: int = 4) -> TrainingConfig:
    """Four steps of three real images."""
    return TrainingConfig(
        steps=steps, batch_size=3, warmup=1, save_every=2, workers=0, device="cpu", real_share=1.0, contrast="all"
    )


def test_the_recipe_keeps_each_network_from_its_fold(subjects, tmp_path, monkeypatch):
    """Both networks learn from the others' subjects, neither from its own; each checkpoint names whom it never saw."""
    seen: list[set[int]] = []

    def spy(scores, attention, batch, attention_weight):
        seen.append(set(batch["fold"].tolist()))
        return cross_entropy_loss(scores, attention, batch, attention_weight)

    monkeypatch.setitem(recipe.LOSSES, "cross_entropy", spy)
    recipe.train(subjects, tmp_path, recipe_config(6), SMALL, folds=(0, 2))
    folds = deal(subject.name for subject in subjects.lumbar)
    assert set(folds.values()) == {0, 1, 2}
    assert len(seen) > 6 and set().union(*seen) == {0, 1, 2}
    for folder, fold in ((tmp_path, 0), (tmp_path / "fold_2", 2)):
        training = load_checkpoint(folder / recipe.CHECKPOINT)[1]["training"]
        assert training["never_seen"] == sorted(name for name, its in folds.items() if its == fold)
        assert training["real_sites"] == ["lumbar"] and training["real_images"] == len(folds)
    assert not any({0, 2} <= one for one in seen)  # no batch that a network learnt from holds both kept folds


def test_the_recipe_of_two_folds_equals_the_recipe_of_one(subjects, tmp_path):
    """The second network, in its subfolder, has the weights of one that trained alone; so has the first."""
    recipe.train(subjects, tmp_path / "both", recipe_config(), SMALL, folds=(0, 2))
    for fold, inside in ((0, "."), (2, "fold_2")):
        recipe.train(subjects, tmp_path / str(fold), recipe_config(), SMALL, folds=(fold,))
        assert equal_states(tmp_path / "both" / inside, tmp_path / str(fold))


def test_a_training_of_one_fold_does_not_go_on_as_one_of_another(subjects, tmp_path):
    """The recipe says which fold a network must not see, so that the same folder with another fold is refused."""
    recipe.train(subjects, tmp_path, recipe_config(2), SMALL, folds=(0,))
    with pytest.raises(DeepspineError, match="withheld fold 0 to fold 2"):
        recipe.train(subjects, tmp_path, recipe_config(4), SMALL, folds=(2,))


def test_each_fold_starts_from_its_own_weights(tmp_path):
    """Where the start has a network of the fold beside it, that one is taken, so that nobody's fold leaks in."""
    start = tmp_path / "best.safetensors"
    (tmp_path / "fold_2").mkdir()
    (tmp_path / "fold_2" / start.name).touch()
    assert recipe._start_of(start, 2) == tmp_path / "fold_2" / start.name
    assert recipe._start_of(start, 1) == start


def test_a_fold_that_the_start_has_learnt_is_no_longer_unseen(subjects, tmp_path):
    """The network of another fold, trained further for this one, does not claim that it never saw it."""
    recipe.train(subjects, tmp_path / "first", recipe_config(2), SMALL, folds=(0,))
    start = tmp_path / "first" / recipe.CHECKPOINT
    recipe.train(subjects, tmp_path / "on", recipe_config(2), start=start, folds=(0, 2))
    of_fold = [load_checkpoint(tmp_path / "on" / at / recipe.CHECKPOINT)[1]["training"] for at in (".", "fold_2")]
    names = sorted(name for name, its in deal(s.name for s in subjects.lumbar).items() if its == 0)
    assert [training["never_seen"] for training in of_fold] == [names, []]
