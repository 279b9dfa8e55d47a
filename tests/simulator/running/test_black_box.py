"""A function without gradients through the command line: scores are its own, and the surrogate's fidelity is told."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from simulator_files import NETS, config, files, read_rows

from voxplain.case import read_case
from voxplain.cli.app import run
from voxplain.errors import InputError
from voxplain.phantom.disease.rules import SizeRule, windows
from voxplain.simulator.settings import load_simulator

BOX = """
import numpy as np
from pathlib import Path
from safetensors.numpy import load_file

def box(images):
    told = load_file(Path(__file__).parent / "rule.safetensors")
    borders, brighter, signs = (0.375, 0.725), (-1, 1), (1, -1)
    logit = 0
    for k in range(2):
        soft = 1 / (1 + np.exp(-brighter[k] * (images[:, 0] - borders[k]) / 0.05))
        size = (told["window"][k] * soft).sum((1, 2))
        logit = logit + 4 * signs[k] * (size - told["middle"][k]) / told["gap"][k] / 2
    return np.stack([-logit / 2, logit / 2], 1)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("box")
    files(root)
    (root / "nets.py").write_text(NETS + BOX)
    told = {
        "classifier": {
            "source": "nets.py:box",
            "black_box": True,
            "classes": ["healthy", "diseased"],
            "spatial_dims": 2,
        },
        "surrogate": {"epochs": 60},
        "seeds": [0],
    }
    path = config(root, **told)
    for command in ("train", "explain"):
        assert run(["simulate", command, str(path)]) == 0
    return path


def test_scores_are_those_of_the_black_box(made):
    rule = SizeRule("both", windows((16, 16), ("left", "right")), [0.0, 0.0], [1.0, 1.0])
    rule.load_state_dict(load_file(made.parent / "rule.safetensors"))
    for place in sorted((made.parent / "out/explanation/seed-0/test").iterdir())[:4]:
        told = json.loads((place / "explanation.json").read_text())
        frames = read_case(place / "frames.nii.gz").image[..., 0][:, None, ::-1, ::-1].copy()
        assert rule.logit(torch.from_numpy(frames)).tolist() == pytest.approx(told["scores"], abs=2e-3)
        if told["reached"]:
            wanted = told["target"]
            assert (told["scores"][4] - wanted) * np.sign(wanted) > -0.02


def test_fidelity_is_in_the_folder_and_on_the_page(made):
    folder = made.parent / "out/surrogate"
    told = json.loads((folder / "fidelity.json").read_text())["fidelity"]
    (row,) = csv.DictReader((folder / "fidelity.csv").open())
    assert float(row["r2"]) == pytest.approx(told["r2"])
    assert row["part"] == "test"
    assert int(row["images"]) == 10
    page = (made.parent / "out/report.html").read_text()
    assert "Fidelity of the surrogate" in page
    low = told["r2"] < 0.5 or told["agreement"] < 0.9
    assert ("LOW FIDELITY" in page) == low
    assert ("The classifier is a black box" in page) != low


def test_the_surrogate_is_learned_once(made, capsys):
    weights = made.parent / "out/surrogate/weights.safetensors"
    before = weights.stat().st_mtime_ns
    assert run(["simulate", "train", str(made), "--dry-run"]) == 0
    assert run(["simulate", "train", str(made)]) == 0
    assert weights.stat().st_mtime_ns == before
    assert "the surrogate decides as the black box in" in capsys.readouterr().out


def test_most_decisions_are_changed(made):
    rows = read_rows(made.parent / "out/explanation/subjects.csv")
    flipped = [float(r["logit before"]) * float(r["logit after"]) < 0 for r in rows]
    assert np.mean(flipped) >= 0.7


def test_weights_of_a_black_box_are_refused(made):
    with pytest.raises(InputError, match=r"classifier\.black_box: found weights"):
        load_simulator(made, overrides=[f"classifier.weights={made.parent / 'rule.safetensors'}"])


def test_a_surrogate_that_has_learned_nothing_is_blamed_and_not_the_classifier(made, tmp_path, capsys):
    shutil.copytree(made.parent, tmp_path / "copy", ignore=shutil.ignore_patterns("out"))
    path = tmp_path / "copy" / made.name
    capsys.readouterr()
    # no steps to speak of: it says the same of every image
    assert (
        run(
            [
                "simulate",
                "train",
                str(path),
                "--set",
                "surrogate.epochs=1",
                "--set",
                "surrogate.learning_rate=1e-9",
            ]
        )
        == 2
    )
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "warning" not in line]
    assert "surrogate: of 10 images of class '" in line
    assert "in train the network that has learned the black box gets none right" in line
    assert "variance (R²)" in line
    # and a better one is not turned away by what is left of that
    assert not (tmp_path / "copy/out/training/seed-0/last.json").exists()
    assert run(["simulate", "train", str(path), "--set", "training.epochs=1"]) == 0


def test_a_surrogate_of_other_images_is_learned_anew(made, tmp_path):
    shutil.copytree(made.parent, tmp_path / "copy")
    root = tmp_path / "copy"
    weights = root / "out/surrogate/weights.safetensors"
    before = weights.read_bytes()
    shutil.copyfile(root / "i2.nii.gz", root / "i0.nii.gz")
    other = ["--set", "seeds=[1]", "--set", "training.epochs=1"]
    assert run(["simulate", "train", str(root / made.name), *other]) == 0
    assert weights.read_bytes() != before
