"""Masks of whole data sets: by hand, in any order, by strata, and one table of honest and oracle thresholds."""

from __future__ import annotations

import csv
import math

import duckdb
import numpy as np
import pytest
from hand_made_maps import blobs, maps_of, shuffled

from voxplain.errors import InputError
from voxplain.inherent.evaluate import (
    Asked,
    Protocol,
    Result,
    class_strata,
    compare,
    lesion_sizes,
    localisation,
    size_strata,
    write_rows,
)
from voxplain.inherent.evaluate.localisation import AFTER, BEFORE, METRICS
from voxplain.inherent.evaluate.rows import COLUMNS, row
from voxplain.inherent.mask import Components, DenseCrf, Segmentation
from voxplain.inherent.score_map import ClassScore
from voxplain.inherent.threshold import HealthyQuantile, HeldOutMasks, Oracle, Otsu, ZeroEvidence

ZERO = ZeroEvidence().fit(None)
FEW = Asked(draws=30)


def square(at, size, shape=(12, 12)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[at[0] : at[0] + size, at[1] : at[1] + size] = True
    return mask


def by_hand():
    """a exact, b half of a 2 × 2, c missed because it is called healthy, d healthy and marked, e healthy and not."""
    truth = square((2, 2), 2)
    half = truth.copy()
    half[3] = False
    marks = [truth, half, truth, square((8, 8), 3), np.zeros((12, 12), bool)]
    masks = [truth, truth, truth, np.zeros((12, 12), bool), None]
    logits = [[0.0, 1], [0.0, 1], [1.0, 0], [0.0, 1], [0.0, 1]]
    contrasts = [np.where(m, 1.0, -1.0) for m in marks]
    return maps_of(contrasts, labels=[1, 1, 1, 0, 0], masks=masks, logits=logits, spacings=[(2.0, 3.0)] * 5)


def test_every_number_by_hand():
    result = localisation(by_hand(), Segmentation(ZERO), FEW)
    # Dice 1, 2·2/(2 + 4) = 2/3, 0; IoU 1, 1/2, 0
    wanted = {
        "dice median": 2 / 3,
        "dice mean": (1 + 2 / 3) / 3,
        "iou median": 1 / 2,
        "iou mean": 1 / 2,
        "hd95 median": 2.0,  # 0, 2 mm from row 3 to row 2, infinity
        "assd median": 4 / 6,  # two of six surface voxels are 2 mm away
        "missed": 1 / 3,
        "false mask rate": 1 / 2,
        "lesion sensitivity": 2 / 3,
        "false marks per case": 1 / 5,
        "froc mean sensitivity": (0 + 2 / 3 * 6) / 7,  # all scores are 1: at 1/8 the false one is too many
    }
    assert {m: result.value(metric=m) for m in METRICS} == pytest.approx(wanted)
    counts = {r["metric"]: (r["cases"], r["patients"]) for r in result}
    assert (
        counts["dice mean"] == (3, 3)
        and counts["false mask rate"] == (2, 2)
        and counts["false marks per case"] == (5, 5)
    )


def test_rows_per_case_say_why():
    cases = {r["id"]: r for r in localisation(by_hand(), Segmentation(ZERO), FEW).cases}
    assert cases["c002"]["reason"] == "the prediction is healthy" and cases["c002"]["dice"] == 0
    assert cases["c002"]["hd95"] == np.inf and cases["c003"]["marks"] == 1 and np.isnan(cases["c003"]["dice"])
    assert (
        cases["c004"]["reason"] == "nothing lies above the threshold" and cases["c001"]["truth voxels"] == 4
    )


def test_ignoring_the_prediction_gives_its_mask_back():
    result = localisation(by_hand(), Segmentation(ZERO, "ignore"), FEW)
    assert result.value(metric="missed") == 0 and result.value(metric="dice median") == 1


def test_cases_of_unknown_truth_are_left_out():
    maps = by_hand()
    more = maps_of(
        [ClassScore()(maps, i) for i in range(5)] + [np.ones((12, 12))],
        labels=[1, 1, 1, 0, 0, 1],
        masks=[*maps.masks, None],
        logits=[*maps.logits, [0.0, 1.0]],
        spacings=[(2.0, 3.0)] * 6,
    )
    a, b = (localisation(m, Segmentation(ZERO), Asked(draws=0)) for m in (maps, more))
    assert {m: a.value(metric=m) for m in METRICS} == {m: b.value(metric=m) for m in METRICS}
    assert b.cases[-1]["truth voxels"] == -1
    with pytest.raises(InputError, match="found no known truth"):
        localisation(maps_of([np.eye(3)]), Segmentation(ZERO))


@pytest.mark.parametrize("shape", [(20, 22), (14, 14, 14)])
def test_the_order_of_cases_does_not_matter(shape):
    maps = blobs(18, shape, per_patient=2, spacing=(1.5,) * len(shape))
    segmentation = Segmentation(Otsu().fit(None), components=Components(at_least_voxels=2))
    a, b = (localisation(m, segmentation, FEW, size_strata(m)) for m in (maps, shuffled(maps)))
    for old, new in ((a.rows, b.rows), (a.cases, b.cases)):
        assert [str(r) for r in old] == [str(r) for r in new]
    assert all(r["low"] <= r["value"] <= r["high"] for r in a if not math.isnan(r["low"]))


def test_no_false_mask_in_twelve_patients_may_still_be_a_quarter_of_them():
    maps = maps_of([-np.eye(3)] * 24, labels=[0] * 24, groups=[f"p{i // 2:02d}" for i in range(24)])
    (found,) = localisation(maps, Segmentation(ZERO, "ignore"), FEW).where(metric="false mask rate")
    assert found["value"] == found["low"] == 0 and found["high"] == pytest.approx(1 - 0.025 ** (1 / 12))
    assert found["cases"] == 24 and found["patients"] == 12


def test_a_stratum_of_two_patients_has_no_interval():
    maps = blobs(18)
    (row_,) = localisation(maps, Segmentation(ZERO), FEW, {"few": np.arange(18) < 3}).where(
        metric="dice mean", stratum="few"
    )
    assert row_["patients"] == 2 and np.isnan(row_["low"]) and not np.isnan(row_["value"])


def test_seeds_draw_differently_and_draws_are_of_patients():
    maps = blobs(30, per_patient=5)
    find = [
        localisation(maps, Segmentation(ZERO, "ignore"), Asked(draws=30, seed=s, surfaces=False))
        for s in (0, 1)
    ]
    assert find[0].where(metric="dice mean") != find[1].where(metric="dice mean")
    single = blobs(30)
    narrow = localisation(single, Segmentation(ZERO, "ignore"), Asked(draws=30, surfaces=False))
    assert (
        narrow.where(metric="dice mean")[0]["patients"] == 20
        and find[0].where(metric="dice mean")[0]["patients"] == 6
    )


def test_fitted_cases_are_refused():
    maps = blobs(40)
    with pytest.raises(InputError, match="threshold 'masks': was fitted on"):
        localisation(maps, Segmentation(HeldOutMasks(5).fit(maps)), FEW)
    assert localisation(maps, Segmentation(Oracle().fit(maps)), FEW).rows[0]["oracle"] is True


def test_a_refinement_is_scored_before_and_after():
    maps = blobs(9, (24, 24))
    plain = localisation(maps, Segmentation(ZERO), FEW)
    both = localisation(maps, Segmentation(ZERO, refinement=DenseCrf()), FEW)
    assert {r["mask"] for r in both} == {BEFORE, AFTER} and len(both.rows) == 2 * len(plain.rows)
    for metric in ("dice mean", "false mask rate"):
        assert both.value(metric=metric, mask=BEFORE) == plain.value(metric=metric)
    assert both.value(metric="dice mean", mask=AFTER) != plain.value(metric="dice mean")


def test_strata_by_size_and_class():
    sizes = [1, 2, 3, 4, 5, 6]
    maps = maps_of(
        [np.where(square((1, 1), s), 1.0, -1.0) for s in sizes] + [-np.ones((12, 12))],
        masks=[square((1, 1), s) for s in sizes] + [np.zeros((12, 12), bool)],
        labels=[1] * 6 + [0],
        spacings=[(0.5, 2.0)] * 7,
    )
    values, unit = lesion_sizes(maps)
    assert unit == "mm²" and values[:6].tolist() == [1, 4, 9, 16, 25, 36] and np.isnan(values[6])
    strata = size_strata(maps)
    assert [s.nonzero()[0].tolist() for s in strata.values()] == [[0], [1, 2], [3, 4, 5]]
    assert list(strata) == ["small: < 4 mm²", "medium: 4 … 16 mm²", "large: ≥ 16 mm²"]
    by_bounds = size_strata(maps, [10])
    assert [s.sum() for s in by_bounds.values()] == [3, 3] and "1: < 10 mm²" in by_bounds
    assert class_strata(maps, ["healthy", "tumour"])["class tumour"].sum() == 6
    result = localisation(maps, Segmentation(ZERO), FEW, {**strata, **class_strata(maps)})
    assert {r["stratum"] for r in result} == {"all", *strata, "class 1"}
    counted = {r["stratum"]: r["cases"] for r in result.where(metric="dice mean")}
    assert list(counted.values()) == [6, 1, 2, 3, 6]
    with pytest.raises(InputError, match="edges: found"):
        size_strata(maps, [3, 2])
    with pytest.raises(InputError, match=r"stratum 'x': found shape \(2,\)"):
        localisation(maps, Segmentation(ZERO), FEW, {"x": np.ones(2, bool)})


def test_sizes_are_voxels_where_a_spacing_is_missing():
    maps = maps_of([np.eye(4)] * 2, masks=[np.eye(4) > 0] * 2, spacings=[(2.0, 2.0), None])
    assert lesion_sizes(maps)[1] == "voxels" and lesion_sizes(maps)[0].tolist() == [4, 4]


# ---- the table -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table() -> Result:
    test, validation = blobs(24, (16, 16), seed=1, prefix="t"), blobs(66, (16, 16), seed=2, prefix="v")
    thresholds = [
        ZeroEvidence(),
        Otsu(),
        HealthyQuantile(0.1),
        HeldOutMasks(20, draws=20),
        Oracle(),
        Oracle("image"),
    ]
    asked = Asked(draws=10, surfaces=False)
    return compare(test, validation, Protocol(thresholds=thresholds), asked)


def test_every_score_goes_through_every_threshold(table):
    told = {(r["score"], r["threshold"]) for r in table if r["part"] == "localisation"}
    scores, thresholds = (
        {"class", "image intensity", "random map"},
        {"zero", "otsu", "healthy (share=0.1)", "oracle"},
    )
    assert {(s, t) for s in scores for t in thresholds} <= told and ("whole image", "zero") in told
    assert {r["supervision"] for r in table if r["part"] == "localisation"} == {
        "none",
        "image labels",
        "masks",
        "oracle",
    }
    assert all(r["oracle"] == (r["supervision"] == "oracle") for r in table if r["part"] == "localisation")


def test_the_table_orders_what_must_be_ordered(table):
    def mean(score, threshold):
        return table.value(score=score, threshold=threshold, metric="dice mean")

    oracle = "oracle (per=image)"
    thresholds = {r["threshold"] for r in table if r["score"] == "class" and r["threshold"]} - {oracle}
    ignoring = [mean("image intensity", t) for t in thresholds]
    assert mean("image intensity", oracle) >= max(ignoring)
    assert (
        mean("class", "masks (draws=20)")
        > mean("image intensity", "masks (draws=20)")
        > mean("random map", "oracle")
    )
    assert table.value(score="class", metric="pxap") > table.value(score="image intensity", metric="pxap")
    assert table.value(score="whole image", metric="false mask rate") == 1
    assert table.value(score="whole image", metric="missed") == 0
    assert table.value(score="whole image", metric="pxap") == pytest.approx(
        table.value(score="random map", metric="pxap"), abs=0.02
    )


def test_patients_on_both_sides_are_refused():
    maps = blobs(12)
    with pytest.raises(InputError, match="patients of the test cases too, such as 'c-patient000'"):
        compare(maps, maps)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_rows_come_back_from_files(table, tmp_path, suffix):
    for path, rows in (
        (table.write(tmp_path / f"rows{suffix}"), table.rows),
        (table.write_cases(tmp_path / f"cases{suffix}"), table.cases),
    ):
        if suffix == ".csv":
            with path.open(encoding="utf-8") as file:
                back = list(csv.DictReader(file))
        else:
            found = duckdb.sql(f"SELECT * FROM '{path}'")
            back = [dict(zip(found.columns, r, strict=True)) for r in found.fetchall()]
        told = [{k: "nan" if v is None else str(v) for k, v in r.items()} for r in back]
        assert told == [{k: str(v) for k, v in r.items()} for r in rows]


def test_infinity_survives_parquet_and_what_is_not_defined_is_null(tmp_path):
    write_rows([{"a": np.inf, "b": ""}, {"a": np.nan, "b": "x"}], tmp_path / "r.parquet")
    (a, b) = duckdb.sql(f"SELECT * FROM '{tmp_path / 'r.parquet'}'").fetchall()
    assert a == (np.inf, "") and b == (None, "x")


def test_every_row_has_every_column(table):
    assert all(list(r) == list(COLUMNS) for r in table)
    with pytest.raises(InputError, match="found the column 'colour'"):
        row("x", "y", None, colour=1)
    with pytest.raises(InputError, match="found 0 rows with"):
        table.value(metric="dise")
    with pytest.raises(InputError, match=r"found the suffix '\.txt'"):
        table.write("rows.txt")
