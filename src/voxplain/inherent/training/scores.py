"""What the validation part says of a network."""

from __future__ import annotations

import math
import warnings

import numpy as np
import numpy.typing as npt
from torch import Tensor

from voxplain.inherent.evaluate.classification import log_odds

METRICS = ("accuracy", "balanced_accuracy", "auroc", "f1")


def better(metric: str, new: float, old: float) -> bool:
    """Whether a value is better than another; NaN never is.

    >>> better("loss", 0.1, 0.2), better("f1", 0.1, 0.2), better("auroc", float("nan"), 0.5)
    (True, False, False)
    >>> better("auroc", 0.5, float("nan"))
    True
    """
    if math.isnan(old):
        return not math.isnan(new)
    return new < old if metric == "loss" else new > old


def scores(logits: Tensor, truth: Tensor) -> dict[str, float]:
    """Accuracy, balanced accuracy (mean recall), AUROC (one against the rest, mean over classes) and macro F1, in [0, 1].

    Independent labels are cut at a logit of 0, each is judged alone and the mean is taken; accuracy is that of single
    labels. An AUROC that does not exist, since all samples agree, is NaN.

    Args:
        logits: (N, K) float32.
        truth: (N,) classes or (N, K) independent labels.
    """
    from sklearn import metrics

    if truth.ndim == 2:
        return _independent(logits.numpy(), truth.numpy())
    found, wanted = logits.argmax(1).numpy(), truth.numpy()
    present = np.unique(wanted)
    odds = log_odds(logits.double().numpy())
    areas = [_area(wanted == label, odds[:, label]) for label in present]
    return {
        "accuracy": float((found == wanted).mean()),
        "balanced_accuracy": float(np.mean([(found[wanted == label] == label).mean() for label in present])),
        "auroc": float(np.mean(areas)),
        "f1": float(metrics.f1_score(wanted, found, labels=present, average="macro", zero_division=0.0)),
    }


def _independent(logits: npt.NDArray[np.float32], truth: npt.NDArray[np.float32]) -> dict[str, float]:
    from sklearn import metrics

    found, wanted = logits > 0, truth > 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a label that all or none have
        balanced = [metrics.balanced_accuracy_score(w, f) for w, f in zip(wanted.T, found.T, strict=True)]
    return {
        "accuracy": float((found == wanted).mean()),
        "balanced_accuracy": float(np.mean(balanced)),
        "auroc": float(np.mean([_area(w, z) for w, z in zip(wanted.T, logits.T, strict=True)])),
        "f1": float(metrics.f1_score(wanted, found, average="macro", zero_division=0.0)),
    }


def _area(wanted: npt.NDArray[np.bool_], score: npt.NDArray[np.floating]) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(wanted, score)) if wanted.any() and not wanted.all() else float("nan")
