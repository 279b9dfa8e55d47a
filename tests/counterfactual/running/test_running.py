"""From one YAML to files, table and page, each held against what it should be, computed another way."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from accessible import faults_of, needs_axe
from counterfactual_files import config, made
from PIL import Image
from safetensors.torch import load_file
from scipy.linalg import svd
from simulator_files import affine, read_rows

from voxplain.case import Geometry, read_case
from voxplain.cli.app import run
from voxplain.phantom.disease.rules import SizeRule, windows


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    root = made(tmp_path_factory.mktemp("run"))
    path = config(root)
    assert run(["counterfactual", "train", str(path)]) == 0
    assert run(["counterfactual", "explain", str(path)]) == 0
    return root


def rule(root: Path) -> SizeRule:
    found = SizeRule("both", windows((16, 16), ("left", "right")), [0.0, 0.0], [1.0, 1.0])
    found.load_state_dict(load_file(root / "rule.safetensors"))
    return found


def places(root: Path) -> list[Path]:
    return sorted((root / "out/explanation/test").iterdir())


def told(place: Path) -> dict:
    return json.loads((place / "explanation.json").read_text())


def test_frames_lie_where_the_image_lies_and_have_the_scores_that_are_told(done):
    table = {row["id"]: row for row in read_rows(done / "subjects.csv")}
    classifier, grid = rule(done), Geometry(affine(), (16, 16, 1))
    assert len(places(done)) == 4
    for place in places(done):
        facts, frames = told(place), read_case(place / "frames.nii.gz")
        assert frames.geometry.matches(grid)
        image = read_case(done / table[facts["id"]]["image"]).image
        assert np.array_equal(frames.image[0], image[0])
        # the classifier's axes run to the right and to the front, the files' to the left and to the back
        seen = torch.from_numpy(np.ascontiguousarray(frames.image[:, None, ::-1, ::-1, 0]))
        np.testing.assert_allclose(classifier.logit(seen).numpy(), facts["scores"], atol=2e-4)
        if not facts["withheld"]:
            difference = read_case(place / "difference.nii.gz").image
            np.testing.assert_allclose(difference[0], frames.image[4] - frames.image[0], atol=1e-6)


def test_the_table_says_what_the_files_say(done):
    rows = read_rows(done / "out/explanation/images.csv")
    assert [row["id"] for row in rows] == [told(place)["id"] for place in places(done)]
    for row, place in zip(rows, places(done), strict=True):
        with np.load(place / "generator_grid.npz") as stored:
            before, after = stored["before"], stored["after"]
        logits = rule(done).logit(torch.from_numpy(np.stack([before, after])))
        assert float(row["logit before"]) == pytest.approx(float(logits[0]), abs=1e-4)
        assert float(row["logit after"]) == pytest.approx(float(logits[1]), abs=1e-4)
        assert row["flipped"] == ("yes" if logits[0] * logits[1] < 0 else "no")
        change = np.abs(after - before)
        assert float(row["change"]) == pytest.approx(change.mean(), rel=1e-4)
        assert float(row["sparsity"]) == pytest.approx((change > 0.01 * np.ptp(before)).mean())
        assert (row["right"] == "yes") == (row["label"] == row["decision"])
        assert (place / "difference.nii.gz").exists() == (row["withheld"] == "")


def test_dose_and_distances_are_those_of_principal_components_computed_anew(done):
    """The change at the dose is dose · d, of length dose in deviations of the training images' components."""
    table = read_rows(done / "subjects.csv")
    train = np.stack(
        [read_case(done / r["image"]).image[0, ::-1, ::-1, 0].ravel() for r in table if r["part"] == "train"]
    )
    _, spread, basis = svd(train.astype(np.float64) - train.mean(0), full_matrices=False)
    share = np.cumsum(spread**2) / np.sum(spread**2)
    count = int((share < 0.95).sum()) + 1
    deviations = spread[:count] / np.sqrt(len(train) - 1)
    for place in places(done):
        facts = told(place)
        with np.load(place / "generator_grid.npz") as stored:
            before, after = stored["before"].ravel(), stored["after"].ravel()
        steps, codes = (basis[:count] @ x / deviations for x in (after - before, after - train.mean(0)))
        assert np.linalg.norm(steps) == pytest.approx(facts["dose"], rel=1e-3)
        assert np.linalg.norm(codes) == pytest.approx(facts["distance after"], rel=1e-3)
        assert facts["distance ratio"] == pytest.approx(np.linalg.norm(codes) / np.sqrt(count), rel=1e-3)


def test_the_global_view_is_the_mean_of_those_that_are_shown(done):
    used = [p for p in places(done) if told(p)["reached"] and not told(p)["withheld"]]
    for towards in {told(p)["towards"] for p in used}:
        mine = [np.load(p / "generator_grid.npz") for p in used if told(p)["towards"] == towards]
        with np.load(done / f"out/explanation/global/towards-{towards}.npz") as found:
            np.testing.assert_allclose(
                found["mean"], np.mean([m["after"] - m["before"] for m in mine], 0), atol=1e-6
            )


def test_the_animation_goes_there_and_back(done):
    with Image.open(places(done)[0] / "animation.gif") as moving:
        assert moving.n_frames == 7 + 5
        assert max(moving.size) >= 256


@needs_axe
def test_the_page_can_be_read_by_everybody(done, tmp_path):
    assert faults_of(done / "out/report.html", tmp_path) == []


def test_the_page_holds_flips_beside_random_flips(done):
    page = (done / "out/report.html").read_text()
    summary = json.loads((done / "out/explanation/summary.json").read_text())
    facts = [told(place) for place in places(done)]
    assert summary["flip rate"] == pytest.approx(np.mean([f["flipped"] for f in facts]))
    assert summary["random flip rate"] == pytest.approx(np.mean([f["random flips"] for f in facts]))
    assert f"random directions of the same dose change {100 * summary['random flip rate']:.0f} %" in page
    assert f"R² {summary['r2']:.2f}" in page
    assert "data:image/gif;base64," in page and "http" not in page.replace("http-equiv", "")


def test_patterns_are_covariances_of_the_images_themselves(done):
    """Each voxel's covariance with the logit, of eight images at a time, from the files alone."""
    table = [row for row in read_rows(done / "subjects.csv") if row["part"] == "train"]
    order = np.random.default_rng([0, 0xA5C]).permutation(len(table))[:40]
    x = np.stack([read_case(done / table[i]["image"]).image[:, ::-1, ::-1, 0] for i in order]).astype(float)
    y = rule(done).logit(torch.from_numpy(x.astype(np.float32))).numpy().astype(float)
    blocks = [slice(n, n + 8) for n in range(0, len(x), 8)]
    assert len(x) % 8 != 1
    wanted = sum(np.tensordot(y[b] - y[b].mean(), x[b] - x[b].mean(0), 1) for b in blocks)
    found = load_file(done / "out/explanation/queries.safetensors")["pattern of real"].numpy()
    np.testing.assert_allclose(found, wanted - wanted.mean(), atol=1e-4 * np.abs(wanted).max())
    told = json.loads((done / "out/explanation/summary.json").read_text())["patterns"]
    assert told["copies"]["r"] > 0.9 and set(told) == {"copies", "samples"}
    assert "In the generator&#39;s copies, the voxels" in (done / "out/report.html").read_text()


def test_new_images_get_a_page_of_their_own_and_nothing_is_done_twice(done):
    before = {p: p.stat().st_mtime_ns for place in places(done) for p in place.iterdir()}
    assert run(["counterfactual", "explain", str(done / "settings.yaml")]) == 0
    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert run(["counterfactual", "explain", str(done / "settings.yaml"), str(done / "i0.nii.gz")]) == 0
    assert (done / "out/new.html").exists()
    (row,) = read_rows(done / "out/explanation/new_images.csv")
    assert row["id"] == "i0.nii.gz" and row["label"] == "" and row["right"] == ""


@pytest.mark.parametrize("kind", ["labels", "local", "gradient"])
def test_every_kind_of_direction_changes_decisions(done, kind, tmp_path):
    words = ["--set", f"direction.kind={kind}", "--set", f"generator.folder={done / 'out/generator'}"]
    out = ["--set", f"out={tmp_path}", "--set", "explain.most=2", "--set", "explain.cases=0"]
    assert run(["counterfactual", "explain", str(done / "settings.yaml"), *words, *out]) == 0
    rows = read_rows(tmp_path / "explanation/images.csv")
    assert any(row["flipped"] == "yes" for row in rows)
    assert json.loads((tmp_path / "explanation/summary.json").read_text())["direction"].startswith(kind)


def test_a_black_box_is_asked_alone(done, tmp_path):
    box = {"source": "nets.py:box", "black_box": True, "classes": ["healthy", "diseased"], "spatial_dims": 2}
    path = config(done, classifier=box)
    words = ["--set", f"generator.folder={done / 'out/generator'}", "--set", f"out={tmp_path}"]
    try:
        assert run(["counterfactual", "explain", str(path), *words]) == 0
    finally:
        config(done)
    rows = read_rows(tmp_path / "explanation/images.csv")
    for row, place in zip(rows, sorted((tmp_path / "explanation/test").iterdir()), strict=True):
        with np.load(place / "generator_grid.npz") as stored:
            after = stored["after"]
        wanted = 40 * (after[0, 4:8, 4:8].mean() - 0.5)
        assert float(row["logit after"]) == pytest.approx(wanted, abs=1e-3)
