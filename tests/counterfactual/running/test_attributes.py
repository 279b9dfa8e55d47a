"""Single coordinates that change the answer: of a linear classifier their effect is known in closed form."""

from __future__ import annotations

import json

import numpy as np
import pytest
from counterfactual_files import config
from safetensors.torch import load_file
from simulator_files import read_rows

from voxplain.cli.app import run

STEP = 1.5


def test_effects_are_those_of_the_components_and_the_page_shows_them(trained, capsys):
    box = {"source": "nets.py:box", "black_box": True, "classes": ["healthy", "diseased"], "spatial_dims": 2}
    told = {
        "generator": {"folder": "out/generator"}, "out": "lone", "classifier": box,
        "attributes": {"most": 3, "coordinates": 6, "images": 10, "step": STEP},
        "explain": {"device": "cpu", "most": 1, "cases": 0, "files": []},
    }  # fmt: skip
    path = config(trained, **told)
    assert run(["counterfactual", "explain", str(path)]) == 0
    stored = load_file(trained / "out/generator/generator.safetensors")
    slopes = 40 * stored["components"][:6, 0, 4:8, 4:8].mean((1, 2)) * stored["deviations"][:6]
    order = slopes.abs().argsort(descending=True)[:3]
    rows = read_rows(trained / "lone/explanation/attributes/attributes.csv")
    assert [int(row["coordinate"]) for row in rows] == order.tolist()
    for row, k in zip(rows, order, strict=True):
        assert float(row["effect"]) == pytest.approx(STEP * abs(float(slopes[k])), rel=1e-3)
        assert row["sense"] == ("up" if slopes[k] > 0 else "down") and float(row["share"]) == 1
        # a linear model rises in all images alike
        assert float(row["low"]) == pytest.approx(float(row["high"]), rel=1e-3)
        with np.load(
            trained / f"lone/explanation/attributes/coordinate-{int(k):04d}-{row['sense']}.npz"
        ) as found:
            change = found["more"] - found["less"]
        wanted = 2 * STEP * stored["deviations"][k] * stored["components"][k]
        np.testing.assert_allclose(np.abs(change), np.abs(wanted.numpy()), atol=1e-5)
        assert 40 * change[0, 4:8, 4:8].mean() > 0
    page = (trained / "lone/report.html").read_text()
    assert "One coordinate after the other" in page and f"Coordinate {int(order[0])}" in page
    record = trained / "lone/explanation/attributes/attributes.json"
    before = record.stat().st_mtime_ns
    capsys.readouterr()
    assert run(["counterfactual", "explain", str(path)]) == 0
    assert record.stat().st_mtime_ns == before and len(json.loads(record.read_text())["attributes"]) == 3


def test_of_a_stylegan_channels_of_its_styles_are_asked_about(trained, capsys):
    box = {"source": "nets.py:box", "black_box": True, "classes": ["healthy", "diseased"], "spatial_dims": 2}
    short = {"device": "cpu", "progress": False, "steps": 2, "round": 2, "batch": 8, "judged": 8}
    told = {
        "generator": {"family": "stylegan", "parameters": {"width": 4, "most": 8, "styles": 6}}, "out": "styles",
        "training": short, "warm": short, "encoder": short, "classifier": box,
        "direction": {
            "samples": 60, "images": 20, "nulls": 2, "least_r2": -99.0, "least_agreement": -1.0, "least_pattern": -1.0,
        },
        "attributes": {"most": 2, "coordinates": 9, "images": 5, "step": 3.0},
        "explain": {"device": "cpu", "most": 1, "cases": 0, "files": []},
    }  # fmt: skip
    path = str(config(trained, **told))
    assert run(["counterfactual", "train", path]) == 0
    assert run(["counterfactual", "explain", path]) == 0
    # 60 samples, 16 images and their copies; 9 coordinates both ways, and none, in 5 images
    assert (
        f"{60 + 2 * 16 + 5 * (2 * 9 + 1)} for the direction and single coordinates" in capsys.readouterr().out
    )
    rows = read_rows(trained / "styles/explanation/attributes/attributes.csv")
    assert 1 <= len(rows) <= 2 and all(row["place"].startswith("level ") for row in rows)
    assert f"({rows[0]['place']})" in (trained / "styles/report.html").read_text()
    capsys.readouterr()
    told |= {"generator": {"folder": "out/generator"}, "attributes": {"most": 2, "space": "styles"}}
    assert run(["counterfactual", "explain", str(config(trained, **told))]) == 2
    assert "attributes.space: found styles for pca" in " ".join(capsys.readouterr().err.split())
