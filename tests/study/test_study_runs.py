"""What a study finds is what the public API finds in one process, to the last bit, whatever the number of workers."""

from __future__ import annotations

import csv
import hashlib
import html
import json
from pathlib import Path

import duckdb
import nibabel as nib
import numpy as np
import pytest
import torch
from report.viewer.volumes import of_page, unpacked
from safetensors.torch import load_file
from studies import Place

from voxplain.attribution import method
from voxplain.engine import Problem
from voxplain.metric import evaluate
from voxplain.report.viewer import assets
from voxplain.study.planning.plan import plan
from voxplain.study.settings.load import load_study
from voxplain.study.working.held import Held

METHODS = "[gradient, 'smoothgrad:draws=3', 'integrated-gradients:nodes=3', 'lime:samples=60,supervoxels=10', grad-cam]"
METRICS = (
    "[complexity, faithfulness_correlation, infidelity, completeness, {name: deletion, steps: 4}, "
    "{name: sensitivity_max, draws: 2}, {name: mprt_absolute, steps: 2}, mean_agreement]"
)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Place]:
    """The same study with one worker and with three."""
    places = {}
    for workers in (1, 3):
        places[workers] = Place(tmp_path_factory.mktemp(f"workers-{workers}"))
        places[workers].write(METHODS, METRICS, f"run: {{workers: {workers}}}\nnulls: 2\nseed: 5\n")
        ran = places[workers].run()
        assert ran.code == 0, ran.err
    return places


def test_maps_are_bit_equal_whatever_the_number_of_workers(two: dict[int, Place]) -> None:
    files = sorted((two[1].folder / "out/working").rglob("*.safetensors"))
    assert len(files) == 2 * (5 + 1)
    for file in files:
        other = two[3].folder / file.relative_to(two[1].folder)
        a, b = load_file(file), load_file(other)
        assert a.keys() == b.keys()
        assert a
        for name in a:
            assert torch.equal(a[name].view(torch.uint8), b[name].view(torch.uint8)), (file.name, name)


def test_figures_are_equal_whatever_the_number_of_workers(two: dict[int, Place]) -> None:
    files = sorted((two[1].folder / "out/judged").rglob("*.json"))
    assert len(files) == 2 * (1 + 3 * 6)
    for file in files:
        a, b = (json.loads((p.folder / file.relative_to(two[1].folder)).read_text()) for p in two.values())
        for name in a:
            for part in ("maps", "nulls", "matrix", "passes"):
                assert a[name].get(part) == b[name].get(part), (file.name, name)


def test_it_finds_what_the_public_api_finds(two: dict[int, Place], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(two[1].folder)
    settings = load_study(Path("study.yaml"))
    held = Held(plan(settings), "cpu", lambda *_: None)
    model = held.model("net")
    problem = Problem(model, held.case(1), ["1"], seed=5)
    names = list(held.plan.methods)
    made = {n: held.method(n).attribute(problem) for n in names}
    found = evaluate(problem, made, [m.metric for m in held.plan.metrics.values()], random_nulls=2)
    here = {(r["method"], r["metric"]): r for r in found.rows()}
    table = duckdb.sql("select * from 'out/tables/metrics.parquet' where \"case\" = '1'")
    there = [dict(zip(table.columns, row, strict=True)) for row in table.fetchall()]
    assert len(there) == len(here) == 5 * 8
    for row in there:
        truth = here[row["method"], row["metric"]]
        for column in ("value", "low", "high", "null_zero", "null_random", "null_edges", "excess"):
            expected = truth.get(column, float("nan"))
            value = float("nan") if row[column] is None else row[column]
            assert value == pytest.approx(expected, rel=1e-4, abs=1e-6, nan_ok=True), (
                row["method"],
                row["metric"],
                column,
            )
        for column in ("tells", "better", "meaning", "family", "parameters", "target", "image", "network"):
            assert row[column] == truth[column], (row["method"], row["metric"], column)


def test_maps_lie_on_the_scan(two: dict[int, Place]) -> None:
    scan = nib.load(two[1].folder / "case-0.nii.gz")
    found = nib.load(two[1].folder / "out/maps/net/0/gradient/class-1.nii.gz")
    np.testing.assert_allclose(found.affine, scan.affine)
    assert found.shape == scan.shape
    stored = load_file(two[1].folder / "out/working/net/0/gradient.safetensors")["0"]
    np.testing.assert_allclose(np.asarray(found.dataobj), stored[0].numpy(), rtol=1e-6)


def test_perturbations_are_paid_once_for_all_methods(tmp_path: Path) -> None:
    """Removals cost as many passes for five methods as for one; only what each map asks of itself grows."""
    passes = {}
    for number, methods in ((1, "[gradient]"), (5, METHODS)):
        (tmp_path / str(number)).mkdir()
        place = Place(tmp_path / str(number), cases=1)
        place.write(
            methods, "[faithfulness_correlation, infidelity, dummy_share]", "run: {workers: 1}\nnulls: 2\n"
        )
        assert place.run().code == 0
        passes[number] = place.marker("0/judge-shared-all")["result"]["passes"]
    assert passes[1] == passes[5]
    assert passes[1]["forward"] > 64


def test_tables_and_page_tell_the_same(two: dict[int, Place]) -> None:
    out = two[1].folder / "out"
    with (out / "tables/comparison.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    means = duckdb.sql(
        f"select method, metric, avg(value) from '{out}/tables/metrics.parquet' group by all having count(value) > 0"
    ).fetchall()
    told = {(r["method"], r["metric"]): float(r["mean"]) for r in rows if r["mean"]}
    assert told.keys() == {(m, k) for m, k, _ in means}
    for m, k, mean in means:
        assert told[m, k] == pytest.approx(mean, rel=1e-4)
    with (out / "tables/tasks.csv").open(encoding="utf-8") as file:
        assert {r["status"] for r in csv.DictReader(file)} == {"ok"}
    page = (out / "report.html").read_text(encoding="utf-8")
    with (out / "tables/verdicts.csv").open(encoding="utf-8") as file:
        verdicts = list(csv.DictReader(file))
    assert [v["method"] for v in verdicts] == [
        "gradient",
        "smoothgrad",
        "integrated_gradients",
        "lime",
        "grad_cam",
    ]
    assert all(v["level"] == "cannot tell" for v in verdicts)
    assert "data:image/png;base64," in page


def test_the_page_states_hashes_regions_and_lights(two: dict[int, Place]) -> None:
    place = two[1]
    page = html.unescape((place.folder / "out/report.html").read_text(encoding="utf-8"))
    for file in ("case-0.nii.gz", "case-1.nii.gz", "nets.py"):
        assert hashlib.sha256((place.folder / file).read_bytes()).hexdigest() in page
    assert str(place.folder) not in page
    for told in (
        "What the model found",
        "Where the maps lie",
        "What this page cannot tell",
        "Intended use: Research only",
    ):
        assert told in page
    assert "not calibrated on your data" in page
    # two cases say nothing of others, so that no light is green
    assert 'class="trust good"' not in page
    regions = place.marker("0/map-gradient")["result"]["regions"]
    assert regions
    labels = np.asarray(nib.load(place.folder / "out/predictions/net/0.nii.gz").dataobj)
    for table in regions:
        values = np.abs(
            nib.load(place.folder / f"out/maps/net/0/gradient/{table['target']}.nii.gz").get_fdata()
        )
        own = [row for row in table["rows"] if row["name"] == table["own"]]
        for row in own:
            number = int(table["target"].split("-")[-1])
            assert row["mass"] == pytest.approx(values[labels == number].sum() / values.sum(), rel=1e-4)
        assert own


def test_a_study_runs_again_from_its_own_folder(two: dict[int, Place]) -> None:
    settings = load_study(two[1].folder / "out" / "study.yaml")
    assert settings.out.resolve() == (two[1].folder / "out").resolve()
    assert [c.id for c in settings.cases] == ["0", "1"]
    assert settings.seed == 5
    assert method("gradient").name in {m.name for m in settings.methods}


def test_the_page_s_volumes_are_those_that_the_study_wrote(two: dict[int, Place]) -> None:
    if assets() is None:
        pytest.skip("the viewer was not built")
    out = two[1].folder / "out"
    text = (out / "report.html").read_text(encoding="utf-8")
    contents, volumes = of_page(text)
    assert [c["name"] for c in contents["cases"]] == ["0", "1"]
    for case in contents["cases"]:
        files = [two[1].folder / f"case-{case['name']}.nii.gz"]
        stored = [case["image"]]
        (target,) = case["targets"]
        assert len(target["maps"]) == 5
        for made in target["maps"]:
            files += list((out / "maps" / "net" / case["name"] / made["method"]).glob("*.nii.gz"))
            stored.append(made)
        assert len(files) == len(stored)
        for file, described in zip(files, stored, strict=True):
            truth = nib.as_closest_canonical(nib.load(file))
            found = unpacked(volumes, described, case["shape"])
            step = described["scale"] * 0.51
            np.testing.assert_allclose(found, truth.get_fdata().reshape(found.shape), atol=step)
            np.testing.assert_allclose(case["affine"], truth.affine, atol=1e-6)
        labels = nib.as_closest_canonical(nib.load(out / "predictions" / "net" / f"{case['name']}.nii.gz"))
        prediction = unpacked(volumes, case["labels"][0], case["shape"])
        np.testing.assert_array_equal(prediction, labels.get_fdata())
