"""Confounders of the settings are out of the direction, and the page tells how much of each it held."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from counterfactual_files import config
from simulator_files import read_rows, write_rows

from voxplain.case import read_case
from voxplain.cli.app import run

FEW = {"device": "cpu", "cases": 1, "most": 2, "files": []}


@pytest.fixture(scope="module")
def table(trained) -> Path:
    rows = read_rows(trained / "subjects.csv")
    for n, row in enumerate(rows):
        row["shade"] = f"{100 * read_case(trained / row['image']).image.mean():.4f}" if n != 3 else ""
        row["wild"] = f"w{n}"
        row["same"] = "1"
    write_rows(trained / "told.csv", rows)
    return trained / "told.csv"


def explained(root: Path, out: str, **direction) -> dict:
    told = {"samples": 300, "images": 40, "nulls": 2} | direction
    path = config(
        root, data="told.csv", generator={"folder": "out/generator"}, direction=told, explain=FEW, out=out
    )
    assert run(["counterfactual", "explain", str(path)]) == 0
    return json.loads((root / out / "explanation/summary.json").read_text())


def brighter(root: Path, out: str) -> float:
    """How much brighter or darker images become, on average."""
    found = []
    for place in sorted((root / out / "explanation/test").iterdir()):
        with np.load(place / "generator_grid.npz") as grid:
            found.append(abs(float((grid["after"] - grid["before"]).mean())))
    return float(np.mean(found))


@pytest.mark.parametrize("kind", ["ridge", "local"])
def test_brightness_stays_where_it_is_a_confounder(trained, table, kind):
    plain = explained(trained, f"plain-{kind}", kind=kind)
    assert plain["confounders"] == []
    summary = explained(trained, f"known-{kind}", kind=kind, confounders=["brightness", "shade", "site"])
    found = {row["name"]: row for row in summary["confounders"]}
    assert set(found) == {"brightness", "shade", "site=north", "site=south"}
    bright, shade = found["brightness"], found["shade"]
    assert bright["r2"] > 0.99 and bright["images"] == shade["images"] == 8
    assert abs(bright["before"]) > 0.3 > 0.1 > abs(bright["after"])
    assert shade["r2"] < 0.9  # sixteen images tell less than three hundred samples
    assert brighter(trained, f"known-{kind}") < 0.1 * brighter(trained, f"plain-{kind}")
    page = (trained / f"known-{kind}/report.html").read_text()
    assert "carried before" in page and "site=north" in page


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("shadow", "direction.confounders: found 'shadow'; did you mean 'shade'"),
        ("same", "same is '1' in all 16 training images, expected some that differ"),
        ("wild", "wild has 16 values in 16 training images, such as 'w"),
    ],
)
def test_confounders_that_cannot_be(trained, table, capsys, tmp_path, name, says):
    path = config(
        trained, data=table.name, generator={"folder": "out/generator"}, direction={"confounders": [name]}
    )
    capsys.readouterr()
    assert run(["counterfactual", "explain", str(path), "--set", f"out={tmp_path}"]) == 2
    assert says in capsys.readouterr().err
