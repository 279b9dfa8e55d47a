"""Several answers by settings alone: networks, dropped units and mirror images, held against asking them by hand."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import numpy as np
import pytest
import torch
from inherent_runs import config, spots
from scipy.special import softmax

from voxplain.case import read_case
from voxplain.cli.app import run
from voxplain.errors import InputError
from voxplain.inherent import load_inherent, prepare_task, train_inherent, trained_network
from voxplain.inherent.data import Reader, prepared
from voxplain.inherent.uncertainty import thinned

FLIPS = [(), (2,), (3,), (2, 3)]
PARAMETERS = {"widths": [4, 8], "norm": "batch", "dropout": 0.3}
NETWORK = {"name": "gp_unet", "pool": "topk:share=0.1", "parameters": PARAMETERS}
TRAINING = {
    "epochs": 6, "batch": 8, "learning_rate": 0.02, "augment": None, "device": "cpu", "progress": False,
    "duplicates": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("run")
    path = config(
        root, spots(root), network=NETWORK, training=TRAINING,
        uncertainty={"mirrored": True, "dropout": 2, "ensemble": 2},
    )  # fmt: skip
    for command in ("train", "predict", "evaluate"):
        assert run(["inherent", command, str(path)]) == 0
    return path


def table(path: Path) -> list[dict]:
    found = duckdb.sql(f"SELECT * FROM '{path}'")
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def test_files_are_mean_and_spread_of_all_answers(made):
    task = prepare_task(load_inherent(made))
    networks = [trained_network(task, number) for number in range(2)]
    rows = table(made.parent / "out/prediction/predictions.parquet")
    folders = sorted((made.parent / "out/prediction/cases/test").iterdir())
    for index, folder in list(zip(task.split.test, folders, strict=True))[:4]:
        sample = task.samples[index]
        image, answers, logits = prepared(sample, task.preparation, Reader()).image[None], [], []
        for network in networks:
            for draw in range(2):
                with thinned(network, draw), torch.no_grad():
                    answers += [network.evidence(image.flip(f)).flip(f)[0].numpy() for f in FLIPS]
                    logits += [network(image.flip(f))[0].numpy() for f in FLIPS]
        assert len(answers) == 16
        np.testing.assert_allclose(read_case(folder / "evidence.npz").image, np.mean(answers, 0), atol=1e-5)
        np.testing.assert_allclose(read_case(folder / "spread.npz").image, np.std(answers, 0), atol=1e-5)
        mine = [r for r in rows if r["id"] == sample.id]
        each = softmax(np.stack(logits).astype(np.float64), axis=1)
        assert [r["logit"] for r in mine] == pytest.approx(np.mean(logits, axis=0), abs=1e-5)
        assert [r["mean probability"] for r in mine] == pytest.approx(each.mean(axis=0), abs=1e-6)
        assert [r["probability deviation"] for r in mine] == pytest.approx(each.std(axis=0), abs=1e-6)
        assert all(r["mutual information"] >= 0 for r in mine)


def test_evaluation_says_whether_doubt_predicts_dice_and_errors(made):
    rows = [r for r in table(made.parent / "out/evaluation/numbers.parquet") if r["part"] == "uncertainty"]
    expected = {
        "auroc of right decisions",
        "gain of rejection in accuracy",
        "spearman with dice",
        "gain of rejection in dice",
    }
    for stratum in ("confidence", "agreement of several answers"):
        assert {r["metric"] for r in rows if r["stratum"] == stratum} == expected
    page = (made.parent / "out/evaluation/report.html").read_text()
    assert "agreement of several answers" in page


def test_networks_differ_in_their_seeds_and_those_that_are_there_stay(made):
    training = made.parent / "out/training"
    first, second = (f / "weights.safetensors" for f in (training, training / "members/1"))
    before = [f.read_bytes() for f in (first, second)]
    assert before[0] != before[1]
    told = [json.loads((f.parent / "training.json").read_text())["settings"]["seed"] for f in (first, second)]
    assert told == [0, 1]
    second.unlink()
    (second.parent / "last.json").unlink()  # as if the second had been cut off at its start
    train_inherent(prepare_task(load_inherent(made, overrides=["uncertainty.ensemble=3"])))
    assert [f.read_bytes() for f in (first, second)] == before
    assert (training / "members/2/weights.safetensors").exists()


def test_the_first_network_is_the_one_of_no_ensemble(made, tmp_path):
    path = config(tmp_path, spots(tmp_path), network=NETWORK, training=TRAINING)
    train_inherent(prepare_task(load_inherent(path)))
    weights = "out/training/weights.safetensors"
    assert (tmp_path / weights).read_bytes() == (made.parent / weights).read_bytes()


def test_the_cost_of_all_answers_is_told_before(made, capsys):
    def told(*overrides: str) -> str:
        flags = [f for o in overrides for f in ("--set", o)]
        assert run(["inherent", "train", str(made), "--dry-run", *flags]) == 0
        return capsys.readouterr().out

    assert "18 steps" in told("uncertainty.ensemble=1") and "54 steps" in told("uncertainty.ensemble=3")


def test_dropping_needs_layers_that_drop(tmp_path):
    path = config(tmp_path, spots(tmp_path, 12), uncertainty={"dropout": 3})
    with pytest.raises(InputError, match="no layer that drops anything"):
        train_inherent(prepare_task(load_inherent(path)))
    assert not (tmp_path / "out").exists()
