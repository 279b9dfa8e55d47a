"""What the page of an evaluation says first, and that its tables say what their numbers are."""

from __future__ import annotations

import numpy as np
import pytest

from voxplain.inherent.bootstrap import Interval
from voxplain.inherent.evaluate import Result
from voxplain.inherent.evaluate.rows import row
from voxplain.inherent.maps import Maps
from voxplain.inherent.page.cases import Share
from voxplain.inherent.page.curves import rejection_curve
from voxplain.inherent.page.honesty import brightness_told, distance_unit
from voxplain.inherent.page.numbers import ORACLES, class_table, mask_tables, overall_table
from voxplain.inherent.page.sums import sum_bars
from voxplain.inherent.running.judging import Judged
from voxplain.inherent.running.questions import Question
from voxplain.inherent.threshold import Otsu
from voxplain.inherent.uncertainty import rejection


def number(part: str, metric: str, value: float, **columns) -> dict:
    return row(part, metric, Interval(value, float("nan"), float("nan")), **{"cases": 5, **columns})


def mask(value: float, score: str = "class", threshold: str = "otsu", **columns) -> dict:
    return number("localisation", "dice median", value, score=score, threshold=threshold, **columns)


def judged(rows: list[dict], name: str = "") -> Judged:
    headline = Otsu().fit(None)
    question = Question(name, 0 if name else None, 0, "")
    return Judged(question, Result(rows, []), headline, (headline,), None, None, None, ())


def pxap(value: float, score: str) -> dict:
    return number("map", "pxap", value, score=score)


def test_brightness_that_does_better_is_told_in_words():
    rows = [pxap(0.3, "class"), pxap(0.5, "image intensity"), mask(0.4), mask(0.3, "image intensity", "zero")]
    (told,) = brightness_told(judged(rows))
    assert "PxAP 0.50 against 0.30" in told and "Dice" not in told
    assert "This data set proves nothing about the map" in told
    rows[3]["value"] = 0.45
    assert (
        "median Dice 0.45 (threshold zero) against 0.40 (threshold otsu)" in brightness_told(judged(rows))[0]
    )
    assert brightness_told(judged(rows, "edema"))[0].startswith("edema: brightness alone")


def test_brightness_that_knows_the_truth_or_does_no_better_says_nothing():
    rows = [
        pxap(0.5, "class"), pxap(0.5, "image intensity"), mask(0.4), mask(0.9, "image intensity", "oracle", oracle=True),
        mask(0.9, "image intensity", stratum="large"), mask(float("nan"), "image intensity", "zero"),
    ]  # fmt: skip
    assert brightness_told(judged(rows)) == [] and brightness_told(judged([])) == []


def test_the_best_of_both_are_compared():
    rows = [
        mask(0.4),
        mask(0.8, threshold="masks"),
        mask(0.6, "image intensity", "masks"),
        mask(0.1, "image intensity", "zero"),
    ]
    assert brightness_told(judged(rows)) == []
    rows[1]["value"] = 0.5
    (told,) = brightness_told(judged(rows))
    assert "median Dice 0.60 (threshold masks) against 0.50 (threshold masks)" in told


def test_numbers_of_all_classes_have_a_table_of_their_own():
    of_a = {"class": "a"}
    rows = [
        number("classification", "precision", 0.5, **of_a), number("classification", "recall", 0.25, **of_a),
        number("classification", "accuracy", 0.75, cases=8),
    ]  # fmt: skip
    assert class_table(rows, ["a"]).rows == (("a", "0.500", "0.250", "5"),)
    overall = overall_table(rows)
    assert overall.rows == (("accuracy", "0.750", "8"),) and "precision" not in overall.head


def test_lines_without_a_case_are_left_out_and_distances_have_a_unit():
    rows = [mask(0.4), mask(float("nan"), stratum="class benign", cases=0), mask(0.5, stratum="large")]
    (table,) = mask_tables(rows, judged([]).headline, caption="these", unit="voxels")
    assert [line[0] for line in table.rows] == ["all", "large"] and table.caption == "these"
    assert "hd95 median (voxels)" in table.head and "hd95 median" not in table.head


def test_oracles_are_not_called_upper_bounds():
    rows = [mask(0.4), mask(0.3, threshold="oracle", oracle=True)]
    *_, table = mask_tables(rows, judged([]).headline, caption="these", unit="mm")
    assert table.caption == ORACLES and "upper bound" not in ORACLES.casefold()


@pytest.mark.parametrize(
    ("spacings", "unit"),
    [
        ([(1.0, 2.0)] * 3, "mm"),
        ([None] * 3, "voxels"),
        ([None, (1.0, 1.0), None], "mm; voxels of 2 images without spacing"),
    ],
)
def test_the_unit_of_distances(spacings, unit):
    ids = ("a", "b", "c")
    maps = Maps(ids, ids, [np.zeros((2, 3, 3))] * 3, [[0.0, 1.0]] * 3, [0] * 3, spacings=spacings)
    assert distance_unit(maps) == unit


def test_the_frame_of_a_rejection_curve_is_that_of_most_images():
    """The surest image alone has a Dice of 0; of all others it lies between 0.8 and 0.82."""
    quality = np.concatenate([[0.0], np.linspace(0.82, 0.8, 99)])
    drawn = rejection_curve(rejection(-np.arange(100.0), quality))
    low, high = drawn.figure.axes[0].get_ylim()
    kept = np.cumsum(quality)[9:] / np.arange(10, 101)  # means of the 10 surest images and more
    assert low <= kept.min() and kept.max() <= high and low > 0.7 and high - low < 0.15


def test_the_sum_is_drawn_from_zero_to_the_logit():
    shares = [
        Share("a", 4.0, -1.0, 0.5, 3.5, 0.9, True, True),
        Share("b", 1.0, -3.0, 0.0, -2.0, 0.1, False, False),
    ]
    first, second = sum_bars(shares)
    # from -2 to 4: a unit is 100 / 6
    assert [(p.kind, p.start, p.width) for p in first.pieces] == [
        ("for", 33.3, 66.7), ("against", 83.3, 16.7), ("rest", 83.3, 8.4),
    ]  # fmt: skip
    assert (first.zero, first.end, second.end) == (33.3, 91.7, 0.0)
    assert [p.kind for p in second.pieces] == ["for", "against"]
    assert "a: +4 for it, −1 against it, +0.5 that no place" in first.words
    assert second.words.endswith("logit −2, probability 0.100")
