"""How good the decisions are, per class, with intervals over patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.inherent.bootstrap import Counts, intervals, mended, unknown_ends
from voxplain.inherent.evaluate.rows import Row, row
from voxplain.inherent.maps import Bools, Maps

PER_CLASS = ("precision", "recall", "f1", "auroc")
RATES = ("precision", "recall", "accuracy")
OVERALL = ("accuracy", "balanced accuracy", "macro f1", "macro auroc")


def classification(
    maps: Maps,
    *,
    names: Sequence[str] | None = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> list[Row]:
    """Precision, recall, F1 and AUROC per class, accuracy, balanced accuracy, macro F1 and macro AUROC.

    The decision is the largest logit; AUROC ranks by the log-odds of a class against all others, ties counting half.
    Conventions: precision is NaN where nothing is decided to be of the class, recall where nothing is, F1 where neither is
    (it is 0 where only one of the two is); AUROC is NaN where all cases, or none, are of the class. Balanced accuracy is
    the mean recall of the classes that occur; macro values are means over the classes that have one. The same holds within
    each draw of the bootstrap.

    Args:
        names: of the K classes; their numbers where not given.
        draws, level, seed: of the bootstrap over patients.

    Returns:
        a row per class and metric, then the overall ones, whose class is "". Cases and patients are those that a number is
        of. Precision, recall and accuracy of 0 or 1 have exact intervals, see `mended`.

    Raises:
        InputError: another number of names than classes.
    """
    names = [str(k) for k in range(maps.classes)] if names is None else list(names)
    if len(names) != maps.classes:
        raise InputError(f"names: found {len(names)}, expected {maps.classes}, one per class")
    odds = log_odds(maps.logits)

    def statistics(weights: Counts) -> NDArray[np.float64]:
        per_class = class_metrics(maps.labels, maps.predicted, odds, weights)
        return np.concatenate(
            [per_class.ravel(), overall_metrics(maps.labels, maps.predicted, per_class, weights)]
        )

    found = intervals(statistics, maps.groups, draws=draws, level=level, seed=seed)
    told = [(name, metric) for name in names for metric in PER_CLASS] + [("", metric) for metric in OVERALL]
    bases = [_base(maps, k, metric) for k in range(maps.classes) for metric in PER_CLASS]
    bases += [np.ones(len(maps), dtype=np.bool_)] * len(OVERALL)
    rows = []
    for (name, metric), number, base in zip(told, found, bases, strict=True):
        patients = len({g for g, b in zip(maps.groups, base, strict=True) if b})
        interval = unknown_ends(mended(number, patients, level, rate=metric in RATES))
        about = {"cases": int(base.sum()), "patients": patients, "class": name}
        rows.append(row("classification", metric, interval, **about))
    return rows


def class_metrics(
    labels: NDArray[np.int64],
    predicted: NDArray[np.int64],
    odds: NDArray[np.float64],
    weights: Counts,
) -> NDArray[np.float64]:
    """(K, 4) precision, recall, F1 and AUROC, each case counted as often as its weight; odds (N, K) rank them."""
    found = np.full((odds.shape[1], len(PER_CLASS)), np.nan)
    for k in range(len(found)):
        of_class, decided = labels == k, predicted == k
        true = weights[of_class & decided].sum()
        positives, decisions = weights[of_class].sum(), weights[decided].sum()
        found[k, 0] = true / decisions if decisions else np.nan
        found[k, 1] = true / positives if positives else np.nan
        found[k, 2] = 2 * true / (positives + decisions) if positives + decisions else np.nan
        found[k, 3] = auroc(odds[:, k], of_class, weights)
    return found


def overall_metrics(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], per_class: NDArray[np.float64], weights: Counts
) -> NDArray[np.float64]:
    """(4,) accuracy, balanced accuracy, macro F1 and macro AUROC."""
    accuracy = weights[labels == predicted].sum() / weights.sum()
    return np.array([accuracy, *(_mean(per_class[:, column]) for column in (1, 2, 3))])


def auroc(score: NDArray[np.floating], positive: NDArray[np.bool_], weights: Counts) -> float:
    """The chance that a positive outranks a negative, ties counting half (Hanley & McNeil, 1982); NaN without both."""
    counted = weights > 0
    score, positive, weights = score[counted], positive[counted], weights[counted]
    total, others = weights[positive].sum(), weights[~positive].sum()
    if not total or not others:
        return float("nan")
    place = np.unique(score, return_inverse=True)[1]
    ups = np.bincount(place, weights * positive)
    downs = np.bincount(place, weights * ~positive, minlength=len(ups))
    below = np.cumsum(downs) - downs / 2
    return float((ups * below).sum() / (total * others))


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, K) probabilities.

    >>> softmax(np.array([[0.0, 0.0]])).tolist()
    [[0.5, 0.5]]
    """
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def log_odds(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, K) ``log p / (1 − p)`` of each class's softmax probability p.

    It ranks as p does, but goes on where p is 1 in double precision, from gaps of some 37 between logits on.

    >>> log_odds(np.array([[0.0, 80.0, -np.inf]]))[:, :2].tolist()
    [[-80.0, 80.0]]
    """
    from scipy.special import logsumexp

    others = [logsumexp(np.delete(logits, k, axis=1), axis=1) for k in range(logits.shape[1])]
    return np.asarray(logits - np.stack(others, axis=1))


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities of independent labels, (N, K) as the logits.

    >>> sigmoid(np.array([[0.0, -1000.0]])).tolist()
    [[0.5, 0.0]]
    """
    from scipy.special import expit

    return np.asarray(expit(logits))


def _base(maps: Maps, k: int, metric: str) -> Bools:
    """(N,) the cases that a number is of: those of the class, decided to be, either, or all."""
    of_class, decided = maps.labels == k, maps.predicted == k
    bases = {"precision": decided, "recall": of_class, "f1": of_class | decided}
    return np.asarray(bases.get(metric, np.ones(len(maps), dtype=np.bool_)))


def _mean(values: NDArray[np.float64]) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")
