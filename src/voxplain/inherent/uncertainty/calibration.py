"""Whether a probability of 0.9 is right nine times in ten."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.inherent.bootstrap import Counts, intervals
from voxplain.inherent.evaluate.classification import softmax
from voxplain.inherent.evaluate.rows import Row, row
from voxplain.inherent.maps import Maps

Doubles = NDArray[np.float64]
Binning = Literal["width", "mass"]


@dataclass(frozen=True, eq=False)
class Reliability:
    """Cases sorted into bins by the probability of their decision.

    Attributes:
        edges: (B + 1,) bounds; a case is in the first bin whose upper bound it does not exceed.
        confidence, accuracy: (B,) means within each bin; NaN where it is empty.
        count: (B,) cases.
    """

    edges: Doubles
    confidence: Doubles
    accuracy: Doubles
    count: Counts

    @property
    def error(self) -> float:
        """``Σ_b n_b / n · |accuracy_b − confidence_b|`` (Naeini, Cooper & Hauskrecht, 2015)."""
        some = self.count > 0
        gaps = np.abs(self.accuracy[some] - self.confidence[some])
        return float((self.count[some] * gaps).sum() / self.count.sum())

    def rows(self) -> list[dict[str, Any]]:
        """A row per bin, for a diagram."""
        columns = (self.edges[:-1], self.edges[1:], self.confidence, self.accuracy, self.count)
        names = ("low", "high", "confidence", "accuracy", "cases")
        return [
            dict(zip(names, (v.item() for v in told), strict=True)) for told in zip(*columns, strict=True)
        ]


def reliability(
    probabilities: Doubles,
    labels: NDArray[np.int64],
    *,
    bins: int = 15,
    binning: Binning = "width",
    weights: Counts | None = None,
) -> Reliability:
    """Bins of equal width, or of (nearly) equal numbers of cases ("mass": adaptive, Nguyen & O'Connor, 2015).

    Cases of equal confidence are always in one bin, so that nothing depends on their order.

    Args:
        probabilities: (N, K), rows that sum to 1.
        labels: (N,).
        weights: (N,) how often each case counts; once where not given.

    Raises:
        InputError: no probabilities, fewer than one bin, another binning.
    """
    check_probabilities(probabilities, labels)
    if bins < 1 or binning not in ("width", "mass"):
        raise InputError(f"bins, binning: found {bins}, {binning!r}, expected at least 1, and width or mass")
    often = np.ones(len(labels), dtype=np.int64) if weights is None else weights
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    edges = np.linspace(0, 1, bins + 1) if binning == "width" else _equal_mass(confidence, often, bins)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, len(edges) - 2)
    count = np.bincount(place, often, minlength=len(edges) - 1)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(place, often * v, minlength=len(edges) - 1) / count for v in (confidence, right)]
    return Reliability(edges, means[0], means[1], count.astype(np.int64))


def ece(
    probabilities: Doubles, labels: NDArray[np.int64], *, bins: int = 15, binning: Binning = "width"
) -> float:
    """Expected calibration error of the decisions, in [0, 1]; adaptive with ``binning="mass"``. See `reliability`."""
    return reliability(probabilities, labels, bins=bins, binning=binning).error


def brier(probabilities: Doubles, labels: NDArray[np.int64], weights: Counts | None = None) -> float:
    """``1/N Σ_n Σ_k (p_nk − [y_n = k])²`` over all classes (Brier, 1950), in [0, 2]; twice the usual one of two classes.

    >>> brier(np.array([[0.5, 0.5]]), np.array([0]))
    0.5
    """
    check_probabilities(probabilities, labels)
    wrong = probabilities - np.eye(probabilities.shape[1])[labels]
    return float(np.average((wrong**2).sum(axis=1), weights=weights))


def negative_log_likelihood(
    logits: Doubles, labels: NDArray[np.int64], weights: Counts | None = None
) -> float:
    """Mean of ``−log p`` of the true class, in nats, from logits: finite where a probability rounds to 0."""
    from scipy.special import log_softmax

    told = log_softmax(logits, axis=1)[np.arange(len(labels)), labels]
    return float(-np.average(told, weights=weights))


def calibration(
    maps: Maps,
    temperature: float = 1.0,
    *,
    bins: int = 15,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> list[Row]:
    """ECE, adaptive ECE, Brier score and NLL at a temperature, with intervals over patients.

    ECE is never negative and therefore biased upward, the more so the fewer cases there are; its interval inherits that.
    """
    maps = maps.ordered()
    logits = maps.logits / temperature
    probabilities = softmax(logits)

    def statistics(weights: Counts) -> Doubles:
        errors = [
            reliability(probabilities, maps.labels, bins=bins, binning=b, weights=weights).error
            for b in ("width", "mass")
        ]
        scores = [
            brier(probabilities, maps.labels, weights),
            negative_log_likelihood(logits, maps.labels, weights),
        ]
        return np.array([*errors, *scores])

    found = intervals(statistics, maps.groups, draws=draws, level=level, seed=seed)
    about = {"cases": len(maps), "patients": len(set(maps.groups))}
    names = ("ece", "adaptive ece", "brier", "nll")
    return [row("calibration", name, number, **about) for name, number in zip(names, found, strict=True)]


def check_probabilities(probabilities: Doubles, labels: NDArray[np.int64]) -> None:
    """Do nothing if they are (N, K), in [0, 1], sum to 1, and there are N labels.

    Raises:
        InputError: otherwise.
    """
    if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not len(labels):
        raise InputError(
            f"probabilities: found shape {probabilities.shape}, expected (N, K) with {len(labels)} labels"
        )
    if (probabilities < 0).any() or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-4):
        raise InputError("probabilities: found rows that do not sum to 1, expected a softmax of the logits")


def _equal_mass(confidence: Doubles, often: Counts, bins: int) -> Doubles:
    """Bounds that occur, at equal numbers of cases; fewer bins where many cases tie."""
    order = np.argsort(confidence, kind="stable")
    ends = np.cumsum(often[order])
    wanted = np.ceil(np.arange(1, bins + 1) * ends[-1] / bins - 1e-9)
    upper = np.unique(confidence[order][np.searchsorted(ends, wanted, side="left")])
    return np.concatenate([[0.0], upper])
