"""The best threshold on held-out masks, against brute force over every threshold."""

from __future__ import annotations

import numpy as np
import pytest
from hand_made_maps import blobs, maps_of, shuffled

from voxplain.errors import InputError
from voxplain.inherent.score_map import ClassScore
from voxplain.inherent.threshold import HeldOutMasks, Oracle


def brute(scores, masks, join=np.mean) -> float:
    """The best joined Dice over all thresholds between values, voxel sets counted one by one."""
    values = np.unique(np.concatenate([s.ravel() for s in scores]))
    best = 0.0
    for t in values:
        each = [
            2 * ((s > t) & m).sum() / ((s > t).sum() + m.sum()) for s, m in zip(scores, masks, strict=True)
        ]
        best = max(best, float(join(each)))
    return best


def small(n=6, seed=0):
    rng = np.random.default_rng(seed)
    masks = [rng.random((5, 5)) < 0.3 for _ in range(n)]
    scores = [np.round(rng.normal(size=(5, 5)) + 1.2 * m, 3).astype(np.float32) for m in masks]
    return maps_of(scores, masks=masks), scores, masks


@pytest.mark.parametrize("objective", ["mean", "median"])
@pytest.mark.parametrize("seed", range(4))
def test_no_threshold_is_better(objective, seed):
    maps, scores, masks = small(seed=seed)
    join = {"mean": np.mean, "median": np.median}[objective]
    threshold = HeldOutMasks(None, objective, draws=20).fit(maps)
    each = [r["dice"] for r in Oracle().fit(maps).score(maps)]  # an oracle may be scored on its own cases
    assert threshold.found.evidence["dice"] == pytest.approx(brute(scores, masks, join), abs=1e-12)
    if objective == "mean":
        assert np.mean(each) == pytest.approx(brute(scores, masks), abs=1e-12)


def test_by_hand():
    # lesion 3 and 4 of 0 … 4: above 2 is exact. Every threshold from 2 to below 3 gives that mask
    maps = maps_of([np.arange(5.0).reshape(1, 5)], masks=[np.array([[0, 0, 0, 1, 1]], bool)])
    threshold = HeldOutMasks(1).fit(maps)
    assert threshold.found.value == 2 and threshold.found.evidence["dice"] == 1
    assert np.isnan(threshold.found.evidence["dice_low"])  # one patient has no interval


def test_an_oracle_per_image_is_at_least_as_good_as_one_per_data_set():
    maps, scores, masks = small(8)
    per_image = [r["dice"] for r in Oracle("image").fit(maps).score(maps)]
    per_set = [r["dice"] for r in Oracle().fit(maps).score(maps)]
    assert all(a >= b for a, b in zip(per_image, per_set, strict=True)) and np.mean(per_image) > np.mean(
        per_set
    )
    assert per_image == pytest.approx([brute([s], [m]) for s, m in zip(scores, masks, strict=True)])


def test_an_oracle_per_image_marks_nothing_where_nothing_is():
    maps = maps_of([np.eye(3)] * 2, masks=[np.eye(3) > 0, np.zeros((3, 3), bool)], labels=[1, 0])
    assert [int(m.sum()) for m in Oracle("image").fit(maps).masks(maps)] == [3, 0]


def test_the_draw_depends_on_the_seed_and_not_on_the_order():
    maps = blobs(40)
    fits = [HeldOutMasks(8, seed=1, draws=30).fit(m) for m in (maps, shuffled(maps))]
    assert fits[0] == fits[1] and len(fits[0].fitted_on) == 8
    assert HeldOutMasks(8, seed=2, draws=30).fit(maps).fitted_on != fits[0].fitted_on


def test_intervals_draw_patients_and_hold_the_value():
    maps = blobs(60, per_patient=2, seed=3)
    found = HeldOutMasks(None, draws=300).fit(maps).found
    e = found.evidence
    assert e["value_low"] <= found.value <= e["value_high"] and e["dice_low"] < e["dice"] < e["dice_high"]
    assert e["patients"] == len(found.groups) < e["cases"]


def test_twins_of_a_patient_do_not_narrow_the_interval():
    maps = blobs(30, seed=4)
    lesions = maps.take(maps.has_lesion)
    twins = lesions.take(np.repeat(np.arange(len(lesions)), 1))
    n = len(lesions)
    double = maps_of(
        [ClassScore()(lesions, i) for i in range(n)] * 2,
        masks=[*lesions.masks, *lesions.masks],
        groups=[*lesions.groups, *lesions.groups],
    )
    single = maps_of(
        [ClassScore()(twins, i) for i in range(n)], masks=list(lesions.masks), groups=list(lesions.groups)
    )
    a, b = (HeldOutMasks(None, draws=200).fit(m).found.evidence for m in (single, double))
    assert a["dice_low"] == pytest.approx(b["dice_low"]) and a["dice_high"] == pytest.approx(b["dice_high"])


@pytest.mark.parametrize("bend", [np.exp, lambda x: x**3, np.arctan])
@pytest.mark.parametrize(
    "threshold", [HeldOutMasks(None, draws=10), HeldOutMasks(4, "median", draws=10), Oracle()]
)
def test_the_masks_do_not_change_under_a_monotone_transform(threshold, bend):
    _, scores, masks = small(8)
    plain, bent = (maps_of(s, masks=masks) for s in (scores, [bend(x.astype(np.float64)) for x in scores]))
    pairs = zip(threshold.fit(plain).masks(plain), threshold.fit(bent).masks(bent), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def test_few_steps_lose_little():
    maps = blobs(40, (40, 40))
    fine, coarse = (
        HeldOutMasks(None, steps=s, draws=0).fit(maps).found.evidence["dice"] for s in (100_000, 1024)
    )
    assert coarse <= fine <= coarse + 0.005


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HeldOutMasks(0), "count: found 0"),
        (lambda: HeldOutMasks(objective="max"), "objective: found 'max'"),
        (
            lambda: HeldOutMasks(20).fit(small()[0]),
            "count: found 6 cases with a lesion in their mask, expected 20",
        ),
        (lambda: Oracle("case"), "per: found 'case'"),
        (lambda: Oracle().fit(maps_of([np.eye(3)])), "found no lesion in any"),
    ],
)
def test_what_cannot_be_fitted_is_told(make, message):
    with pytest.raises(InputError, match=message):
        make()
