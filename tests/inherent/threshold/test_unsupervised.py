"""Thresholds of single maps against closed forms, scikit-image, and what they do when the map is transformed."""

from __future__ import annotations

import numpy as np
import pytest
from hand_made_maps import blobs, maps_of
from skimage.filters import threshold_multiotsu

from voxplain.errors import InputError
from voxplain.inherent.score_map import ClassScore
from voxplain.inherent.threshold import MultiOtsu, Otsu, ZeroEvidence


def otsu_by_definition(values: np.ndarray) -> float:
    """The cut between values that makes the variance between both sides largest."""
    cuts = np.unique(values)[:-1]
    sides = [(values[values <= c], values[values > c]) for c in cuts]
    between = [low.size * high.size * (low.mean() - high.mean()) ** 2 for low, high in sides]
    return float(cuts[np.argmax(between)])


@pytest.mark.parametrize("seed", range(8))
def test_otsu_separates_where_the_variance_between_is_largest(seed):
    rng = np.random.default_rng(seed)
    values = np.concatenate([rng.normal(0, 2, 200), rng.normal(9, 3, 80)])
    found, cut = Otsu().fit(None)(values.astype(np.float32)), otsu_by_definition(values)
    bins = np.ptp(values) / 256
    following = values[values > cut].min()
    assert cut - bins < found < following + bins  # the histogram knows no more


def test_multi_otsu_takes_the_uppermost_of_three_plateaus():
    values = np.repeat([0.0, 5.0, 10.0], [50, 30, 20]).astype(np.float32).reshape(10, 10)
    assert np.array_equal(values > MultiOtsu().fit(None)(values), values == 10)
    assert np.array_equal(values > MultiOtsu(classes=2).fit(None)(values), values > 0)


def test_the_paper_mode_takes_an_offset_off_and_stops_at_zero():
    values = np.random.default_rng(0).normal(3, 2, (30, 30)).astype(np.float32)
    plain = threshold_multiotsu(values, classes=3)[-1]
    for network, offset in (("GPUNet", 0.3), ("GPReconResNet", 1.6), ("GPShuffleUNet", 0.1)):
        assert MultiOtsu.paper(network).fit(None)(values) == pytest.approx(plain - offset, abs=1e-6)
    assert MultiOtsu.paper("GPReconResNet").fit(None)(values - 20) == 0
    assert MultiOtsu(offset=1.6).fit(None)(values - 20) == pytest.approx(plain - 21.6, abs=0.05)
    with pytest.raises(InputError, match="network: found 'UNet'"):
        MultiOtsu.paper("UNet")


def test_clamping_hides_negative_scores():
    values = np.concatenate([np.linspace(-90, -80, 100), np.repeat([0.0, 5.0, 10.0], 30)]).astype(np.float32)
    assert MultiOtsu(clamp=True).fit(None)(values) > 5
    assert MultiOtsu(clamp=False).fit(None)(values) < 5


def test_zero_evidence_of_a_margin_is_where_the_class_wins():
    maps = blobs(6)
    threshold = ZeroEvidence().fit(None, ClassScore("margin", 1))
    wins = [e.argmax(axis=0) == 1 for e in maps.evidence]
    assert all(np.array_equal(a, b) for a, b in zip(threshold.masks(maps), wins, strict=True))


@pytest.mark.parametrize("threshold", [Otsu(), MultiOtsu(), MultiOtsu.paper("GPUNet")])
@pytest.mark.parametrize("constant", [0.0, 4.0])
def test_a_constant_map_marks_nothing_without_an_offset(threshold, constant):
    values = np.full((6, 6), constant, np.float32)
    marked = int((values > threshold.fit(None)(values)).sum())
    # the published offset marks everything on a constant map above it
    assert marked == (36 if getattr(threshold, "offset", 0) and constant else 0)


@pytest.mark.parametrize("threshold", [Otsu(), MultiOtsu()])
@pytest.mark.parametrize("scale", [0.25, 8.0])
def test_otsu_follows_scale_and_shift(threshold, scale):
    values = np.random.default_rng(1).integers(0, 64, (20, 20)).astype(np.float32)
    mask = values > threshold.fit(None)(values)
    moved = values * np.float32(scale) + 16
    assert np.array_equal(moved > threshold.fit(None)(moved), mask)


def test_the_published_offset_does_not_follow_scale():
    values = np.random.default_rng(1).normal(2, 1, (30, 30)).astype(np.float32)
    threshold = MultiOtsu.paper("GPReconResNet").fit(None)
    assert (10 * values > threshold(10 * values)).sum() < (values > threshold(values)).sum() / 2


@pytest.mark.parametrize("threshold", [Otsu(), MultiOtsu(), MultiOtsu.paper("GPUNet")])
def test_histogram_thresholds_do_not_follow_a_monotone_transform(threshold):
    values = np.random.default_rng(1).normal(0, 1, (30, 30)).astype(np.float32)
    bent = np.exp(2 * values)
    assert not np.array_equal(bent > threshold.fit(None)(bent), values > threshold.fit(None)(values))


def test_what_is_no_setting_is_refused():
    with pytest.raises(InputError, match="classes: found 1"):
        MultiOtsu(classes=1)
    with pytest.raises(InputError, match="bins: found 1"):
        Otsu(bins=1)


def test_nothing_was_looked_at():
    maps = maps_of([np.eye(4)] * 3)
    for threshold in (ZeroEvidence(), Otsu(), MultiOtsu()):
        fitted = threshold.fit(maps)
        assert fitted.supervision == "none" and fitted.fitted_on == frozenset() == fitted.fitted_on_groups
        fitted.refuse(maps)
