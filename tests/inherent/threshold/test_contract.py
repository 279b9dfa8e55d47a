"""What every threshold promises: it tells its supervision, comes back from JSON, and does not judge what it has seen."""

from __future__ import annotations

import numpy as np
import pytest
from hand_made_maps import blobs

from voxplain.errors import InputError
from voxplain.inherent.score_map import ClassScore
from voxplain.inherent.threshold import (
    THRESHOLDS,
    HealthyQuantile,
    HeldOutMasks,
    MultiOtsu,
    Oracle,
    Otsu,
    ZeroEvidence,
    parse_threshold,
    threshold_from_dict,
    threshold_from_json,
)

ALL = [
    ZeroEvidence(),
    Otsu(),
    MultiOtsu(),
    MultiOtsu.paper("GPUNet"),
    HealthyQuantile(0.2),
    HealthyQuantile(0.2, 0.01, "patient"),
    HeldOutMasks(5, draws=20),
    Oracle(),
    Oracle("image"),
]
FITTED_ON_CASES = [t for t in ALL if t.supervision in ("image labels", "masks")]
TITLES = [t.title for t in ALL]


@pytest.fixture(scope="module")
def seen():
    return blobs(36, seed=1, per_patient=2)


@pytest.fixture(scope="module")
def fresh():
    return blobs(12, seed=2, prefix="new")


def test_every_threshold_is_here():
    assert {t.name for t in ALL} == set(THRESHOLDS)
    assert {t.supervision for t in ALL} == {"none", "image labels", "masks", "oracle"}
    assert len(set(TITLES)) == len(ALL)


@pytest.mark.parametrize("threshold", ALL, ids=TITLES)
def test_it_comes_back_from_json(threshold, seen, fresh):
    assert threshold_from_json(threshold.to_json()) == threshold
    fitted = threshold.fit(seen, ClassScore("margin"))
    again = threshold_from_json(fitted.to_json())
    assert again.found.value == fitted.found.value and again.to_dict() == fitted.to_dict()
    assert all(np.array_equal(a, b) for a, b in zip(again.masks(fresh), fitted.masks(fresh), strict=True))


def test_an_unknown_interval_comes_back_too():
    fitted = HeldOutMasks(1).fit(blobs(3))
    assert np.isnan(threshold_from_json(fitted.to_json()).found.evidence["dice_low"])


@pytest.mark.parametrize("threshold", FITTED_ON_CASES, ids=[t.title for t in FITTED_ON_CASES])
def test_cases_that_it_was_fitted_on_are_refused_by_name(threshold, seen, fresh):
    fitted = threshold.fit(seen)
    used = min(fitted.fitted_on)
    with pytest.raises(InputError, match=f"was fitted on '{used}'"):
        fitted.score(seen.take([seen.ids.index(used)]))
    assert len(fitted.score(fresh)) == len(fresh)
    assert threshold_from_json(fitted.to_json()).fitted_on == fitted.fitted_on


@pytest.mark.parametrize("threshold", FITTED_ON_CASES, ids=[t.title for t in FITTED_ON_CASES])
def test_other_cases_of_their_patients_are_refused_by_name(threshold, seen):
    fitted = threshold.fit(seen)
    pairs = zip(seen.ids, seen.groups, strict=True)
    related = next(i for i, g in pairs if g in fitted.fitted_on_groups and i not in fitted.fitted_on)
    with pytest.raises(InputError, match=f"other cases of the patients of '{related}'"):
        fitted.score(seen.take([seen.ids.index(related)]))


def test_many_ids_are_told_in_short(seen):
    fitted = HealthyQuantile(0.2).fit(seen)
    with pytest.raises(InputError, match=r"'c000', .* and 7 more; score it on cases of other patients$"):
        fitted.score(seen)


def test_an_oracle_is_scored_and_flagged(seen):
    for row in Oracle().fit(seen).score(seen):
        assert row["oracle"] is True and row["supervision"] == "oracle"
    assert not any(r["oracle"] for r in ZeroEvidence().fit(None).score(seen))


def test_rows_tell_dice_and_nothing_where_nothing_is_known(fresh):
    rows = ZeroEvidence().fit(None, ClassScore(of=1)).score(fresh)
    for row, evidence, mask in zip(rows, fresh.evidence, fresh.masks, strict=True):
        marked = evidence[1] > evidence[0]
        assert row["voxels"] == marked.sum()
        if mask.any():
            assert row["dice"] == 2 * (marked & mask).sum() / (marked.sum() + mask.sum())
        else:
            assert np.isnan(row["dice"]) and np.isnan(row["iou"])


def test_texts_make_thresholds():
    assert parse_threshold("zero") == ZeroEvidence()
    assert parse_threshold("multi-otsu:offset=1e-1,floor=null").settings["offset"] == 0.1
    assert parse_threshold("masks: count=5, objective=median") == HeldOutMasks(5, "median")
    assert parse_threshold("oracle:per=data set") == Oracle()
    assert parse_threshold("multi-otsu:offset=0.3,floor=0.0") == MultiOtsu.paper("GPUNet")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: parse_threshold("ots"), "found 'ots'; did you mean 'otsu'"),
        (lambda: parse_threshold("otsu:bin=3"), "found the setting 'bin'; did you mean 'bins'"),
        (lambda: parse_threshold("otsu:3"), "expected parameter=value"),
        (lambda: parse_threshold("multi-otsu:offset=much"), "found offset='much', expected float"),
        (lambda: parse_threshold("masks:count=2.5"), r"found count=2.5, expected int or None"),
        (lambda: parse_threshold("otsu:bins=true"), "found bins=True, expected int"),
        (lambda: threshold_from_json("{"), "found no JSON"),
        (lambda: threshold_from_dict({"name": "otsu"}), "found no 'settings'"),
        (lambda: Otsu().found, "threshold 'otsu': not fitted"),
        (lambda: ZeroEvidence()(np.zeros((2, 2), np.float32)), "not fitted"),
        (lambda: HeldOutMasks().score(blobs(3)), "not fitted"),
    ],
)
def test_what_is_no_threshold_is_told(make, message):
    with pytest.raises(InputError, match=message):
        make()
