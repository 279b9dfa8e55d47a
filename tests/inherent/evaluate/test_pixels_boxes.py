"""Maps without a threshold: PxAP against scikit-learn, boxes by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hand_made_maps import blobs, maps_of, shuffled
from sklearn.metrics import average_precision_score

from voxplain.errors import InputError
from voxplain.inherent.evaluate import (
    Asked,
    PixelHistogram,
    dice_curve,
    map_quality,
    max_box_acc,
    pixel_average_precision,
)
from voxplain.inherent.evaluate.boxes import best_ious, box_iou, boxes_of
from voxplain.inherent.evaluate.pixels import average_precision, rank_histograms
from voxplain.inherent.ranks import ordered_bits
from voxplain.inherent.score_map import ClassScore, RandomMap, WholeImage
from voxplain.inherent.threshold import HeldOutMasks


def drawn(seed=0, n=6, digits=1):
    rng = np.random.default_rng(seed)
    truths = [rng.random((7, int(rng.integers(5, 9)))) < 0.2 for _ in range(n)]
    return [np.round(rng.normal(size=t.shape) + t, digits).astype(np.float32) for t in truths], truths


def sklearn(scores, truths) -> float:
    return average_precision_score(*(np.concatenate([a.ravel() for a in x]) for x in (truths, scores)))


@pytest.mark.parametrize("digits", [0, 1, 6])
@pytest.mark.parametrize("seed", range(3))
def test_pxap_is_scikit_learns_average_precision(seed, digits):
    scores, truths = drawn(seed, digits=digits)
    assert pixel_average_precision(scores, truths) == pytest.approx(sklearn(scores, truths), abs=1e-12)


def test_pxap_by_hand():
    """Ranks: inside, outside, inside, outside: (1 + 2/3) / 2. Perfect 1, constant the share, nothing inside NaN."""
    score, truth = np.array([[4.0, 3, 2, 1]], np.float32), np.array([[1, 0, 1, 0]], bool)
    assert pixel_average_precision([score], [truth]) == pytest.approx(5 / 6)
    assert pixel_average_precision([truth.astype(np.float32)], [truth]) == 1
    assert pixel_average_precision([0 * score], [truth]) == 0.5
    assert np.isnan(pixel_average_precision([score], [truth & False]))


def test_pxap_pools_cases_and_does_not_average_them():
    scores = [np.array([[1.0, 0]], np.float32), np.array([[9.0, 8]], np.float32)]
    truths = [np.array([[1, 0]], bool), np.array([[1, 0]], bool)]
    # each alone is 1; pooled: 9 inside, 8 outside, 1 inside: (1 + 2/3) / 2
    assert pixel_average_precision(scores, truths) == pytest.approx(5 / 6)


@pytest.mark.parametrize("bits", [8, 14, 22])
def test_streaming_is_exact_up_to_its_bits(bits):
    scores, truths = drawn(1, 20, digits=6)
    histogram, other = PixelHistogram(bits), PixelHistogram(bits)
    for i, (s, t) in enumerate(zip(scores, truths, strict=True)):
        (histogram if i % 2 else other).add(s, t)
    histogram.merge(other)
    low, high = histogram.bounds()
    exact = sklearn(scores, truths)
    for value in (exact, histogram.average_precision()):
        assert low - 1e-12 <= value <= high + 1e-12
    kept = np.uint32((0xFFFFFFFF << (32 - bits)) & 0xFFFFFFFF)
    rounded = [(ordered_bits(s) & kept).astype(np.float64) for s in scores]
    assert histogram.average_precision() == pytest.approx(sklearn(rounded, truths), abs=1e-12)
    if bits == 22:
        assert high - low < 1e-3


def test_bounds_are_reached():
    truth = np.array([[1, 1, 0, 0, 0]], bool)
    for order, end in (([5, 5, 4, 3, 4], 1), ([1, 2, 5, 3, 4], 0)):  # within one bin of 8 bits
        score = (1 + np.array([order]) * 1e-4).astype(np.float32)
        histogram = PixelHistogram(8)
        histogram.add(score, truth)
        assert histogram.bounds()[end] == pytest.approx(sklearn([score], [truth]), abs=1e-12)


def test_ordered_bits_have_the_order_of_floats():
    values = np.sort(
        np.random.default_rng(0).normal(size=500).astype(np.float32) * 10.0 ** np.arange(-30, 20, 0.1)
    )
    values = values.astype(np.float32)
    assert (np.diff(ordered_bits(values).astype(np.int64)) >= 0).all()
    assert ordered_bits(np.array([-0.0], np.float32)) == ordered_bits(np.array([0.0], np.float32))


def test_histograms_of_ranks_add_up_to_pxap():
    scores, truths = drawn(2, 8)
    inside, outside = rank_histograms(scores, truths)
    weights = np.array([2, 0, 1, 3, 1, 0, 1, 1])
    again = [i for i, w in enumerate(weights) for _ in range(w)]
    ours = average_precision((weights @ inside)[None], (weights @ outside)[None])[0]
    assert ours == pytest.approx(sklearn([scores[i] for i in again], [truths[i] for i in again]), abs=1e-12)


# ---- boxes -----------------------------------------------------------------------------------------------------------


def test_boxes_of_a_mask():
    mask = np.zeros((6, 7), bool)
    mask[0:2, 1:3] = mask[2, 3] = True  # touch by a corner: one part
    mask[5, 6] = True
    assert boxes_of(mask).tolist() == [[[0, 3], [1, 4]], [[5, 6], [6, 7]]]
    assert boxes_of(mask, largest=True).tolist() == [[[0, 3], [1, 4]]]
    assert boxes_of(mask & False).shape == (0, 2, 2)


@pytest.mark.parametrize("dims", [2, 3])
def test_box_iou_counts_voxels(dims):
    rng = np.random.default_rng(dims)
    for _ in range(20):
        low = rng.integers(0, 5, (2, dims))
        boxes = np.stack([low, low + rng.integers(1, 5, (2, dims))], axis=-1)
        masks = [np.zeros((10,) * dims, bool) for _ in range(2)]
        for mask, box in zip(masks, boxes, strict=True):
            mask[tuple(slice(*b) for b in box)] = True
        wanted = (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()
        assert box_iou(boxes[:1], boxes[1:])[0, 0] == pytest.approx(wanted)


def test_max_box_acc_by_hand():
    """Truth 4 × 4. Case a: core 2 × 4 at 1.0 and rim to 4 × 4 at 0.5 (IoU 0.5 above it, 1 below). Case b: 2 × 4 only."""
    truth, a, b = np.zeros((10, 10), bool), np.zeros((10, 10), np.float32), np.zeros((10, 10), np.float32)
    truth[2:6, 2:6] = True
    a[2:6, 2:6], a[2:4, 2:6], b[2:4, 2:6] = 0.5, 1.0, 1.0
    found = max_box_acc([a, b], [truth, truth], thresholds=np.array([0.25, 0.75]))
    # IoU ≥ 0.3: both, both; ≥ 0.5: both, both (0.5 is enough); ≥ 0.7: a, none
    assert found.shares.tolist() == [[1, 1], [1, 1], [0.5, 0]]
    assert found.value == pytest.approx((1 + 1 + 0.5) / 3)
    assert max_box_acc([a, b], [truth, truth], version=1).value == 1
    assert best_ious(a, truth, np.array([0.0, 0.49, 0.5, 0.99])).tolist() == [1, 1, 0.5, 0.5]


def test_version_1_takes_the_largest_part_and_version_2_any():
    truth, score = np.zeros((10, 10), bool), np.zeros((10, 10), np.float32)
    truth[0:2, 0:2] = True
    score[0:2, 0:2] = 1
    score[5:9, 5:9] = 1  # larger, and wrong
    assert max_box_acc([score], [truth], version=1).value == 0
    assert max_box_acc([score], [truth], version=2).value == 1


def test_boxes_follow_scale_and_shift_and_leave_out_healthy_cases():
    maps = blobs(12)
    scores, truths = ClassScore().all(maps), list(maps.masks)
    found = max_box_acc(scores, truths)
    moved = max_box_acc([4 * s - 8 for s in scores], truths)
    assert 0 < found.value == moved.value
    lesions = maps.take(maps.has_lesion)
    assert max_box_acc(ClassScore().all(lesions), list(lesions.masks)).value == found.value
    with pytest.raises(InputError, match="found no lesion"):
        max_box_acc(scores[:1], truths[:1])
    with pytest.raises(InputError, match="version: found 3"):
        max_box_acc(scores, truths, version=3)


# ---- rows ------------------------------------------------------------------------------------------------------------


def test_map_quality_rows():
    maps = blobs(18, per_patient=2)
    rows = {r["metric"]: r for r in map_quality(maps, ClassScore(), Asked(draws=30))}
    lesions = maps.take(maps.has_lesion)
    assert rows["pxap"]["value"] == pytest.approx(sklearn(ClassScore().all(lesions), lesions.masks))
    assert rows["pxap with healthy"]["value"] == pytest.approx(sklearn(ClassScore().all(maps), maps.masks))
    assert rows["max box acc v2"]["value"] == max_box_acc(ClassScore().all(maps), maps.masks).value
    assert rows["max box acc"]["value"] == max_box_acc(ClassScore().all(maps), maps.masks, version=1).value
    assert [r["oracle"] for r in rows.values()] == [False, False, True, True]
    assert all(r["low"] <= r["value"] <= r["high"] for r in rows.values())
    assert rows["pxap"]["cases"] == len(lesions) and rows["pxap with healthy"]["cases"] == 18
    assert list(rows.values()) == map_quality(shuffled(maps), ClassScore(), Asked(draws=30))


def test_what_knows_nothing_has_the_share_of_the_lesions():
    maps = blobs(60, (30, 30))
    lesions = maps.take(maps.has_lesion)
    share = sum(m.sum() for m in lesions.masks) / sum(m.size for m in lesions.masks)
    for score, tolerance in ((WholeImage(), 1e-12), (RandomMap(), 0.01)):
        (row, *_) = map_quality(maps, score, Asked(draws=0), boxes=False)
        assert row["value"] == pytest.approx(share, abs=tolerance)


def test_the_dice_curve_holds_the_best_threshold():
    maps = blobs(20)
    curve = dice_curve(maps, ClassScore(), steps=1024)
    found = HeldOutMasks(None, draws=0).fit(maps.take(maps.has_lesion)).found
    assert curve.mean.max() == pytest.approx(found.evidence["dice"], abs=0.01)
    at = int(np.searchsorted(curve.thresholds, 0.5))
    t = curve.thresholds[at]
    scores = ClassScore().all(maps)
    dices = [
        2 * ((s > t) & m).sum() / ((s > t).sum() + m.sum())
        for s, m in zip(scores, maps.masks, strict=True)
        if m.any()
    ]
    assert curve.mean[at] == pytest.approx(np.mean(dices)) and curve.median[at] == pytest.approx(
        np.median(dices)
    )
    fires = [bool((s > t).any()) for s, m in zip(scores, maps.masks, strict=True) if not m.any()]
    assert curve.firing[at] == pytest.approx(np.mean(fires))
    assert curve.above[at] == pytest.approx(np.mean(np.concatenate([s.ravel() for s in scores]) > t))
    assert curve.above[-1] == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PixelHistogram(7), "bits: found 7"),
        (lambda: PixelHistogram(8).merge(PixelHistogram(9)), "bits: found 9, expected 8"),
        (
            lambda: pixel_average_precision([np.zeros((2, 2), np.float32)], [np.zeros(4, bool)]),
            "score: found shape",
        ),
        (
            lambda: PixelHistogram().add(np.full((2,), np.nan, np.float32), np.zeros(2, bool)),
            "score: found NaN",
        ),
        (lambda: map_quality(maps_of([np.eye(3)]), ClassScore()), "found no lesion"),
        (lambda: dice_curve(maps_of([np.eye(3)]), ClassScore()), "found no lesion"),
    ],
)
def test_what_cannot_be_scored_is_told(make, message):
    with pytest.raises(InputError, match=message):
        make()
