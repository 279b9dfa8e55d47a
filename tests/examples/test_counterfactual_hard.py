"""The harder cohort: twins belong together, nothing is made twice, and its settings run."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from atrophy.cohort import Size
from counterfactual.make_hard import COLUMNS, make

from voxplain.case import read_case
from voxplain.cli.app import run
from voxplain.phantom.disease import mixed_subject

FOLDER = Path(__file__).parents[2] / "examples" / "counterfactual"
SIZE = Size(shape=(16, 16), subjects=60, steps=40)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hard")
    make(folder, SIZE, seed=3)
    return folder


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "hard.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_image_has_its_twin(made):
    rows = _rows(made)
    assert tuple(rows[0]) == COLUMNS
    assert Counter(row["label"] for row in rows) == {"healthy": 30, "diseased": 30}
    for number, row in list(enumerate(rows))[:6]:
        pair = mixed_subject(SIZE.shape, seed=3, subject=number)
        image, twin = (read_case(made / row[name]).image.reshape(SIZE.shape) for name in ("image", "twin"))
        sign = -1 if row["label"] == "diseased" else 1
        assert row["kind"] == pair.kind
        assert np.allclose(twin - image, sign * pair.effect, atol=1e-5)


def test_nothing_is_made_twice(made):
    stamps = {path: path.stat().st_mtime_ns for path in made.rglob("*.nii.gz")}
    assert set(make(made, SIZE, seed=3)["made"]) == {"data", "hard"}
    assert stamps == {path: path.stat().st_mtime_ns for path in made.rglob("*.nii.gz")}


def test_the_settings_run_with_the_baseline(made, tmp_path):
    told = yaml.safe_load((FOLDER / "hard.yaml").read_text())
    assert told["data"] == "made/hard/hard.csv"
    told |= {"data": str(made / "hard.csv"), "out": str(tmp_path / "out")}
    assert told["generator"] == {"family": "pca"}
    told["direction"] = {"samples": 100, "images": 36, "least_r2": -1.0, "least_agreement": -1.0}
    told["explain"] |= {"most": 2, "cases": 1, "device": "cpu", "files": []}
    told["classifier"] |= {
        "source": f"{FOLDER.parent / 'atrophy' / 'networks.py'}:classifier",
        "weights": str(made / "hard.safetensors"),
    }
    path = tmp_path / "hard.yaml"
    path.write_text(yaml.safe_dump(told))
    assert run(["counterfactual", "train", str(path)]) == 0
    assert run(["counterfactual", "explain", str(path)]) == 0
    assert json.loads((tmp_path / "out/explanation/summary.json").read_text())["images"] == 2
