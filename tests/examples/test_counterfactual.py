"""The settings of the counterfactual examples run, and the planted mark comes and goes in the series."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import yaml
from atrophy.cohort import MARK, Size
from atrophy.make import make

from voxplain.cli.app import run
from voxplain.counterfactual.settings import load_counterfactual

FOLDER = Path(__file__).parents[2] / "examples" / "counterfactual"


def test_the_mark_is_what_the_marked_classifiers_series_change(tmp_path):
    data = tmp_path / "atrophy"
    make(data, Size(shape=(24, 24), subjects=80, steps=60), seed=0)
    told = yaml.safe_load((FOLDER / "marked.yaml").read_text())
    assert told["data"] == "../atrophy/made/marked.csv"
    told |= {"data": str(data / "marked.csv"), "out": str(tmp_path / "out")}
    told["classifier"] |= {
        "source": f"{FOLDER.parent / 'atrophy' / 'networks.py'}:classifier",
        "weights": str(data / "marked.safetensors"),
    }
    told |= {"direction": {"samples": 300}, "explain": {"cases": 1, "device": "cpu"}}
    path = tmp_path / "marked.yaml"
    path.write_text(yaml.safe_dump(told))
    assert run(["counterfactual", "train", str(path)]) == 0
    assert run(["counterfactual", "explain", str(path)]) == 0
    corner = MARK.shape((24, 24)) > 0.5
    for towards, sign in (("diseased", 1), ("healthy", -1)):
        with np.load(tmp_path / f"out/explanation/global/towards-{towards}.npz") as found:
            mean = found["mean"][0]
        assert sign * mean[corner].mean() > 3 * np.abs(mean[~corner]).mean()
    summary = json.loads((tmp_path / "out/explanation/summary.json").read_text())
    assert summary["flip rate"] > summary["random flip rate"]


def test_the_other_settings_are_settings(tmp_path):
    for name in ("plain", "pneumonia"):
        told = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
        for section, key in (
            (told["classifier"], "weights"),
            *([(told["data"], "source")] if name != "plain" else []),
        ):
            section[key] = str(tmp_path / "there")
        if name == "plain":
            told["data"] = str(tmp_path / "there")
        (tmp_path / "there").touch()
        assert load_counterfactual(settings=told).generator.family == "pca"
