"""How good decisions on independent labels are: each label by itself, then all together, with intervals over patients."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.inherent.bootstrap import Counts, intervals, mended, unknown_ends
from voxplain.inherent.evaluate.classification import auroc
from voxplain.inherent.evaluate.rows import Row, row
from voxplain.inherent.maps import Bools, Maps

PER_LABEL = ("precision", "recall", "f1", "auroc", "balanced accuracy")
TOGETHER = (
    "macro f1", "macro auroc", "macro balanced accuracy", "micro precision", "micro recall", "micro f1", "subset accuracy",
)  # fmt: skip
RATES = ("precision", "recall", "subset accuracy")


def independent(
    maps: Maps,
    *,
    names: Sequence[str] | None = None,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> list[Row]:
    """Precision, recall, F1, AUROC and balanced accuracy per label; macro and micro means and subset accuracy.

    A label is decided where its logit is above 0, a probability of one half. Conventions are those of `classification`:
    precision is NaN where nothing is decided, recall where nothing is true, F1 where neither; AUROC and balanced accuracy
    (mean of recall and specificity) where all images agree. Macro values are means over the labels that have one; micro
    values count every label of every image once; subset accuracy is the share of images all of whose labels are right.

    Args:
        maps: with labels (N, K).
        names: of the K classes; their numbers where not given.
        draws, level, seed: of the bootstrap over patients.

    Returns:
        a row per class and metric, then the overall ones, whose class is "".

    Raises:
        InputError: one class per image, or another number of names than classes.
    """
    if not maps.multi_label:
        raise InputError(
            f"labels: found shape {maps.labels.shape}, expected (N, {maps.classes}), zeros and ones"
        )
    names = [str(k) for k in range(maps.classes)] if names is None else list(names)
    if len(names) != maps.classes:
        raise InputError(f"names: found {len(names)}, expected {maps.classes}, one per class")
    wanted, decided = maps.labels > 0, maps.logits > 0

    def statistics(weights: Counts) -> NDArray[np.float64]:
        each = label_metrics(wanted, decided, maps.logits, weights)
        return np.concatenate([each.ravel(), together(wanted, decided, each, weights)])

    found = intervals(statistics, maps.groups, draws=draws, level=level, seed=seed)
    told = [(k, metric) for k in range(maps.classes) for metric in PER_LABEL] + [(-1, m) for m in TOGETHER]
    rows = []
    for (k, metric), number in zip(told, found, strict=True):
        base = _base(wanted, decided, k, metric)
        count = len({g for g, b in zip(maps.groups, base, strict=True) if b})
        interval = unknown_ends(mended(number, count, level, rate=metric in RATES))
        about = {"cases": int(base.sum()), "patients": count, "class": names[k] if k >= 0 else ""}
        rows.append(row("classification", metric, interval, **about))
    return rows


def label_metrics(
    wanted: Bools, decided: Bools, logits: NDArray[np.float64], weights: Counts
) -> NDArray[np.float64]:
    """(K, 5) the numbers of `PER_LABEL` from (N, K), each case counted as often as its weight."""
    true, positives, decisions = (weights @ (a).astype(np.int64) for a in (wanted & decided, wanted, decided))
    negatives = weights.sum() - positives
    correct = negatives - (decisions - true)  # decided to be absent, and absent
    precision, recall, f1 = rates(true, positives, decisions)
    areas = [auroc(logits[:, k], wanted[:, k], weights) for k in range(logits.shape[1])]
    return np.stack([precision, recall, f1, areas, (recall + _ratio(correct, negatives)) / 2], axis=1)


def together(
    wanted: Bools, decided: Bools, each: NDArray[np.float64], weights: Counts
) -> NDArray[np.float64]:
    """(7,) the numbers of `TOGETHER`."""
    macro = [_mean(each[:, PER_LABEL.index(name)]) for name in ("f1", "auroc", "balanced accuracy")]
    counts = [np.array([weights @ a.sum(axis=1)]) for a in (wanted & decided, wanted, decided)]
    micro = [float(value[0]) for value in rates(*counts)]
    subset = weights[(wanted == decided).all(axis=1)].sum() / weights.sum()
    return np.array([*macro, *micro, subset])


def rates(true: Counts, positives: Counts, decisions: Counts) -> list[NDArray[np.float64]]:
    """Precision, recall and F1 of counts, NaN where they are not defined."""
    return [_ratio(true, decisions), _ratio(true, positives), _ratio(2 * true, positives + decisions)]


def _ratio(a: Counts, b: Counts) -> NDArray[np.float64]:
    return np.where(b > 0, a / np.maximum(b, 1), np.nan)


def _mean(values: NDArray[np.float64]) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def _base(wanted: Bools, decided: Bools, k: int, metric: str) -> Bools:
    """(N,) the cases that a number is of: those with the label, decided to have it, either, or all."""
    if k >= 0 and metric in ("precision", "recall", "f1"):
        of, by = wanted[:, k], decided[:, k]
        return np.asarray({"precision": by, "recall": of, "f1": of | by}[metric])
    return np.ones(len(wanted), dtype=np.bool_)
