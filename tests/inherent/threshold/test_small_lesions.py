"""Lesions of a ten-thousandth of the image: thresholds, curves and intervals see them as well as large ones."""

from __future__ import annotations

import numpy as np
import pytest
from hand_made_maps import maps_of

from voxplain.inherent.bootstrap import patients, redrawn
from voxplain.inherent.evaluate import Asked, dice_curve, map_quality
from voxplain.inherent.overlap import dice_at
from voxplain.inherent.score_map import ClassScore
from voxplain.inherent.threshold import HeldOutMasks, Oracle
from voxplain.inherent.threshold.candidates import candidates


def tiny(n=4, edge=48, side=3, seed=0, signal=9.0):
    """Unit noise, and a cube of 27 voxels of 110,592 in which all scores lie above it."""
    rng = np.random.default_rng(seed)
    scores, masks = [], []
    for _ in range(n):
        mask = np.zeros((edge,) * 3, bool)
        at = rng.integers(0, edge - side, 3)
        mask[tuple(slice(a, a + side) for a in at)] = True
        scores.append((rng.uniform(-1, 1, mask.shape) + signal * mask).astype(np.float32))
        masks.append(mask)
    return scores, masks


def every_threshold(scores, masks):
    """The best mean Dice of all thresholds: each voxel of a lesion is once the last that is marked."""
    inside = np.unique(np.concatenate([s[m] for s, m in zip(scores, masks, strict=True)]))
    thresholds = np.nextafter(inside, np.float32(-np.inf))
    return np.mean([dice_at(s, m, thresholds) for s, m in zip(scores, masks, strict=True)], axis=0).max()


def test_a_perfect_map_of_tiny_lesions_is_perfect():
    scores, masks = tiny()
    maps = maps_of(scores, masks=masks)
    assert HeldOutMasks(None, draws=0).fit(maps).found.evidence["dice"] == 1
    for per in ("data set", "image"):
        assert [r["dice"] for r in Oracle(per).fit(maps).score(maps)] == [1] * 4
    assert dice_curve(maps, ClassScore()).mean.max() == 1
    (row, *_) = map_quality(maps, ClassScore(), Asked(draws=50), boxes=False)
    assert row["value"] == 1 and np.isnan(row["low"])  # 1 of every draw, too, which is no interval


@pytest.mark.parametrize("count", [16, 64, 1024])
def test_few_candidates_lose_no_more_than_they_say(count):
    # lesions of 8 to 4096 voxels, so that small ones would be passed over by ranks of all voxels, or of all lesions'
    made = [tiny(2, side=side, seed=side, signal=1.2) for side in (2, 5, 16)]
    scores, masks = ([a for pair in made for a in pair[k]] for k in (0, 1))
    values = candidates(scores, masks, count)
    found = np.mean([dice_at(s, m, values) for s, m in zip(scores, masks, strict=True)], axis=0).max()
    assert every_threshold(scores, masks) - 4 / count <= found <= every_threshold(scores, masks) + 1e-12
    assert len(values) <= count + 1 and np.isin(values, np.concatenate([s.ravel() for s in scores])).all()


def test_where_a_lesion_reaches_down_to_the_smallest_score_the_whole_image_is_no_mask():
    score, mask = np.float32([[0, 0, 1, 2]]), np.array([[True, False, False, True]])
    assert candidates([score], [mask]).tolist() == [1, 2]
    assert candidates([np.ones((2, 2), np.float32)], [np.eye(2) > 0]).tolist() == [1]
    assert candidates([score], [~mask & mask]).tolist() == [2]


def precision_of_all(scores, masks):
    """Average precision of voxels in one row, by its definition."""
    score, truth = (np.concatenate([a.ravel() for a in arrays]) for arrays in (scores, masks))
    steps = np.unique(score[truth])[::-1]
    reached = np.array([[truth[score >= s].sum(), (score >= s).sum()] for s in steps])
    recall = np.diff(reached[:, 0], prepend=0) / truth.sum()
    return float((recall * reached[:, 0] / reached[:, 1]).sum())


def test_intervals_of_pxap_draw_whole_patients():
    """Patients of one to three images of unlike quality, in no order: every draw is made again by hand."""
    rng = np.random.default_rng(3)
    groups = ["d", "a", "c", "a", "b", "d", "e", "d"]
    masks = [rng.random((8, 9)) < 0.1 for _ in groups]
    quality = {"a": 0.2, "b": 3, "c": 1, "d": 0.0, "e": 2}
    scores = [
        (rng.normal(size=m.shape) + quality[g] * m).astype(np.float32)
        for g, m in zip(groups, masks, strict=True)
    ]
    maps = maps_of(scores, masks=masks, groups=groups, labels=[1] * 8)
    (row, *_) = map_quality(maps, ClassScore(), Asked(draws=40, level=0.9, seed=5), boxes=False)
    values = []
    for weights in redrawn(patients(groups), 40, seed=5):
        again = [i for i, w in enumerate(weights) for _ in range(w)]
        values.append(precision_of_all([scores[i] for i in again], [masks[i] for i in again]))
    low, high = (np.quantile(values, q, method="inverted_cdf") for q in (0.05, 0.95))
    assert (row["low"], row["high"]) == pytest.approx((low, high), abs=1e-9)
    assert row["value"] == pytest.approx(precision_of_all(scores, masks), abs=1e-9)


def test_many_scores_inside_keep_the_value_within_its_interval():
    scores, masks = tiny(6, side=16, signal=0.7)  # 24,576 scores inside
    maps = maps_of(scores, masks=masks)
    (row, *_) = map_quality(maps, ClassScore(), Asked(draws=60), boxes=False)
    assert row["low"] < row["value"] < row["high"]
