"""The learnt prior: what made the spines comes out, whoever is missing which disc."""

import json
from dataclasses import replace

import numpy as np
import phantom
import pytest

from deepspine_sct.cli.learn_prior import _load
from deepspine_sct.cli.learn_prior import main as learn
from deepspine_sct.cli.prepare import main as prepare
from deepspine_sct.errors import DeepspineError
from deepspine_sct.labeling.predictor import Predictor
from deepspine_sct.labeling.prior import SkeletonPrior
from deepspine_sct.labeling.prior_fit import PRIOR_SPINES, fit_prior
from deepspine_sct.model.checkpoint import load_checkpoint, save_checkpoint
from deepspine_sct.model.hourglass import StackedHourglass
from deepspine_sct.model.hourglass_config import HourglassConfig

START = SkeletonPrior.default()


def spine(rng, spacing_mm, size=1.0, spread=0.0, first=1, last=25) -> dict[int, np.ndarray]:
    """One person: successive discs along a line that leans, each step with its own error."""
    direction = np.array([0.1, -0.3, -1.0]) / np.linalg.norm([0.1, -0.3, -1.0])
    steps_mm = size * np.asarray(spacing_mm) * np.exp(spread * rng.standard_normal(24))
    at_mm = np.concatenate([[0], np.cumsum(steps_mm)])
    return {v: at_mm[v - 1] * direction for v in range(first, last + 1)}


def test_many_people_give_back_what_made_them():
    """Spacings within 2 %, their spread and the body sizes, from partial views of 300 spines."""
    rng = np.random.default_rng(0)
    truth_mm = np.array(START.spacing_mm) * np.exp(0.15 * np.sin(np.arange(24)))
    truth_mm *= np.exp(np.mean(np.log(START.spacing_mm)) - np.mean(np.log(truth_mm)))
    people = []
    for _ in range(300):
        first = int(rng.integers(1, 14))
        size = 0.9 * np.exp(0.08 * rng.standard_normal())
        people.append(spine(rng, truth_mm, size, 0.05, first, first + 12))
    prior, n_measured = fit_prior(people)
    np.testing.assert_allclose(prior.spacing_mm, truth_mm, rtol=0.02)
    np.testing.assert_allclose(np.array(prior.spread)[4:20], 0.05, atol=0.008)
    assert prior.scale_mean == pytest.approx(0.9, abs=0.015)
    assert prior.scale_sd == pytest.approx(0.08, abs=0.01)
    assert n_measured.sum() == 300 * 12


def test_the_spacings_equal_a_dense_least_squares():
    """The same model as one explicit table of equations, solved by numpy."""
    rng = np.random.default_rng(1)
    people = [spine(rng, START.spacing_mm, 0.8 + 0.1 * i, 0.1, 2 + i, 9 + 2 * i) for i in range(4)]
    rows, values = [], []
    for i, points in enumerate(people):
        for v in points:
            if v + 1 in points:
                row = np.zeros(4 + 24)
                row[i] = row[4 + v - 1] = 1
                rows.append(row)
                values.append(np.log(np.linalg.norm(points[v + 1] - points[v])))
    for v in range(24):
        row = np.zeros(4 + 24)
        row[4 + v] = np.sqrt(PRIOR_SPINES)
        rows.append(row)
        values.append(np.sqrt(PRIOR_SPINES) * np.log(START.spacing_mm[v]))
    solution = np.linalg.lstsq(np.array(rows), np.array(values), rcond=None)[0]
    prior, _ = fit_prior(people)
    np.testing.assert_allclose(prior.spacing_mm, np.exp(solution[4:]), rtol=1e-4)
    assert prior.scale_mean == pytest.approx(np.exp(solution[:4].mean()), abs=1e-4)


def test_larger_people_are_a_larger_size_not_other_spacings():
    """Everybody 10 % taller: the body size is 10 % more and nothing else changes."""
    rng = np.random.default_rng(2)
    people = [spine(rng, START.spacing_mm, 0.9, 0.06, 3, 12) for _ in range(5)]
    taller = [{v: 1.1 * xyz for v, xyz in points.items()} for points in people]
    one, two = fit_prior(people)[0], fit_prior(taller)[0]
    np.testing.assert_allclose(one.spacing_mm, two.spacing_mm, rtol=1e-3)
    assert two.scale_mean == pytest.approx(1.1 * one.scale_mean, rel=1e-3)


def test_what_nobody_shows_stays_what_it_was():
    """Lumbar distances and spread of the start survive cervical scans; so do the weights."""
    rng = np.random.default_rng(3)
    start = replace(START, evidence_weight=0.4, spread=(0.2,) * 24)
    prior, n_measured = fit_prior([spine(rng, START.spacing_mm, last=9)], start)
    assert n_measured.tolist() == [1] * 8 + [0] * 16
    np.testing.assert_allclose(prior.spacing_mm[8:], START.spacing_mm[8:], rtol=1e-4)
    assert prior.spread[8:] == (0.2,) * 16 and prior.evidence_weight == 0.4


def test_gaps_are_not_distances():
    """Discs with one missing between them say nothing; none at all is an error."""
    rng = np.random.default_rng(4)
    points = spine(rng, START.spacing_mm, first=3, last=7)
    del points[5]
    assert fit_prior([points])[1].sum() == 2
    with pytest.raises(DeepspineError, match="two successive discs"):
        fit_prior([{3: np.zeros(3), 5: np.ones(3)}])


def test_the_command_stores_what_it_learnt_in_a_checkpoint(tmp_path, capsys):
    """Two contrasts of a person count once; the predictor reads the prior; the network's and its tuned weights stay."""
    phantom.write_bids(tmp_path / "data")
    prepare(["-path-data", str(tmp_path / "data"), "-o", str(tmp_path / "set"), "-v", "0"])
    model = tmp_path / "model.safetensors"
    description = {"spacing_mm": 2.0, "thickness_mm": 5.0, "loss": "cross_entropy", "prior": {"evidence_weight": 0.4}}
    network = StackedHourglass(HourglassConfig(n_features=8))
    save_checkpoint(model, network, description)
    names = {key: tmp_path / f"new_{key}" / f"out.{key}" for key in ("safetensors", "json", "png")}
    status = learn(
        ["-set", str(tmp_path / "set"), "-part", "all", "-model", str(model)]
        + ["-o", str(names["safetensors"]), "-json", str(names["json"]), "-plot", str(names["png"])]
    )
    assert status == 0 and "n=3" in capsys.readouterr().out
    prior = Predictor.load(names["safetensors"], "cpu").prior
    assert prior == SkeletonPrior.from_dict(json.loads(names["json"].read_text()))
    assert prior.evidence_weight == 0.4
    # Every step of the phantom has one length: the distances learnt are more alike than before.
    assert np.ptp(prior.spacing_mm[2:6]) < np.ptp(START.spacing_mm[2:6])
    assert names["png"].read_bytes()[:4] == b"\x89PNG"
    before, after = (load_checkpoint(p)[0].state_dict() for p in (model, names["safetensors"]))
    assert all((before[key] == after[key]).all() for key in before)


def test_a_network_whose_prior_has_another_length_is_refused(tmp_path):
    """What is learnt is not put into a prior that no scan could be named with; the message names the file."""
    model = tmp_path / "model.safetensors"
    save_checkpoint(model, StackedHourglass(HourglassConfig(n_features=8)), {"prior": {"spread": [0.1]}})
    with pytest.raises(DeepspineError, match=r"model\.safetensors: its prior cannot be used .*; check -model"):
        _load(model)


def test_a_model_without_a_place_to_write_is_a_usage_error(tmp_path):
    """-model and -o go together."""
    with pytest.raises(SystemExit) as end:
        learn(["-set", str(tmp_path), "-model", "m.safetensors"])
    assert end.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-json", "set/set.json"], "is an input and would be overwritten"),
        (["-model", "m.safetensors", "-o", "m.safetensors"], "is an input and would be overwritten"),
        (["-json", "p.json", "-plot", "p.json"], "a picture is written as .png"),
        (["-model", "m.safetensors", "-o", "m.txt"], "a checkpoint is written as .safetensors"),
    ],
)
def test_an_output_that_would_do_harm_is_refused(tmp_path, monkeypatch, capsys, arguments, message):
    """Before anything is read, so the files need not even be what they seem to be."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set").mkdir()
    for name in ("set/set.json", "m.safetensors"):
        (tmp_path / name).write_text("mine")
    assert learn(["-set", "set", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert {path.name for path in tmp_path.iterdir()} == {"set", "m.safetensors"}
    assert (tmp_path / "set" / "set.json").read_text() == (tmp_path / "m.safetensors").read_text() == "mine"
