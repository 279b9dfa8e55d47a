"""The settings of the counterfactual examples run, and the planted mark comes and goes in the series."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import yaml
from atrophy.cohort import MARK, Size, items, pair
from atrophy.make import make
from counterfactual.truth import WAYS, agreement

from voxplain.cli.app import run
from voxplain.counterfactual.running.families import check_parameters
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
    (tmp_path / "there").touch()
    there = str(tmp_path / "there")
    families = {"plain": "pca", "pneumonia": "pca", "stylegan": "stylegan"}
    families |= {"diffusion": "diffusion", "diffusion_black_box": "diffusion"}
    for name, family in families.items():
        told = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
        if "weights" in told["classifier"]:
            told["classifier"]["weights"] = there
        told["data"] = {**told["data"], "source": there} if isinstance(told["data"], dict) else there
        found = load_counterfactual(settings=told)
        assert found.generator.family == family
        check_parameters(found.generator)


def test_results_are_held_against_each_subjects_own_disease(tmp_path):
    """What is told of a result that is twice the truth, of one that is its opposite, and of one that is nothing."""
    phantoms, size = tmp_path / "phantoms", Size(shape=(16, 16), subjects=20, steps=1)
    phantoms.mkdir()
    (phantoms / "made.json").write_text(json.dumps({"settings": size.settings() | {"seed": 3}}))
    for item in items(size, 3):
        both = pair(item, size, 3)
        before, there = (both.diseased, both.healthy) if item.ill else (both.healthy, both.diseased)
        for name, share in (("double", 2.0), ("opposite", -1.0)):
            place = tmp_path / name / "explanation" / "test" / item.id
            place.mkdir(parents=True)
            after = before.image + share * (there.image - before.image)
            np.savez(place / "generator_grid.npz", before=before.image, after=after)
            towards = "healthy" if item.ill else "diseased"
            told = {
                "id": item.id,
                "towards": towards,
                "right": True,
                "reached": item.number > 1,
                "withheld": "",
            }
            (place / "explanation.json").write_text(json.dumps(told))
    for towards in WAYS:
        twice, back = (agreement(tmp_path / name, phantoms, towards) for name in ("double", "opposite"))
        assert twice is not None and back is not None and twice.images == back.images == 9
        np.testing.assert_allclose([twice.r, twice.size, twice.error], [1, 2, 1], rtol=1e-4)
        np.testing.assert_allclose([back.r, back.size, back.error], [-1, 1, 2], rtol=1e-4)
    assert agreement(tmp_path / "nothing", phantoms, "healthy") is None
