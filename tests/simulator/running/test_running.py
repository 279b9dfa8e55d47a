"""From one YAML to simulators, files, tests and the page, each held against what it should be, computed another way."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from accessible import faults_of, needs_axe
from report.viewer.volumes import unpacked
from simulator_files import affine, config, files, read_rows

from voxplain.case import Geometry, read_case, read_mask
from voxplain.cli.app import run
from voxplain.report.viewer import assets
from voxplain.simulator.group import group_map
from voxplain.simulator.page.report import _notes


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """All three commands, through the command line."""
    root = tmp_path_factory.mktemp("run")
    files(root)
    path = config(root)
    for command in ("train", "explain", "group"):
        assert run(["simulate", command, str(path)]) == 0
    return path


@pytest.fixture
def again(made, tmp_path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(made.parent, tmp_path / "copy")
    return tmp_path / "copy" / made.name


def cases(config: Path, seed: int = 0) -> list[Path]:
    return sorted((config.parent / f"out/explanation/seed-{seed}/test").iterdir())


def record(place: Path) -> dict:
    return json.loads((place / "explanation.json").read_text())


def test_the_decision_is_changed_and_the_disease_is_what_changes_it(made):
    rows = read_rows(made.parent / "out/explanation/subjects.csv")
    assert len(rows) == 2 * 10
    assert {row["part"] for row in rows} == {"test"}
    reached = [row for row in rows if row["reached"] == "yes"]
    assert len(reached) >= 0.9 * len(rows)
    assert all(float(row["logit before"]) * float(row["logit after"]) < 0 for row in reached)
    regions = read_rows(made.parent / "out/explanation/regions.csv")
    grown = {"diseased": {"ventricle": 1, "nucleus": -1}, "healthy": {"ventricle": -1, "nucleus": 1}}
    told = [row for row in regions if row["region"] in ("ventricle", "nucleus")]
    right = [float(row["percent"]) * grown[row["towards"]][row["region"]] > 0 for row in told]
    assert len(right) == 2 * 2 * 10
    assert np.mean(right) >= 0.9


def test_files_lie_where_the_image_lies(made):
    table = {row["id"]: row for row in read_rows(made.parent / "subjects.csv")}
    grid = Geometry(affine(), (16, 16, 1))
    for place in cases(made):
        image = read_case(made.parent / table[record(place)["id"]]["image"])
        assert image.geometry.matches(grid)
        for name in ("frames", "after", "warp", "jacobian", "log_jacobian", "difference"):
            assert read_case(place / f"{name}.nii.gz").geometry.matches(grid), name
        assert nib.load(place / "frames.nii.gz").shape == (16, 16, 1, 6)
        frames, difference = (read_case(place / f"{n}.nii.gz").image for n in ("frames", "difference"))
        assert np.array_equal(frames[0], image.image[0])
        assert np.allclose(difference[0], frames[4] - frames[0], atol=1e-6)


@pytest.mark.skipif(assets("series") is None, reason="the series was not built (make viewer)")
def test_the_slider_of_the_page_holds_what_the_files_do(made):
    """At the calibrated dose; the grid's volumes are its own, by finite differences."""
    contents, volumes = series_of((made.parent / "out/report.html").read_text())
    for shown in contents[:3]:
        (place,) = [place for place in cases(made) if record(place)["id"] == shown["name"]]
        at = [step["calibrated"] for step in shown["steps"]].index(True)
        assert [step["score"] for step in shown["steps"]] == record(place)["scores"]

        def whole(name: str) -> np.ndarray:
            file = nib.as_closest_canonical(nib.load(place / f"{name}.nii.gz"))  # noqa: B023
            return file.get_fdata().reshape(16, 16, 1, -1)

        frame = unpacked(volumes, shown["image"], shown["shape"]) + unpacked(
            volumes, shown["changes"][at], shown["shape"]
        )
        np.testing.assert_allclose(frame, whole("frames")[..., at], atol=1e-3)
        layers = {layer["name"]: layer for layer in shown["layers"]}
        logs = unpacked(volumes, layers["log-Jacobian"]["steps"][at], shown["shape"])
        np.testing.assert_allclose(logs, whole("log_jacobian")[..., 0], atol=1e-3)
        right, front, _ = (
            unpacked(volumes, m, shown["shape"])[..., 0] for m in layers["warp grid"]["steps"][at]
        )
        (xx, xy), (yx, yy) = np.gradient(right), np.gradient(front)
        inner = (slice(1, -1), slice(1, -1))
        volume = ((1 + xx) * (1 + yy) - xy * yx)[inner]
        np.testing.assert_allclose(volume, np.exp(logs[..., 0])[inner], atol=0.02)


def series_of(page: str) -> tuple[list[dict], dict[str, str]]:
    """What a page holds of its series."""
    told = re.findall(r'<script type="application/json" id="series-\d+-contents">(.*?)</script>', page, re.S)
    volumes = dict(re.findall(r'<script type="text/plain" id="(series-[^"]+)">([^<]+)</script>', page))
    return [json.loads(text) for text in told], volumes


@pytest.mark.skipif(assets("series") is None, reason="the series was not built (make viewer)")
def test_each_image_of_the_page_has_a_slider(made):
    page = (made.parent / "out/report.html").read_text()
    contents, _ = series_of(page)
    assert page.count('data-series="series-') == len(contents) == page.count("Series of ")
    assert {layer["name"] for layer in contents[0]["layers"]} == {"difference", "log-Jacobian", "warp grid"}
    assert "http" not in page.replace("http-equiv", "")


def test_volumes_are_those_of_the_files(made):
    table = {row["id"]: row for row in read_rows(made.parent / "subjects.csv")}
    for place in cases(made)[:3]:
        told = record(place)
        image = read_case(made.parent / table[told["id"]]["image"])
        labels = read_mask(made.parent / table[told["id"]]["atlas"], image)
        determinant = read_case(place / "jacobian.nii.gz").image[0]
        (ventricle,) = [row for row in told["regions"] if row["region"] == "ventricle"]
        voxel = 12.5 * 12.5 * 4.0 / 1000
        assert ventricle["unit"] == "ml"
        assert ventricle["before"] == pytest.approx((labels == 2).sum() * voxel)
        assert ventricle["after"] == pytest.approx(determinant[labels == 2].sum() * voxel, rel=1e-5)


def test_the_group_map_is_the_test_of_the_files(made):
    healthy = [i for i, place in enumerate(cases(made)) if record(place)["label"] == "healthy"]
    maps = [
        np.mean([read_case(cases(made, seed)[i] / "log_jacobian.nii.gz").image[0] for seed in (0, 1)], axis=0)
        for i in healthy
    ]
    expected = group_map(maps, permutations=999)
    folder = made.parent / "out/group/healthy-towards-diseased"
    found = {kind: read_case(folder / f"{kind}.nii.gz").image[0] for kind in ("mean", "t", "p_any", "q")}
    assert np.allclose(found["mean"], expected.mean, atol=1e-6)
    assert np.allclose(found["p_any"], np.nan_to_num(expected.p_any, nan=1.0), atol=1e-6)
    assert np.allclose(found["q"], np.nan_to_num(expected.q, nan=1.0), atol=1e-6)
    told = json.loads((made.parent / "out/group/groups.json").read_text())["tests"]
    first = told[0]
    assert first["title"] == "healthy towards diseased"
    assert first["subjects"] == [5]
    assert first["exact"]
    assert first["least"] > 0.05  # five subjects can show nothing, and the page says so
    assert first["agreement"]["least"] > 0.5
    assert [t["title"] for t in told[1:2]] == ["healthy towards diseased: site north minus south"]


def test_a_classifier_that_knows_little_is_said_to():
    right, wrong = (
        {"withheld": "", "reached": True, "right": True},
        {"withheld": "", "reached": True, "right": False},
    )
    assert _notes([right] * 8 + [wrong]) == []
    assert "only 2 of 4 images rightly" in _notes([right, right, wrong, wrong])[0]


@needs_axe
def test_the_page_can_be_read_by_everybody(made, tmp_path):
    assert faults_of(made.parent / "out/report.html", tmp_path) == []


def test_the_page_says_what_there_is(made):
    page = (made.parent / "out/report.html").read_text()
    for text in (
        "not a medical device", "healthy towards diseased", "site north minus south", "So few subjects can show nothing",
        "Mean maps of two trainings correlate", "ventricle", "before (ml)", "Dose ", "no folds", "seed 1",
    ):  # fmt: skip
        assert text in page, text
    assert page.count("<img ") == 4 + 1 + 2 * 2
    assert str(made.parent) not in page.replace(str(made.parent / "subjects.csv"), "")


def test_what_is_done_is_not_done_again_and_what_is_missing_is(again, capsys):
    shutil.copy(again, again.with_name("same.yaml"))
    places = cases(again)
    stamps = {path: (path / "frames.nii.gz").stat().st_mtime_ns for path in places}
    weights = again.parent / "out/training/seed-0/weights.safetensors"
    before = weights.stat().st_mtime_ns
    (places[2] / "explanation.json").unlink()  # killed before it was finished
    for command in ("train", "explain", "group"):
        assert run(["simulate", command, str(again)]) == 0
    assert weights.stat().st_mtime_ns == before
    changed = [path for path in places if (path / "frames.nii.gz").stat().st_mtime_ns != stamps[path]]
    assert changed == [places[2]]
    assert run(["simulate", "train", str(again), "--dry-run"]) == 0
    assert "done already" in capsys.readouterr().out


def test_another_target_is_asked_again_and_old_tests_are_not_shown(again):
    assert run(["simulate", "explain", str(again), "--set", "explain.target=boundary"]) == 0
    assert {record(place)["target"] for place in cases(again)} == {0.0}
    page = (again.parent / "out/report.html").read_text()
    assert "are of other explanations" in page
    assert "site north minus south" not in page


def test_new_images_have_no_class(again, capsys):
    scan = again.parent / "i4.nii.gz"
    assert run(["simulate", "explain", str(again), str(scan), str(scan)]) == 2
    assert "i4.nii.gz named more than once" in capsys.readouterr().err
    told = ["--set", "explain.atlas=null", "--set", "seeds=[0]"]
    assert run(["simulate", "explain", str(again), str(scan), *told]) == 0
    rows = read_rows(again.parent / "out/explanation/new_subjects.csv")
    assert [(row["part"], row["label"], row["right"]) for row in rows] == [("new", "", "")]
    assert (again.parent / "out/new.html").exists()
    assert len(cases(again)) == 10


def test_seeds_in_another_order_give_the_first_one_its_pictures(again, capsys):
    assert run(["simulate", "group", str(again), "--set", "seeds=[1, 0]"]) == 2
    assert "run `voxplain simulate explain` again" in capsys.readouterr().err
    assert run(["simulate", "explain", str(again), "--set", "seeds=[1, 0]"]) == 0
    assert all((place / "figure.png").exists() for place in cases(again, seed=1))
