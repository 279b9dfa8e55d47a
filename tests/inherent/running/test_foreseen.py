"""What would stop prediction or evaluation is told before training, in a line that says what would work."""

from __future__ import annotations

import json

import numpy as np
import pytest
from imageio.v3 import imwrite
from inherent_runs import config, findings, read_rows, spots, write_rows

from voxplain.cli.app import run
from voxplain.inherent import load_inherent, prepare_task
from voxplain.inherent.running.foreseen import check_foreseen

ONCE = {"epochs": 1, "batch": 8, "augment": None, "device": "cpu", "progress": False, "duplicates": False}


def refused(capsys, path, *flags: str) -> str:
    assert run(["inherent", "train", str(path), *flags]) == 2
    assert not (path.parent / "out").exists()
    (line,) = [x for x in capsys.readouterr().err.splitlines() if "warning" not in x]
    return line


@pytest.mark.parametrize(
    ("threshold", "says"),
    [
        # 60 patients, every second one healthy, a third in the validation part
        (
            "healthy:share=0.05",
            "takes at least 19 healthy patients, found 10 in the validation part; expected more, healthy:share=0.091",
        ),
        ("masks:count=11", "takes masks of 11 images with a finding, found 10 in the validation part"),
    ],
)
def test_a_threshold_that_cannot_be_fitted(tmp_path, capsys, threshold, says):
    path = config(tmp_path, spots(tmp_path), training=ONCE, mask={"threshold": threshold})
    assert says in refused(capsys, path)


@pytest.mark.parametrize("threshold", ["healthy:share=0.091", "masks:count=10", "otsu"])
def test_what_the_refusal_names_can_be_fitted(tmp_path, threshold):
    check_foreseen(
        prepare_task(load_inherent(config(tmp_path, spots(tmp_path), mask={"threshold": threshold})))
    )


def test_patients_count_not_images(tmp_path, capsys):
    table = spots(tmp_path)
    rows = read_rows(table)
    for row in rows:
        if (row["part"], row["label"]) == ("validation", "healthy"):
            row["patient"] = "one"
    write_rows(table, rows)
    path = config(tmp_path, table, mask={"threshold": "healthy:share=0.2"})
    assert "takes at least 4 healthy patients, found 1" in refused(capsys, path)


def test_independent_labels_are_counted_one_by_one(tmp_path, capsys):
    table = findings(tmp_path, 24)  # 8 of the validation part, 4 of them without a hole
    data = {"source": table.name, "multi_label": True, "mask_labels": {"spot": 1, "hole": 2}}
    path = config(tmp_path, table, data=data, mask={"threshold": "healthy:share=0.1"})
    assert "mask.threshold of 'hole': healthy (share=0.1) takes at least 9" in refused(capsys, path)


def test_a_split_without_a_test_part(tmp_path, capsys):
    table = spots(tmp_path)
    write_rows(table, [{k: v for k, v in r.items() if k != "part"} for r in read_rows(table)])
    path = config(tmp_path, table, split={"train": 0.7, "validation": 0.3, "test": 0})
    line = refused(capsys, path)
    assert (
        "predict.parts: found test, which is empty" in line and "evaluation needs validation and test" in line
    )


def test_a_threshold_needs_the_validation_part_to_be_predicted(tmp_path, capsys):
    path = config(tmp_path, spots(tmp_path), predict={"parts": ["test"]})
    assert "predict.parts: found test, but the threshold of the masks is fitted on" in refused(capsys, path)


def coloured(tmp_path, values: tuple[int, int, int]):
    table = spots(tmp_path, 60)
    rows = read_rows(table)
    for row in rows:
        if row["label"] == "spot":
            mask = np.load(tmp_path / row["mask"])
            marked = next(mask[name] for name in mask.files if mask[name].ndim >= 2).reshape(12, 12)
            row["mask"] = row["mask"].replace(".npz", ".png")
            imwrite(tmp_path / row["mask"], (marked[..., None] * np.array(values)).astype(np.uint8))
        else:
            row["mask"] = ""
    write_rows(table, rows)
    return config(tmp_path, table, training=ONCE, mask={"threshold": "otsu"})


def test_masks_in_colour(tmp_path, capsys):
    assert "mask of case3: " in (line := refused(capsys, coloured(tmp_path, (255, 0, 0))))
    assert "has 3 channels, a mask has one" in line


def test_grey_masks_that_were_saved_in_colour(tmp_path):
    check_foreseen(prepare_task(load_inherent(coloured(tmp_path, (255, 255, 255)))))


def with_healthy(root, count: int, **other):
    """A data set of which the validation part has so many healthy patients."""
    table = spots(root, patients=6 * 22)
    rows, left = read_rows(table), count
    for row in rows:
        if (row["part"], row["label"]) == ("validation", "healthy"):
            left -= 1
            row["part"] = "validation" if left >= 0 else "train"
    write_rows(table, rows)
    return config(root, table, training=ONCE, mask={"threshold": "auto"}, **other)


@pytest.mark.parametrize(("count", "chosen"), [(18, "otsu"), (19, "healthy")])
def test_left_to_itself_the_mask_promises_what_it_can_keep(tmp_path, capsys, count, chosen):
    """A promise of 5 % takes 19 patients: of 18 the largest is exceeded by one in 19, which is more."""
    path = with_healthy(tmp_path, count)
    for command in ("train", "predict", "evaluate"):
        assert run(["inherent", command, str(path)]) == 0
    told = capsys.readouterr().out
    assert json.loads((tmp_path / "out/prediction/threshold.json").read_text())["name"] == chosen
    refusal = "masks: otsu, which promises nothing: that at most 5% of healthy images are marked takes 19 healthy patients"
    assert (refusal in told) == (chosen == "otsu") and (f"{count} are there" in told) == (chosen == "otsu")
    page = (tmp_path / "out/evaluation/report.html").read_text()
    assert ("Masks are made by otsu, which promises nothing" in page) == (chosen == "otsu")


def test_left_to_itself_a_label_without_enough_healthy_patients_is_marked_by_its_sign(tmp_path, capsys):
    table = findings(tmp_path, 24)
    data = {"source": table.name, "multi_label": True, "mask_labels": {"spot": 1, "hole": 2}}
    path = config(tmp_path, table, data=data, training=ONCE, mask={"threshold": "auto"})
    for command in ("train", "predict"):
        assert run(["inherent", command, str(path)]) == 0
    told = capsys.readouterr().out
    assert "masks: spot: zero, which promises nothing" in told and "masks: hole: zero" in told
