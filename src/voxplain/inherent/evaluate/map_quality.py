"""What a map is worth before anybody thresholds it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.inherent.bootstrap import Counts, intervals, patients, unknown_ends
from voxplain.inherent.evaluate.boxes import IOUS, best_ious
from voxplain.inherent.evaluate.localisation import Asked
from voxplain.inherent.evaluate.pixels import average_precision, pixel_average_precision, rank_histograms
from voxplain.inherent.evaluate.rows import Row, row
from voxplain.inherent.maps import Floats, Maps, truths_of
from voxplain.inherent.overlap import above, dice_at
from voxplain.inherent.ranks import equal_steps
from voxplain.inherent.score_map import ScoreMap
from voxplain.inherent.threshold.candidates import candidates


def map_quality(maps: Maps, score: ScoreMap, asked: Asked | None = None, *, boxes: bool = True) -> list[Row]:
    """PxAP and MaxBoxAcc of a score, with intervals over patients.

    "pxap" pools the voxels of cases with a lesion; "pxap with healthy" those of cases with an empty truth too. "max box
    acc" and "max box acc v2" are of cases with a lesion; they choose their threshold on the cases that they score, and
    are flagged as oracle. Intervals of PxAP are exact where lesions have at most 2,048 scores, else of as many steps of rank
    among them.

    Args:
        boxes: whether to make boxes, which takes longest.

    Raises:
        InputError: no case has a lesion.
    """
    asked, maps = asked or Asked(), maps.ordered()
    if not maps.has_lesion.any():
        raise InputError("masks: found no lesion in any, expected some to score maps with")
    rows = []
    for metric, which in (
        ("pxap", maps.has_lesion),
        ("pxap with healthy", maps.has_lesion | maps.has_empty_truth),
    ):
        rows.append(_pxap(maps.take(which), score, metric, asked))
    rows += [_boxes(maps.take(maps.has_lesion), score, v, asked) for v in (1, 2)] if boxes else []
    asked.each(len(maps))
    return rows


@dataclass(frozen=True, eq=False)
class DiceCurve:
    """Masks at every threshold.

    Attributes:
        thresholds: (M,) rising, values that occur: half of them those that are worth trying, see `candidates`, the others at
            equal steps of rank over all voxels.
        above: (M,) share of all voxels above.
        mean, median: (M,) Dice of cases with a lesion.
        firing: (M,) share of cases with an empty truth that have a voxel above; NaN where there is no such case.
    """

    thresholds: Floats
    above: NDArray[np.float64]
    mean: NDArray[np.float64]
    median: NDArray[np.float64]
    firing: NDArray[np.float64]


def dice_curve(maps: Maps, score: ScoreMap, steps: int = 512) -> DiceCurve:
    """Dice against the threshold. Its maximum is an oracle; honest thresholds are points on it.

    Raises:
        InputError: no case has a lesion.
    """
    if not maps.has_lesion.any():
        raise InputError("masks: found no lesion in any, expected some for a curve of Dice")
    scores, truths = score.all(maps), truths_of(maps)
    thresholds = np.union1d(candidates(scores, truths, steps // 2), equal_steps(scores, steps // 2))
    thresholds = thresholds[np.isfinite(thresholds)]
    dices = np.array(
        [dice_at(s, t, thresholds) for s, t, w in zip(scores, truths, maps.has_lesion, strict=True) if w]
    )
    heights = np.array([s.max() for s, w in zip(scores, maps.has_empty_truth, strict=True) if w])
    firing = (
        (heights[:, None] > thresholds).mean(axis=0) if len(heights) else np.full(len(thresholds), np.nan)
    )
    counts = np.sum([above(s, thresholds) for s in scores], axis=0)
    share = counts / sum(s.size for s in scores)
    return DiceCurve(thresholds, share, dices.mean(axis=0), np.median(dices, axis=0), firing)


def _pxap(maps: Maps, score: ScoreMap, metric: str, asked: Asked) -> Row:
    scores, truths = score.all(maps), truths_of(maps)
    exact = pixel_average_precision(scores, truths)
    patient = patients(maps.groups)
    first = np.unique(patient, return_index=True)[1]  # a patient's cases all count as often
    inside, outside = rank_histograms(scores, truths, rows=patient)

    def statistics(weights: Counts) -> NDArray[np.float64]:
        if (weights == 1).all():
            return np.array([exact])
        weights = weights[first]
        return average_precision((weights @ inside)[None], (weights @ outside)[None])

    return _row(maps, score, metric, statistics, asked, oracle=False)


def _boxes(maps: Maps, score: ScoreMap, version: int, asked: Asked) -> Row:
    pairs = zip(score.all(maps), truths_of(maps), strict=True)
    best = np.array([best_ious(s, t, largest=version == 1) for s, t in pairs])

    def statistics(weights: Counts) -> NDArray[np.float64]:
        shares = [(weights @ (best >= i)).max() / weights.sum() for i in IOUS[version]]
        return np.array([np.mean(shares)])

    name = "max box acc" if version == 1 else "max box acc v2"
    return _row(maps, score, name, statistics, asked, oracle=True)


def _row(maps: Maps, score: ScoreMap, metric: str, statistics: object, asked: Asked, *, oracle: bool) -> Row:
    assert callable(statistics)
    (number,) = intervals(statistics, maps.groups, draws=asked.draws, level=asked.level, seed=asked.seed)
    told = {"score": score.name, "oracle": oracle, "cases": len(maps), "patients": len(set(maps.groups))}
    return row("map", metric, unknown_ends(number), **told)
