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
