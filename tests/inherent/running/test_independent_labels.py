"""Several findings per image, from one table to a threshold, a mask and numbers for each, held against other programs."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import nibabel
import numpy as np
import pytest
from inherent_runs import AFFINE, config, findings, read_rows, write_rows
from scipy.special import expit
from sklearn import metrics

from voxplain.case import read_case, read_mask, write_array
from voxplain.cli.app import run
from voxplain.errors import InputError
from voxplain.inherent import evaluate_inherent, load_inherent, predict_inherent, prepare_task, train_inherent
from voxplain.inherent.maps_file import read_maps
from voxplain.inherent.running.headline import threshold_of
from voxplain.inherent.running.questions import questions

NAMES = ("spot", "hole")
DATA = {
    "source": "findings.csv", "multi_label": True, "classes": list(NAMES), "mask_labels": {"spot": 1, "hole": [2]},
}  # fmt: skip
ONCE = {"epochs": 1, "batch": 8, "augment": None, "device": "cpu", "progress": False, "duplicates": False}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("run")
    path = config(
        root, findings(root, 120), data=DATA, training={**ONCE, "epochs": 25, "learning_rate": 0.01},
        network={"name": "gp_unet", "pool": "topk:share=0.1", "parameters": {"widths": [8, 16], "norm": "batch"}},
    )  # fmt: skip
    for command in ("train", "predict", "evaluate"):
        assert run(["inherent", command, str(path)]) == 0
    return path


def table(path: Path) -> list[dict]:
    found = duckdb.sql(f"SELECT * FROM '{path}'")
    return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]


def files(config: Path, part: str = "test") -> dict[str, Path]:
    folders = sorted((config.parent / f"out/prediction/cases/{part}").iterdir())
    return {folder.name.split("-", 1)[1]: folder for folder in folders}


def truths(config: Path) -> dict[str, dict[str, str]]:
    return {row["id"]: row for row in read_rows(config.parent / "findings.csv")}


def test_an_image_with_two_findings_has_a_mask_of_each(made):
    predictions = {
        (r["id"], r["class"]): r for r in table(made.parent / "out/prediction/predictions.parquet")
    }
    rows, both = table(made.parent / "out/prediction/masks.parquet"), 0
    for row in (r for r in rows if r["part"] == "test"):
        k, folder = NAMES.index(row["class"]), files(made)[row["id"]]
        told = json.loads((made.parent / f"out/prediction/threshold-{row['class']}.json").read_text())
        answer = predictions[row["id"], row["class"]]
        evidence = read_case(folder / "evidence.npz").image[k]
        expected = (evidence > told["fitted"]["value"]) & (answer["logit"] > 0)
        mask = read_case(folder / f"mask-{row['class']}.npz").image[0]
        assert np.array_equal(mask > 0, expected) and row["voxels"] == expected.sum()
        assert answer["probability"] == pytest.approx(expit(answer["logit"]))
        assert (row["class"] in answer["predicted"].split(";")) == (answer["logit"] > 0)
        assert answer["label"] == truths(made)[row["id"]]["label"]
        both += answer["predicted"] == "spot;hole" and row["voxels"] > 0
    assert both > 6  # images with both, each of them marked


def test_thresholds_are_fitted_on_validation_images_without_the_finding(made):
    labels = truths(made)
    for name in NAMES:
        told = json.loads((made.parent / f"out/prediction/threshold-{name}.json").read_text())["fitted"]
        assert told["ids"] and all(
            labels[i]["part"] == "validation" and name not in labels[i]["label"] for i in told["ids"]
        )


def test_numbers_are_those_of_scikit_learn(made):
    predictions = [
        r for r in table(made.parent / "out/prediction/predictions.parquet") if r["part"] == "test"
    ]
    logits = np.array([[r["logit"] for r in predictions if r["class"] == name] for name in NAMES]).T
    wanted = np.array(
        [[name in r["label"].split(";") for r in predictions if r["class"] == name] for name in NAMES]
    ).T
    decided, numbers = logits > 0, table(made.parent / "out/evaluation/numbers.parquet")

    def number(metric, name="", part="classification", **more):
        want = {"part": part, "metric": metric, "class": name, **more}
        (found,) = [r for r in numbers if all(r[k] == v for k, v in want.items())]
        assert found["low"] is None or found["low"] <= found["value"] <= found["high"]
        return pytest.approx(found["value"])

    for k, name in enumerate(NAMES):
        pair = wanted[:, k], decided[:, k]
        assert metrics.precision_score(*pair) == number("precision", name)
        assert metrics.recall_score(*pair) == number("recall", name)
        assert metrics.f1_score(*pair) == number("f1", name)
        assert metrics.balanced_accuracy_score(*pair) == number("balanced accuracy", name)
        assert metrics.roc_auc_score(wanted[:, k], logits[:, k]) == number("auroc", name)
        brier = 2 * metrics.brier_score_loss(wanted[:, k], expit(logits[:, k]))
        assert brier == number("brier", name, "calibration", stratum="as trained")
    assert metrics.accuracy_score(wanted, decided) == number("subset accuracy")
    assert metrics.f1_score(wanted, decided, average="micro") == number("micro f1")
    assert metrics.precision_score(wanted, decided, average="micro") == number("micro precision")
    assert metrics.f1_score(wanted, decided, average="macro") == number("macro f1")
    assert metrics.roc_auc_score(wanted, logits, average="macro") == number("macro auroc")


def test_dice_of_each_finding_is_that_of_the_files(made):
    numbers, labels = table(made.parent / "out/evaluation/numbers.parquet"), truths(made)
    for value, name in enumerate(NAMES, start=1):
        dices = []
        for id, folder in files(made).items():
            case = read_case(made.parent / labels[id]["image"])
            wanted = read_mask(made.parent / labels[id]["mask"], case) == value
            mask = read_case(folder / f"mask-{name}.npz").image[0] > 0
            if wanted.any():
                dices.append(2 * (mask & wanted).sum() / (mask.sum() + wanted.sum()))
        want = {"metric": "dice median", "class": name, "threshold": "healthy (share=0.2)", "score": "class",
                "stratum": "all"}  # fmt: skip
        (row,) = [r for r in numbers if all(r[k] == v for k, v in want.items())]
        assert row["value"] == pytest.approx(np.median(dices)) and row["cases"] == len(dices) == 20
        assert np.median(dices) > 0.2  # it has learned something, so that the rest is not about empty masks


def test_the_page_tells_each_finding_of_each_image(made):
    page = (made.parent / "out/evaluation/report.html").read_text()
    for name in NAMES:
        assert f"{name}: The masks that were written" in page and f"{name}: Are probabilities right?" in page
        assert f"evidence of {name}" in page or f"{name} (decided) (true)" in page
    assert "subset accuracy" in page and "micro f1" in page and page.count("<article>") == 16
    # an image with both findings has two figures
    articles = page.split("<article>")[1:]
    assert max(a.count("<figure>") for a in articles) == 2


def test_new_images_have_unknown_labels(made):
    assert run(["inherent", "predict", str(made), str(made.parent / "i3.npz")]) == 0
    rows = table(made.parent / "out/prediction/new.parquet")
    assert [r["label"] for r in rows] == ["", ""] and rows[0]["predicted"] == "spot;hole"
    (folder,) = files(made, "new").values()
    assert {f.stem for f in folder.glob("*.npz")} == {"evidence", "contribution", "mask-spot", "mask-hole"}


def test_volumes_have_a_mask_per_finding_on_their_own_grid(tmp_path):
    settings = config(
        tmp_path, findings(tmp_path, 48, suffix="nii.gz"), data=DATA, training=ONCE, mask={"threshold": "otsu"},
        prepare={"orientation": "LPS", "divisible": 8, "scale": "zscore"},
    )  # fmt: skip
    task = prepare_task(load_inherent(settings))
    train_inherent(task)
    predict_inherent(task, progress=False)
    for folder in list(files(settings).values())[:3]:
        for name in NAMES:
            file = nibabel.load(folder / f"mask-{name}.nii.gz")
            np.testing.assert_allclose(file.affine, AFFINE)
            assert file.shape == (14, 14, 4)
    found = evaluate_inherent(task)
    assert {r["class"] for r in found.result.rows if r["metric"] == "pxap"} == set(NAMES)


def test_slices_have_the_findings_of_their_own_masks(tmp_path):
    settings = config(
        tmp_path, findings(tmp_path, 24, suffix="nii.gz"),
        data={**DATA, "slices": {"axis": "j", "labels_from_masks": True}},
    )  # fmt: skip
    samples = prepare_task(load_inherent(settings)).samples
    both = [s for s in samples if s.group == "p3"]
    mask = nibabel.load(tmp_path / "m3.nii.gz").get_fdata()
    for sample in both:
        there = {int(v) for v in np.unique(mask[:, sample.slice[1]])} - {0}
        assert {k + 1 for k in sample.label} == there
    assert {len(s.label) for s in both} == {0, 1}


def test_without_values_a_mask_is_of_the_only_finding(tmp_path):
    settings = config(
        tmp_path, findings(tmp_path, 24), training=ONCE, data={**DATA, "mask_labels": None},
        mask={"threshold": "otsu"}, evaluate={"draws": 5, "surfaces": False, "thresholds": ["oracle"]},
    )  # fmt: skip
    task = prepare_task(load_inherent(settings))
    train_inherent(task)
    predict_inherent(task, progress=False)
    found = evaluate_inherent(task)
    rows = {(r["id"], r["class"]): r["truth voxels"] for r in found.result.cases if r["threshold"] == "otsu"}
    labels = truths(settings)
    for (id, name), voxels in rows.items():
        applies = labels[id]["label"].split(";") if labels[id]["label"] else []
        # of an image with both, nobody knows which voxels are whose
        assert voxels == (-1 if len(applies) == 2 else 16 if name in applies else 0)


def test_by_default_nothing_is_marked_that_speaks_against_the_label(made):
    settings = load_inherent(made, overrides=["mask.threshold=auto", f"out={made.parent / 'out'}"])
    task = prepare_task(settings)
    thresholds = [threshold_of(task, question) for question in questions(task)]
    assert [t.title for t in thresholds] == ["healthy (floor=0)"] * 2
    validation = read_maps(made.parent / "out/prediction/maps/validation")
    for question, threshold in zip(questions(task), thresholds, strict=True):
        assert threshold.fit(question.of(validation)).found.value >= 0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            {**DATA, "mask_labels": {"spott": 1}},
            "mask_labels: found the unknown class 'spott'; did you mean 'spot'",
        ),
        (
            {**DATA, "mask_labels": {"spot": 0}},
            r"mask_labels: found \[0\] for 'spot', expected whole numbers from 1",
        ),
        (
            {**DATA, "multi_label": False, "classes": None},
            "data.mask_labels: found values of several classes",
        ),
    ],
)
def test_values_that_cannot_be(tmp_path, data, message):
    path = findings(tmp_path, 12)
    if not data["multi_label"]:
        write_rows(path, [{**r, "label": r["label"] or "healthy"} for r in read_rows(path)])
    with pytest.raises(InputError, match=message):
        prepare_task(load_inherent(config(tmp_path, path, data=data)))


def apart(tmp_path: Path, patients: int = 24) -> Path:
    """The same masks with a file per class, overlapping in one row of voxels; of one image a file is missing."""
    table = findings(tmp_path, patients)
    rows = read_rows(table)
    for row in rows:
        del row["mask"]
        for name in NAMES:
            row[f"mask:{name}"] = ""
            if name in row["label"].split(";"):
                mask = np.zeros((14, 14), np.uint8)
                mask[3:7, 2:5] = 255 * (name == "spot")
                mask[6:9, 2:5] += 255 * np.uint8(name == "hole")
                row[f"mask:{name}"] = f"{name}-{row['id']}.npz"
                write_array(tmp_path / row[f"mask:{name}"], mask, None)
    rows[11]["mask:hole"] = ""  # an image with both, of the test part
    write_rows(table, rows)
    return table


def test_a_mask_file_per_finding_may_overlap_another(tmp_path):
    data = {**DATA, "mask_labels": None}
    settings = config(tmp_path, apart(tmp_path), training=ONCE, data=data, mask={"threshold": "otsu"})
    task = prepare_task(load_inherent(settings))
    train_inherent(task)
    predict_inherent(task, progress=False)
    maps, labels = read_maps(tmp_path / "out/prediction/maps/test"), truths(settings)
    for i, id in enumerate(maps.ids):
        present = labels[id]["label"].split(";")
        for k, name in enumerate(NAMES):
            if name in present:
                assert maps.truth_voxels[i, k] == (-1 if (id, name) == ("case11", "hole") else (12, 9)[k])
            assert maps.one(k).has_empty_truth[i] == (name not in present)
        if present == ["spot", "hole"] and id != "case11":
            # rows 3 to 6 and 6 to 8 of three columns: they share the sixth row
            assert (maps.masks[i][0] & maps.masks[i][1]).sum() == 3
    assert {r["class"] for r in evaluate_inherent(task).result.rows if r["metric"] == "pxap"} == set(NAMES)


@pytest.mark.parametrize(
    ("change", "data", "message"),
    [
        ({"mask:hol": "m0.npz"}, {}, "column mask:hol is of an unknown class; did you mean 'hole'"),
        ({"mask": "m0.npz"}, {}, "found columns mask and mask:spot, expected one kind"),
        ({"mask:spot": "gone.npz"}, {}, r"line 2: mask:spot .*gone.npz does not exist"),
        ({}, {"mask_labels": {"spot": 1}}, "data.mask_labels: found values beside columns mask:"),
        ({"label": "spot"}, {"multi_label": False, "classes": None}, "but an image has one class"),
    ],
)
def test_mask_columns_that_cannot_be(tmp_path, change, data, message):
    table = apart(tmp_path)
    rows = [{**dict.fromkeys(change, ""), **r} for r in read_rows(table)]
    if "label" in change:
        rows = [{**r, "label": r["label"].split(";")[0] or "healthy"} for r in rows]
    rows[0] |= change
    write_rows(table, rows)
    path = config(tmp_path, table, data={**DATA, "mask_labels": None, **data})
    with pytest.raises(InputError, match=message):
        prepare_task(load_inherent(path))
