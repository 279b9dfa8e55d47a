"""From one YAML to weights, files and numbers, each held against what it should be, computed another way."""

from __future__ import annotations

import json
import re
import shutil
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from weakref import WeakSet

import duckdb
import nibabel
import numpy as np
import pytest
import torch
from accessible import faults_of, needs_axe
from hand_made_maps import blobs
from inherent_runs import AFFINE, config, read_rows, spots
from sklearn.metrics import accuracy_score, roc_auc_score

from voxplain.case import Case, read_case, read_mask, write_case
from voxplain.cli.app import run
from voxplain.errors import InputError
from voxplain.inherent import (
    cost_of_evaluation,
    evaluate_inherent,
    load_inherent,
    predict_inherent,
    prepare_task,
    train_inherent,
    trained_network,
)
from voxplain.inherent.data import Reader, prepared
from voxplain.inherent.evaluate.pixels import pixel_average_precision
from voxplain.inherent.running import evaluate_step, predict_step
from voxplain.inherent.running.judging import better_sign, contradictions


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """All three commands, through the command line."""
    root = tmp_path_factory.mktemp("run")
    path = config(root, spots(root))
    for command in ("train", "predict", "evaluate"):
        assert run(["inherent", command, str(path)]) == 0
    return path


@pytest.fixture
def again(made, tmp_path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(made.parent, tmp_path / "copy")
    return tmp_path / "copy" / made.name


def table(path: Path) -> list[dict]:
    found = duckdb.sql(f"SELECT * FROM '{path}'")
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def files(config: Path, part: str = "test") -> list[Path]:
    return sorted((config.parent / f"out/prediction/cases/{part}").iterdir())


def test_files_hold_what_the_network_says_and_sum_to_its_logits(made):
    task = prepare_task(load_inherent(made))
    network = trained_network(task)
    for index, folder in list(zip(task.split.test, files(made), strict=True))[:5]:
        image = prepared(task.samples[index], task.preparation, Reader()).image[None]
        with torch.no_grad():
            logits, evidence = network(image)[0].numpy(), network.evidence(image)[0].numpy()
        np.testing.assert_allclose(read_case(folder / "evidence.npz").image, evidence, atol=1e-5)
        share = read_case(folder / "contribution.npz").image
        np.testing.assert_allclose(share.sum((1, 2)), logits, atol=1e-4)


def test_masks_are_the_contrast_above_the_threshold_unless_the_decision_is_healthy(made):
    out = made.parent / "out/prediction"
    value = json.loads((out / "threshold.json").read_text())["fitted"]["value"]
    decided = {row["id"]: row["predicted"] for row in table(out / "predictions.parquet")}
    assert set(decided.values()) == {"healthy", "spot"}
    for row in (r for r in table(out / "masks.parquet") if r["part"] == "test"):
        folder = next(f for f in files(made) if f.name.endswith(f"-{row['id']}"))
        evidence = read_case(folder / "evidence.npz").image
        expected = (evidence[1] - evidence[0] > value) & (decided[row["id"]] == "spot")
        mask = read_case(folder / "mask.npz").image[0]
        assert np.array_equal(mask > 0, expected) and row["voxels"] == expected.sum()
        assert row["why empty"] == "" or not expected.any()


def test_the_table_of_predictions_adds_up(made):
    for row in table(made.parent / "out/prediction/predictions.parquet"):
        total = row["evidence for"] + row["evidence against"] + row["evidence unexplained"]
        assert total == pytest.approx(row["logit"], abs=1e-5) and abs(row["evidence unexplained"]) < 1e-4
        assert row["evidence for"] >= 0 >= row["evidence against"]


def test_numbers_are_those_of_scikit_learn_and_of_the_files(made):
    out = made.parent / "out"
    rows = [
        r
        for r in table(out / "prediction/predictions.parquet")
        if r["part"] == "test" and r["class"] == "spot"
    ]
    numbers = table(out / "evaluation/numbers.parquet")

    def number(**wanted):
        (found,) = [r for r in numbers if all(r[k] == v for k, v in wanted.items())]
        return found["value"]

    truth, decided = [r["label"] for r in rows], [r["predicted"] for r in rows]
    assert number(metric="accuracy", **{"class": ""}) == pytest.approx(accuracy_score(truth, decided))
    auroc = roc_auc_score([t == "spot" for t in truth], [r["probability"] for r in rows])
    assert number(metric="auroc", **{"class": "spot"}) == pytest.approx(auroc)
    samples = {row["id"]: row for row in read_rows(made.parent / "spots.csv")}
    dices = []
    for folder in files(made):
        sample = samples[folder.name.split("-", 1)[1]]
        case = read_case(made.parent / sample["image"])
        wanted = read_mask(made.parent / sample["mask"], case) > 0
        mask = read_case(folder / "mask.npz").image[0] > 0
        if wanted.any():
            dices.append(2 * (mask & wanted).sum() / (mask.sum() + wanted.sum()))
    headline = {"threshold": "healthy (share=0.2)", "score": "class", "stratum": "all"}
    assert number(metric="dice median", **headline) == pytest.approx(np.median(dices))
    assert number(metric="dice mean", **headline) == pytest.approx(np.mean(dices))
    assert np.median(dices) > 0.3  # it has learned something, so that the rest is not about empty masks


def test_oracles_are_flagged_and_never_the_headline(made):
    evaluation = made.parent / "out/evaluation"
    told = json.loads((evaluation / "thresholds.json").read_text())
    assert [t["supervision"] for t in told] == ["image labels", "none", "masks", "oracle"]
    rows = [r for r in table(evaluation / "numbers.parquet") if r["threshold"]]
    assert {r["threshold"] for r in rows if r["oracle"]} == {"oracle"}
    test = {f"case{p}" for p in range(60) if (p // 2) % 3 == 2}
    assert all(not set(t["fitted"]["ids"]) & test for t in told[:-1])
    page = (evaluation / "report.html").read_text()
    assert page.index("The masks that were written") < page.index("Oracles: thresholds chosen with the truth")
    assert "The map is the decision" in page and "image intensity, no network" in page
    assert "the evidence for spot minus that for healthy, a difference that no panel shows, " in page
    assert "test images with a drawn mask" in page and "−0.000" not in page
    assert page.count("<article>") == 16 and "http" not in page.split("</style>")[1]


def test_the_page_says_that_healthy_images_of_another_kind_break_the_promise(tmp_path):
    table = spots(tmp_path, 120)
    rows = read_rows(table)
    healthy = [row for row in rows if (row["part"], row["label"]) == ("test", "healthy")]
    for row in healthy:  # healthy, but they look ill
        image = read_case(tmp_path / row["image"]).image.copy()
        image[0, 2:6, 2:6] += 4
        write_case(tmp_path / row["image"], Case("i", image))
    path = config(tmp_path, table)
    for command in ("train", "predict", "evaluate"):
        assert run(["inherent", command, str(path), "--set", "mask.threshold=healthy"]) == 0
    page = (tmp_path / "out/evaluation/report.html").read_text()
    assert "The threshold promised a mask on at most 5.0% of healthy images" in page


@needs_axe
def test_the_page_can_be_read_by_everybody(made, tmp_path):
    assert faults_of(made.parent / "out/evaluation/report.html", tmp_path) == []


def test_intervals_have_a_line_of_their_own_so_that_wide_tables_are_not_cut_off(made):
    page = (made.parent / "out/evaluation/report.html").read_text()
    assert re.search(r"<td class=\"number\">\d\.\d{3} <span class=\"interval\">\[[^<]+\]</span></td>", page)


def test_the_page_names_the_data_without_detours(again):
    task = prepare_task(load_inherent(again, overrides=[f"data.source={again.parent}/out/../spots.csv"]))
    predict_inherent(task, progress=False)
    evaluate_inherent(task)
    page = (again.parent / "out/evaluation/report.html").read_text()
    assert str(again.parent / "spots.csv") in page and "out/../" not in page


def test_what_is_predicted_is_not_asked_again_and_what_is_missing_is(again):
    folder = again.parent / "out/prediction/maps/test"
    before = {f.name: f.stat().st_mtime_ns for f in folder.glob("*.safetensors")}
    (folder / "000003.safetensors").unlink()
    predict_inherent(prepare_task(load_inherent(again)), progress=False)
    after = {f.name: f.stat().st_mtime_ns for f in folder.glob("*.safetensors")}
    assert {name for name in after if after[name] != before[name]} == {"000003.safetensors"}


@pytest.mark.parametrize(
    "damage", ["folder gone", "file gone", "cut off", "maps cut off", "maps without a header"]
)
def test_results_that_are_missing_or_damaged_are_made_again(again, damage):
    """The files come back with the same values, and no others are written but masks."""
    folder, maps = files(again)[2], again.parent / "out/prediction/maps/test/000002.safetensors"
    kinds = ("evidence", "contribution")
    before = {kind: read_case(folder / f"{kind}.npz").image for kind in kinds}
    others = {f: f.stat().st_mtime_ns for case in files(again) for f in case.glob("e*.npz") if case != folder}
    if damage == "folder gone":
        shutil.rmtree(folder)
    elif damage == "file gone":
        (folder / "contribution.npz").unlink()
    elif damage == "cut off":
        (folder / "evidence.npz").write_bytes(b"P")
    else:
        maps.write_bytes(maps.read_bytes()[: -1 if damage == "maps cut off" else 3])
    assert run(["inherent", "predict", str(again)]) == 0
    for kind in kinds:
        assert np.array_equal(read_case(folder / f"{kind}.npz").image, before[kind])
    assert {f: f.stat().st_mtime_ns for f in others} == others
    assert run(["inherent", "evaluate", str(again), "--set", "evaluate.draws=2"]) == 0


def test_other_weights_make_all_maps_anew(again):
    shutil.rmtree(again.parent / "out/training")
    task = prepare_task(load_inherent(again, overrides=["training.epochs=1"]))
    folder = again.parent / "out/prediction/maps/test"
    before = {f.name: f.stat().st_mtime_ns for f in folder.glob("*.safetensors")}
    train_inherent(task)
    predict_inherent(task, progress=False)
    assert all(f.stat().st_mtime_ns != before[f.name] for f in folder.glob("*.safetensors"))


def test_new_images_get_the_files_of_the_others(again):
    image = again.parent / "i1.npz"
    assert run(["inherent", "predict", str(again), str(image)]) == 0
    (new,), (old,) = files(again, "new"), [f for f in files(again, "validation") if f.name.endswith("-case3")]
    assert {f.name for f in new.iterdir()} == {f.name for f in old.iterdir()}
    assert table(again.parent / "out/prediction/new.parquet")[0]["label"] == ""


def test_volumes_keep_their_geometry_and_their_sums(tmp_path):
    settings = config(
        tmp_path, spots(tmp_path, 30, suffix="nii.gz"), prepare={"orientation": "LPS", "divisible": 8, "scale": "zscore"},
        training={"epochs": 1, "batch": 4, "augment": None, "device": "cpu", "progress": False, "duplicates": False},
        mask={"threshold": "otsu", "refine": "random walker"},
    )  # fmt: skip
    task = prepare_task(load_inherent(settings))
    train_inherent(task)
    predict_inherent(task, progress=False)
    rows = table(tmp_path / "out/prediction/predictions.parquet")
    for folder in files(settings)[:3]:
        for name in ("evidence", "contribution", "mask"):
            file = nibabel.load(folder / f"{name}.nii.gz")
            np.testing.assert_allclose(file.affine, AFFINE)
            assert file.shape[:3] == (12, 12, 4)
        logits = [r["logit"] for r in rows if folder.name.endswith(f"-{r['id']}")]
        # the padding, which is cut off, holds a part of the sum
        share = read_case(folder / "contribution.nii.gz").image
        assert share.shape[0] == 2 and np.isfinite(share).all() and len(logits) == 2
    found = evaluate_inherent(task)
    assert {r["mask"] for r in found.result.rows if r["part"] == "localisation"} == {
        "before refinement",
        "after refinement",
    }


def test_a_network_that_was_not_trained_is_asked_for(tmp_path):
    task = prepare_task(load_inherent(config(tmp_path, spots(tmp_path, 12))))
    with pytest.raises(InputError, match="run `voxplain inherent train`"):
        predict_inherent(task)
    with pytest.raises(InputError, match="run `voxplain inherent predict`"):
        evaluate_inherent(task)


def test_slices_of_volumes_lie_where_they_were_cut(tmp_path):
    settings = config(
        tmp_path, spots(tmp_path, 24, suffix="nii.gz"),
        data={"source": "spots.csv", "slices": {"axis": "k", "labels_from_masks": True, "every": 2}},
        training={"epochs": 1, "batch": 8, "augment": None, "device": "cpu", "progress": False, "duplicates": False},
        mask={"threshold": "otsu", "healthy": "ignore"}, uncertainty={"mirrored": True},
    )  # fmt: skip
    task = prepare_task(load_inherent(settings))
    assert task.shape == (1, 12, 12) and len(task.samples) == 48
    train_inherent(task)
    predict_inherent(task, progress=False)
    (folder, *_) = [f for f in files(settings) if f.name.endswith("-k2")]
    for name in ("evidence", "mask"):
        file = nibabel.load(folder / f"{name}.nii.gz")
        assert file.shape[:3] == (12, 12, 1)
        np.testing.assert_allclose(file.affine[:3, 3], AFFINE[:3, 3] + 2 * AFFINE[:3, 2])
    found = evaluate_inherent(task)
    assert found.places.page.exists() and found.result.value(metric="pxap", score="class") > 0


def test_evaluation_tells_its_cost_before_and_writes_nothing_in_a_dry_run(again, capsys):
    shutil.rmtree(again.parent / "out/evaluation")
    assert run(["inherent", "evaluate", str(again), "--dry-run"]) == 0
    # otsu, masks and oracle of the network and of the intensity, the one that was written, the whole image: 8 × 20
    assert "evaluation: 20 images, 160 masks, about" in capsys.readouterr().out
    assert not (again.parent / "out/evaluation").exists()
    with pytest.raises(InputError, match="run `voxplain inherent predict`"):
        shutil.rmtree(again.parent / "out/prediction")
        cost_of_evaluation(prepare_task(load_inherent(again)))


def test_the_cost_is_about_what_it_takes(again):
    task = prepare_task(load_inherent(again, overrides=["evaluate.draws=400", "evaluate.surfaces=true"]))
    told = cost_of_evaluation(task).seconds
    begun = time.perf_counter()
    evaluate_inherent(task)
    took = time.perf_counter() - begun
    assert took / 4 < told < 4 * took


def test_progress_counts_every_image_of_every_threshold(again, monkeypatch):
    calls = []

    @contextmanager
    def shown(*_):
        yield lambda *told: calls.append(told)

    monkeypatch.setattr(evaluate_step, "shown", shown)
    evaluate_inherent(prepare_task(load_inherent(again)))
    done, totals = [c[1] for c in calls], {c[2] for c in calls}
    # 160 masks, and three maps (of the network, the intensity, the whole image) of 20 images each
    assert totals == {220} and done == sorted(done) and done[-1] == 220


def test_no_more_than_a_batch_of_predictions_is_alive(again, monkeypatch):
    shutil.rmtree(again.parent / "out/prediction")
    alive, most, write = WeakSet(), [], predict_step._write

    def counted(task, folder, index, found, *rest):
        alive.add(found)
        most.append(len(alive))
        write(task, folder, index, found, *rest)

    monkeypatch.setattr(predict_step, "_write", counted)
    predict_inherent(prepare_task(load_inherent(again, overrides=["predict.batch=4"])), progress=False)
    assert len(most) == 40 and max(most) <= 4


def test_the_page_says_whether_its_masks_are_those_that_were_written(again, capsys):
    quick = ["--set", "evaluate.draws=2", "--set", "evaluate.thresholds=[otsu]"]
    page = again.parent / "out/evaluation/report.html"
    assert run(["inherent", "evaluate", str(again), *quick]) == 0
    assert "The masks that were written" in page.read_text()
    for other, told in (
        (
            "mask.threshold=zero",
            "Masks by zero, as asked now; those that were written are others (threshold healthy)",
        ),
        ("mask.at_least_voxels=3", "those that were written are others (by other settings of mask)"),
    ):
        capsys.readouterr()
        assert run(["inherent", "evaluate", str(again), *quick, "--set", other]) == 0
        assert told in page.read_text() and "The masks that were written" not in page.read_text()
        assert told in capsys.readouterr().out
    # every image says whose it is
    shown = re.findall(r"<h3>(case\d+) · patient (p\d+) ", page.read_text())
    assert len(shown) == 16 and all(case[4:] == patient[1:] for case, patient in shown)
    assert "voxels)</th>" in page.read_text() and '<th scope="row">accuracy' in page.read_text()


@pytest.mark.parametrize("sign", [1, -1])
def test_lesions_that_darkness_solves_are_told_like_those_that_brightness_solves(sign):
    """Perfect intensity, of either sign, takes part as itself; the other sign would have a PxAP near the lesions' share."""
    maps = blobs(12)
    images = [sign * np.where(m, 5.0, 0.0)[None].astype(np.float32) for m in maps.masks]
    chosen = better_sign(replace(maps, images=images))
    assert chosen.sign == sign
    lesions = replace(maps, images=images).take(maps.has_lesion)
    assert pixel_average_precision(chosen.all(lesions), lesions.masks) == 1


def test_healthy_images_whose_masks_mark_something_are_told():
    maps = blobs(12)  # every third is healthy
    masks = [m.copy() for m in maps.masks]
    masks[3][2, 2] = True
    (told,) = contradictions(replace(maps, masks=masks, truth_voxels=np.zeros(0, np.int64)), "test")
    assert (
        told.startswith("1 of 4 images of the test part are labelled as without the finding")
        and "c003" in told
    )
    assert contradictions(maps, "test") == []
