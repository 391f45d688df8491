"""`sct_deepspine_train` on a small prepared set: every output is there, and it resumes."""

import csv
import signal
import subprocess
import sys
from pathlib import Path

import phantom
import pytest
from PIL import Image
from templates import needs_templates

from deepspine_sct.cli.prepare import main as prepare
from deepspine_sct.cli.train import main, make_config
from deepspine_sct.cli.train_arguments import get_parser
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.model.checkpoint import load_checkpoint, save_checkpoint
from deepspine_sct.model.original import OriginalConfig, OriginalHourglass
from deepspine_sct.training import dataset, held_out, recipe

ROOT = Path(__file__).resolve().parent.parent
SMALL = ["-features", "8", "-batch", "2", "-workers", "0", "-device", "cpu", "-epoch-steps", "2"]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> str:
    """A prepared set of three subjects, one in each part."""
    folder = tmp_path_factory.mktemp("data")
    phantom.write_bids(folder / "bids")
    prepare(["-path-data", str(folder / "bids"), "-o", str(folder / "set"), "-v", "0"])
    return str(folder / "set")


def rows(folder: Path) -> list[dict[str, str]]:
    """The log."""
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_an_epoch_leaves_weights_scores_and_pictures(prepared, tmp_path, capsys):
    """Three epochs: log, curves, an animation of three frames, and a checkpoint that runs."""
    arguments = ["-set", prepared, "-ofolder", str(tmp_path), "-epochs", "3", *SMALL]
    arguments += ["-stacks", "1", "-blocks", "2", "-discs", "11", "-attention", "0"]
    assert main(arguments) == 0
    log = rows(tmp_path)
    assert [row["step"] for row in log] == ["2", "4", "6"]
    assert 0 <= float(log[0]["identification_rate"]) <= 1
    with Image.open(tmp_path / "convergence.gif") as animation:
        assert animation.n_frames == 3
    with Image.open(tmp_path / "curves.png") as curves:
        assert curves.width > 500
    network, description = load_checkpoint(tmp_path / "best.safetensors")
    config = network.config
    assert (config.n_stacks, config.n_blocks, config.n_discs, config.attention) == (1, 2, 11, False)
    assert description["training"]["real_sites"] and not description["training"]["simulated"]
    assert description["disc_values"] == list(range(1, 12))
    Predictor.load(tmp_path / "network.safetensors", "cpu")
    assert capsys.readouterr().out.count("epoch ") == 3


DEADLY = """
import os, signal, sys
from deepspine_sct.cli.train import main
from deepspine_sct.training.trainer import Trainer

write = Trainer._write_log

def write_and_die(trainer):
    write(trainer)
    os.kill(os.getpid(), signal.SIGKILL)

Trainer._write_log = write_and_die
main(sys.argv[1:])
"""


def test_kill_9_and_the_same_command_again_change_nothing(prepared, tmp_path):
    """Killed as soon as its first epoch is in the log and run again, the command writes the same bytes."""
    arguments = ["-set", prepared, *SMALL, "-epochs", "3", "-v", "0", "-ofolder"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert main([*arguments, str(whole)]) == 0
    process = subprocess.run([sys.executable, "-c", DEADLY, *arguments, str(killed)], cwd=ROOT, check=False)
    assert process.returncode == -signal.SIGKILL and len(rows(killed)) == 1
    assert main([*arguments, str(killed)]) == 0
    for name in ("log.csv", "network.safetensors", "best.safetensors", "curves.png"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes(), name


def test_a_longer_call_goes_on_from_the_last_epoch(prepared, tmp_path):
    """One epoch, then two: the second call adds one, and only one, also with a longer warm-up."""
    arguments = ["-set", prepared, "-ofolder", str(tmp_path), *SMALL, "-v", "0"]
    arguments += ["-epoch-steps", "11"]
    assert main([*arguments, "-epochs", "1"]) == 0
    first = rows(tmp_path)
    assert main([*arguments, "-epochs", "2"]) == 0
    assert rows(tmp_path)[:1] == first and len(rows(tmp_path)) == 2
    assert len(list((tmp_path / "frames").iterdir())) == 2


def test_other_arguments_in_the_same_folder_are_refused(prepared, tmp_path, capsys):
    """Training cannot go on with another seed; the message says what differs."""
    arguments = ["-set", prepared, "-ofolder", str(tmp_path), "-epochs", "1", *SMALL, "-v", "0"]
    assert main(arguments) == 0
    assert main([*arguments, "-seed", "1"]) == 1
    assert "seed 0 to 1" in capsys.readouterr().err


def test_another_set_in_the_same_folder_is_refused(prepared, tmp_path, capsys):
    """A new split may train on what the network was tested on before."""
    more = ["-ofolder", str(tmp_path / "run"), "-epochs", "1", *SMALL, "-v", "0"]
    assert main(["-set", prepared, *more]) == 0
    other = tmp_path / "set"
    phantom.write_bids(tmp_path / "bids", ("sub-1", "sub-2"))
    prepare(["-path-data", str(tmp_path / "bids"), "-o", str(other), "-v", "0"])
    assert main(["-set", str(other), *more]) == 1
    assert "sources -set:" in capsys.readouterr().err


def test_a_start_brings_its_architecture_and_its_prior(prepared, tmp_path):
    """Fine-tuning keeps the features of the checkpoint, whatever -features says."""
    arguments = ["-set", prepared, "-epochs", "1", *SMALL, "-v", "0"]
    assert main([*arguments, "-ofolder", str(tmp_path / "a"), "-loss", "mse", "-c", "t2"]) == 0
    start = tmp_path / "a" / "best.safetensors"
    more = ["-ofolder", str(tmp_path / "b"), "-start", str(start), "-flip", "0.5"]
    assert main([*arguments, *more, "-features", "16"]) == 0
    network, description = load_checkpoint(tmp_path / "b" / "best.safetensors")
    assert network.config.n_features == 8
    assert description["training"]["start"] == "best.safetensors"
    assert description["training"]["flip_share"] == 0.5


def test_the_first_stack_of_a_start_goes_on_alone(prepared, tmp_path, capsys):
    """-start with fewer -stacks keeps so many; more than it has are refused in one line that names the file."""
    arguments = ["-set", prepared, "-epochs", "1", *SMALL, "-v", "0"]
    assert main([*arguments, "-stacks", "2", "-ofolder", str(tmp_path / "a")]) == 0
    start = tmp_path / "a" / "best.safetensors"
    more = ["-start", str(start), "-ofolder", str(tmp_path / "b"), "-stacks"]
    assert main([*arguments, *more, "1"]) == 0
    assert load_checkpoint(tmp_path / "b" / "best.safetensors")[0].config.n_stacks == 1
    capsys.readouterr()
    assert main([*arguments, *more, "3", "-ofolder", str(tmp_path / "c")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert str(start) in line and "-stacks" in line


def test_a_start_of_fewer_discs_goes_on_with_them(prepared, tmp_path):
    """A network that names 13 discs is taught these 13, without being told -discs again."""
    arguments = ["-set", prepared, "-epochs", "1", *SMALL, "-stacks", "1", "-v", "0"]
    assert main([*arguments, "-discs", "13", "-ofolder", str(tmp_path / "a")]) == 0
    start = tmp_path / "a" / "best.safetensors"
    assert main([*arguments, "-start", str(start), "-ofolder", str(tmp_path / "b")]) == 0
    network, description = load_checkpoint(tmp_path / "b" / "best.safetensors")
    assert network.config.n_discs == 13 and description["disc_values"] == list(range(1, 14))


def test_an_imported_original_network_is_no_start(tmp_path, capsys):
    """Its heatmaps have other pixels than training teaches: it is refused in one line, before the sources are read."""
    start = tmp_path / "original.safetensors"
    save_checkpoint(start, OriginalHourglass(OriginalConfig(n_features=8, n_stacks=1)), {"spacing_mm": 1.0})
    assert main(["-set", str(tmp_path / "none"), "-ofolder", str(tmp_path / "run"), "-start", str(start)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{start}: is an imported original network" in line and "leave -start out" in line


@pytest.fixture
def quick(atlas, monkeypatch):
    """Spare the command what other tests measure: it takes the atlas that is built already, and validates on little."""
    monkeypatch.setattr(recipe, "build_atlas", lambda sources: atlas)
    monkeypatch.setattr(held_out, "N_SIMULATED", 2)


@needs_templates
@pytest.mark.parametrize("with_lumbar", [True, False])
def test_simulated_spines_train_with_and_without_lumbar_subjects(
    quick, lumbar_folder, tmp_path, monkeypatch, with_lumbar
):
    """Two networks of two folds from -data; without lumbar/ nobody is kept out, and both commands end well."""
    data = lumbar_folder.parent if with_lumbar else tmp_path / "data"
    seen = []

    def simulate(*arguments, lower=(), **options):
        seen.append(len(lower))
        return simulated(*arguments, lower=lower, **options)

    simulated = dataset.simulate
    monkeypatch.setattr(dataset, "simulate", simulate)
    out = tmp_path / "run"
    arguments = ["-data", str(data), "-ofolder", str(out), *SMALL, "-steps", "2", "-stacks", "1", "-v", "0"]
    assert main([*arguments, "-folds", "0", "1", "-look", "0.1", "-real", "0.3"]) == 0
    for folder, kept_out in ((out, ["a_upright", "d_upright"]), (out / "fold_1", ["b_tilted"])):
        training = load_checkpoint(folder / "network.safetensors")[1]["training"]
        assert training["simulated"] and training["attention_weight"] == 0.1
        assert training["never_seen"] == (kept_out if with_lumbar else [])
        assert training["real_sites"] == (["lumbar"] if with_lumbar else [])
        assert [row["step"] for row in rows(folder)] == ["2"]
    assert set(seen) == ({4} if with_lumbar else {0})


def test_a_training_names_its_data_by_what_is_in_it(tmp_path):
    """A lumbar subject more in -data is another source, and no source is named by the place where it lies."""

    def sources() -> str:
        arguments = ["-data", str(tmp_path / "data"), "-ofolder", str(tmp_path / "run"), "-device", "cpu"]
        return make_config(get_parser().parse_args(arguments), None).sources

    (tmp_path / "data" / "lumbar").mkdir(parents=True)
    before = sources()
    (tmp_path / "data" / "lumbar" / "a_T2w.nii.gz").touch()
    assert before.startswith("-data:") and sources().startswith("-data:") and sources() != before
    assert str(tmp_path) not in before


@pytest.mark.parametrize(
    "arguments",
    [
        ["-ofolder", "o"],
        ["-ofolder", "o", "-set", "s", "-epochs", "0"],
        ["-ofolder", "o", "-set", "s", "-epochs", "1", "-steps", "2"],
        ["-ofolder", "o", "-set", "s", "-discs", "26"],
        ["-ofolder", "o", "-set", "s", "-flip", "2"],
        ["-ofolder", "o", "-set", "s", "-lr", "0"],
        ["-ofolder", "o", "-data", "d", "-folds", "9"],
    ],
)
def test_usage_errors_exit_with_2(arguments):
    """No source, no epoch, two lengths, too many discs, and numbers out of range."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 2


def test_a_set_that_is_none_is_named(tmp_path, capsys):
    """One line, exit 1."""
    assert main(["-set", str(tmp_path), "-ofolder", str(tmp_path / "o")]) == 1
    assert "make the set with sct_deepspine_prepare" in capsys.readouterr().err
