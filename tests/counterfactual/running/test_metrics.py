"""Metrics of the table and the page, held against the files and against classifiers whose answer is known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from counterfactual_files import CLASSIFIER, config
from safetensors.torch import load_file
from simulator_files import read_rows

from voxplain.cli.app import run
from voxplain.counterfactual.measure.features import RandomFeatures, in_batches
from voxplain.counterfactual.measure.realism import kernel_distance
from voxplain.counterfactual.running.summary import oracle_of
from voxplain.inherent.data.prepared import Images

ORACLES = """

def blind():
    from torch import nn

    class Blind(nn.Module):
        def __init__(self):
            super().__init__()
            self.own = rule()
        def forward(self, x):
            out = self.own(0 * x + 0.5) + 1e-6 * x.flatten(1).sum(1, keepdim=True)
            return out * out.new_tensor([1.0, -1.0])
    return Blind()
"""
FEW = {"device": "cpu", "cases": 1, "most": 8, "files": []}


def explained(root: Path, oracle, out: str) -> tuple[list[dict[str, str]], dict, str]:
    told = {
        "generator": {"folder": "out/generator"},
        "classifier": CLASSIFIER | {"oracle": oracle},
        "explain": FEW,
    }
    assert run(["counterfactual", "explain", str(config(root, out=out, **told))]) == 0
    summary = json.loads((root / out / "explanation/summary.json").read_text())
    return read_rows(root / out / "explanation/images.csv"), summary, (root / out / "report.html").read_text()


def grids(root: Path, out: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
    found = []
    for place in sorted((root / out / "explanation/test").iterdir()):
        with np.load(place / "generator_grid.npz") as stored:
            found.append((torch.from_numpy(stored["before"]), torch.from_numpy(stored["after"])))
    return found


@pytest.fixture(scope="module")
def judged(trained):
    return explained(trained, {k: v for k, v in CLASSIFIER.items() if k != "classes"}, "judged")


def test_the_axioms_of_a_projection(trained, judged):
    """Copies of copies of a projection are the copy; and steps within its plane are taken back exactly."""
    stored = load_file(trained / "out/generator/generator.safetensors")
    basis, mean = stored["components"].flatten(1), stored["mean"].flatten()
    for row, (before, after) in zip(judged[0], grids(trained, "judged"), strict=True):
        rest = before.flatten() - mean
        error = float((rest - basis.T @ (basis @ rest)).abs().mean())
        assert float(row["composition"]) == pytest.approx(error, rel=1e-3)
        assert float(row["reversibility"]) < 1e-5 < float(row["change"])
        assert float(row["l2"]) == pytest.approx(float(((after - before) ** 2).mean().sqrt()), rel=1e-4)


def test_identity_is_told_by_features_of_training_images(trained, judged):
    from voxplain.counterfactual.running.task import prepare_task
    from voxplain.counterfactual.settings import load_counterfactual

    task = prepare_task(load_counterfactual(config(trained)))
    images = Images(task.samples, task.preparation)
    features = RandomFeatures(1, 2)
    learned = in_batches(features, torch.stack([images[i] for i in task.split.train]))
    deviation = learned.std(0)
    kept = deviation > 1e-6 * deviation.max()

    def scaled(found):
        return ((found - learned.mean(0)) / deviation)[:, kept]

    for row, pair in zip(judged[0], grids(trained, "judged"), strict=True):
        a, b = scaled(features(torch.stack(pair)))
        assert float(row["identity"]) == pytest.approx(float(a @ b / (a.norm() * b.norm())), abs=1e-4)
        nearest = float((a - b).norm()) < float((scaled(learned) - b).norm(dim=1).min())
        assert (row["own nearest"] == "yes") == nearest
    # the ends as a set, of each way against held-out images with the label
    (real,) = [r for r in judged[1]["realism"] if r["towards"] == "healthy"] or [None]
    if real is not None:
        label = task.samples.classes.index("healthy")
        held = [i for i in (*task.split.validation, *task.split.test) if task.samples[i].label == label]
        ends = [b for row, (_, b) in zip(judged[0], grids(trained, "judged"), strict=True)
                if row["towards"] == "healthy" and row["flipped"] == "yes"]  # fmt: skip
        wanted = kernel_distance(
            scaled(in_batches(features, torch.stack([images[i] for i in held]))),
            scaled(features(torch.stack(ends))),
        )
        assert real["kid"] == pytest.approx(wanted, rel=1e-2) and real["real images"] == len(held)


def test_an_oracle_that_is_the_classifier_agrees_and_a_blind_one_does_not(trained, judged, capsys):
    rows, summary, page = judged
    assert summary["oracle"]["agreement"] == 1 and summary["oracle"]["correlation"] == pytest.approx(1)
    for row in rows:
        assert float(row["oracle after"]) == pytest.approx(float(row["logit after"]), abs=1e-4)
    assert "decisions that the oracle sees change, too" in page and "oracle agrees" in page
    with (trained / "nets.py").open("a") as file:
        file.write(ORACLES)
    capsys.readouterr()
    _, summary, page = explained(trained, CLASSIFIER | {"source": "nets.py:blind", "own_weights": True, "weights": None},
                                 "blind")  # fmt: skip
    assert summary["oracle"]["agreement"] == 0
    assert "The oracle sees only 0 % of the decisions change" in capsys.readouterr().out


def test_an_oracle_is_asked_about_what_it_decides_alike_at_first():
    def row(before, after, oracle_before, oracle_after):
        return {"logit before": before, "logit after": after, "flipped": before * after < 0,
                "oracle before": oracle_before, "oracle after": oracle_after}  # fmt: skip

    rows = [row(-1, 1, -2, 2), row(-1, 1, -2, -1), row(-1, 1, 1, 2), row(1, 0.5, 1, -1), row(2, -2, 3, -3)]
    found = oracle_of(rows)
    assert found["images"] == 3 and found["agreement"] == pytest.approx(2 / 3)
    own, other = np.array([2, 2, 2, -0.5, -4]), np.array([4, 1, 1, -2, -6])
    assert found["correlation"] == pytest.approx(np.corrcoef(own, other)[0, 1])
    assert oracle_of([{"logit before": 1.0}]) is None


def test_an_oracle_that_cannot_be_is_told(trained, capsys):
    path = config(trained, classifier=CLASSIFIER | {"oracle": {"source": "nets.py:rule"}})
    assert run(["counterfactual", "explain", str(path)]) == 2
    assert "classifier.oracle: classifier.weights: found none" in capsys.readouterr().err
