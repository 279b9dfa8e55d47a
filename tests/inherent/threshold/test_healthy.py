"""The promise about healthy cases: by its formula, by counting, and on fresh cases."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hand_made_maps import maps_of

from voxplain.errors import InputError
from voxplain.inherent.threshold import HealthyQuantile
from voxplain.inherent.threshold.healthy import conformal


def healthy(heights, groups=None, **more):
    """A case per height: two voxels, of which the larger is the height."""
    return maps_of(
        [np.array([[h - 1.0, h]]) for h in heights], labels=[0] * len(heights), groups=groups, **more
    )


@pytest.mark.parametrize(
    ("n", "share"), [(19, 0.05), (20, 0.05), (39, 0.05), (40, 0.05), (9, 0.1), (99, 0.01), (7, 0.3)]
)
def test_the_threshold_is_the_conformal_rank(n, share):
    heights = np.random.default_rng(n).permutation(n).astype(float)  # 0 … n − 1: rank r has the height r − 1
    rank = math.ceil(round((n + 1) * (1 - share), 9))
    assert HealthyQuantile(share).fit(healthy(heights)).found.value == rank - 1


@pytest.mark.parametrize(("share", "needed"), [(0.05, 19), (0.1, 9), (0.01, 99), (0.5, 1), (0.3, 3)])
def test_too_few_healthy_patients_are_refused(share, needed):
    HealthyQuantile(share).fit(healthy(range(needed)))
    if needed > 1:
        with pytest.raises(
            InputError, match=f"with {needed - 1} healthy patients, expected at least {needed}"
        ):
            HealthyQuantile(share).fit(healthy(range(needed - 1)))


def test_cases_of_one_patient_are_no_more_patients():
    with pytest.raises(InputError, match="with 4 healthy patients, expected at least 9"):
        HealthyQuantile(0.1).fit(healthy(range(40), groups=[f"p{i % 4}" for i in range(40)]))


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_fresh_healthy_cases_fire_as_promised(share):
    """Over many draws of 39 fitting cases, P(fires) = 1 − ⌈40 (1 − α)⌉ / 40, exactly: 0.05 and 0.2."""
    rng, fired, trials = np.random.default_rng(0), 0, 4000
    for _ in range(trials):
        *known, fresh = rng.normal(size=40)
        fired += fresh > conformal(np.array(known), np.ones(39), share)
    error = math.sqrt(share * (1 - share) / trials)
    assert abs(fired / trials - share) < 4 * error


def test_ties_never_fire_more():
    rng = np.random.default_rng(1)
    fired = 0
    for _ in range(2000):
        *known, fresh = rng.integers(0, 3, size=20).astype(float)
        fired += fresh > conformal(np.array(known), np.ones(19), 0.1)
    assert fired / 2000 <= 0.1


def test_patients_weigh_alike_however_many_cases_they_have():
    # patient a has 50 cases at 9, nine others one each at 0 … 8: by patients, 11 · 0.5 = 5.5 is reached at the sixth, 5
    heights = [*range(9), *[9] * 50]
    groups = [*[f"p{i}" for i in range(9)], *["a"] * 50]
    found = HealthyQuantile(0.5).fit(healthy(heights, groups))
    assert found.found.value == 5 and found.found.evidence["exact"] is False
    assert found.found.evidence["patients"] == 10 and found.found.evidence["cases"] == 59


def test_a_patient_is_as_high_as_their_highest_case():
    heights, groups = [0, 7, 1, 6, 2, 5], ["a", "a", "b", "b", "c", "c"]
    found = HealthyQuantile(0.5, unit="patient").fit(healthy(heights, groups))
    assert found.found.value == 6 and found.found.evidence["exact"] is True  # ⌈4 · 0.5⌉ = 2nd of 5, 6, 7


def test_an_area_may_be_spared():
    scores = [np.random.default_rng(i).permutation(np.arange(10.0)).reshape(2, 5) + i for i in range(9)]
    maps = maps_of(scores, labels=[0] * 9)
    threshold = HealthyQuantile(0.1, spared=0.25).fit(maps)
    # 2 of 10 voxels are spared: heights are third largest values, 7 + i; the ninth of nine is 15
    assert threshold.found.value == 15
    assert [threshold.height(s) for s in threshold.found.score.all(maps)] == [7.0 + i for i in range(9)]
    assert not threshold.fires(scores[8].astype(np.float32)) and threshold.fires(
        scores[8].astype(np.float32) + 1
    )


def test_only_healthy_cases_are_looked_at():
    scores = [np.full((2, 2), float(i)) for i in range(30)]
    maps = maps_of(scores, labels=[i % 2 for i in range(30)])
    found = HealthyQuantile(0.1).fit(maps)
    assert found.fitted_on == {f"c{i:03d}" for i in range(0, 30, 2)} and found.found.value == 28
    assert found.found.evidence["fires"] == 0


@pytest.mark.parametrize("bend", [np.exp, np.arctan, lambda x: x**3 - 7])
def test_the_masks_do_not_change_under_a_monotone_transform(bend):
    rng = np.random.default_rng(2)
    scores = [np.round(rng.normal(size=(8, 8)), 2) for _ in range(40)]
    labels = [i % 2 for i in range(40)]
    plain, bent = maps_of(scores, labels=labels), maps_of([bend(s) for s in scores], labels=labels)
    for spared in (0.0, 0.1):
        threshold = HealthyQuantile(0.1, spared)
        masks = zip(threshold.fit(plain).masks(plain), threshold.fit(bent).masks(bent), strict=True)
        assert all(np.array_equal(a, b) for a, b in masks)


def test_the_order_of_cases_does_not_matter():
    rng = np.random.default_rng(3)
    groups = [f"p{i}" for i in rng.integers(0, 25, 60)]
    maps = healthy(rng.normal(size=60), groups)
    other = maps.take(rng.permutation(60))
    assert HealthyQuantile(0.1).fit(maps) == HealthyQuantile(0.1).fit(other)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: HealthyQuantile(0), "share: found 0"),
        (lambda: HealthyQuantile(spared=1), "spared: found 1"),
        (lambda: HealthyQuantile(unit="slice"), "unit: found 'slice'"),
        (lambda: HealthyQuantile().fit(maps_of([np.eye(2)])), "found no healthy case"),
        (lambda: HealthyQuantile().fit(healthy(range(30), healthy=None)), "found no healthy case"),
    ],
)
def test_what_cannot_be_fitted_is_told(make, message):
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize(("floor", "expected"), [(None, -12.0), (-15.0, -12.0), (0.0, 0.0)])
def test_a_floor_lifts_a_threshold_that_lies_below(floor, expected):
    # heights −30 … −11; of 20 the ⌈21 · 0.9⌉-th smallest
    assert HealthyQuantile(0.1, floor=floor).fit(healthy(range(-30, -10))).found.value == expected
