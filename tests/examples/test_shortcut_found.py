"""The planted shortcut, trained and aggregated anew: it is singled out, and the control network's page stays silent.

Smaller than the example (96 patients, 320 steps, 16 cases instead of 128, 400, 32), so that it takes a minute or two.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from shortcut import networks
from shortcut.make import make
from shortcut.patients import A, B
from shortcut.sizes import Size

from voxplain.aggregate.cohort import Beaten, Cohort, expected
from voxplain.report.cohort import Asked, cohort_page
from voxplain.report.cohort.shown.findings import findings
from voxplain.study import load_aggregate, run_study

pytestmark = pytest.mark.long

SETTINGS = """
models:
  shortcut: &net
    source: networks.py:unet
    weights: shortcut.safetensors
    classes: [background, fat, wall, spine, lungs, heart, great vessels, liver, gallbladder, spleen, stomach, kidney left,
              kidney right, bowel]
    task: segmentation
    output: softmax
    spatial_dims: 3
    prepare: {scale: "-200,300"}
  control:
    <<: *net
    weights: control.safetensors
cases: cases.csv
regions: {tables: ["integrated_gradients:nodes=4"], shells: [20, 40, 80, 160], redrawn: 4}
run: {workers: 2, threads: 1}
out: cohort
"""
METHOD = "integrated_gradients"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    folder = tmp_path_factory.mktemp("shortcut")
    make(folder, Size(people=96, steps=320, cases=16))
    shutil.copy(Path(networks.__file__), folder)
    (folder / "cohort.yaml").write_text(SETTINGS, encoding="utf-8")
    run_study(load_aggregate(folder / "cohort.yaml"))
    tables = folder / "cohort" / "tables"
    return Cohort.read(tables / "regions.parquet", tables / "cases" / "shortcut.csv")


def against_nulls(cohort: Cohort, model: str) -> Beaten:
    mass = cohort.matrix("mass", model=model, method=METHOD, partition="predicted")
    found = expected(cohort, mass).against(mass)
    assert found is not None and not found.note
    assert found.nulls == ("volume", "distance", "redrawn weights")
    return found


def test_the_global_view_singles_it_out_and_is_silent_on_the_control(cohort: Cohort) -> None:
    found = {model: against_nulls(cohort, model) for model in ("shortcut", "control")}
    at = found["shortcut"].targets.index(A), found["shortcut"].regions.index(B)
    assert found["shortcut"].mask[at] and found["shortcut"].q[at] < 0.01
    assert not found["control"].mask[at]
    # of what the left kidney depends on, besides itself, nothing else is called, nor is it called in other rows
    own = found["shortcut"].regions.index(A)
    called = {
        r for k, r in enumerate(found["shortcut"].regions) if found["shortcut"].mask[at[0], k] and k != own
    }
    assert called == {B}


def test_the_comparison_of_sites_names_it_first_and_not_for_the_control(cohort: Cohort) -> None:
    told = {}
    for model in cohort_page(cohort, title="", asked=Asked(groups=("site",))).models:
        (suspects,) = (f for f in findings(model.lenses[0], 0.05) if f.title.startswith("Shortcut suspects"))
        told[model.name] = [line.text for line in suspects.lines]
    assert told["shortcut"][0].startswith(
        f"{A}’s dependence on {B} differs between north and south (site): more in south"
    )
    assert "in south alone more than the nulls expect" in told["shortcut"][0]
    assert not any(f"{A}’s dependence on {B}" in line for line in told["control"])
