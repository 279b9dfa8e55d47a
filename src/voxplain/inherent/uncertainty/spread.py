"""How far several answers about one image agree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxplain.errors import InputError
from voxplain.inherent.evaluate.classification import sigmoid, softmax
from voxplain.inherent.uncertainty.several import Answer

Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Spread:
    """Mean and disagreement of M answers about one image of K classes.

    The mean answer is the mean of evidence and of logits: of a linear pool it is still ``logit = pool(evidence)``; of
    others the mean logit is what the members decided, not the pool of the mean map.

    Attributes:
        logits: (K,) mean.
        probabilities: (K,) mean of the members' softmax.
        evidence: (K, *S) mean.
        deviation: (K, *S) standard deviation over members (of the population: one member has 0).
        entropy: of the mean probabilities, in nats: all doubt.
        expected_entropy: mean entropy of the members: doubt that more members would not take away.
        members: M.
    """

    logits: Doubles
    probabilities: Doubles
    evidence: Doubles
    deviation: Doubles
    entropy: float
    expected_entropy: float
    members: int

    @property
    def mutual_information(self) -> float:
        """Entropy less expected entropy: how far members disagree, in nats, never negative (Houlsby et al., 2011)."""
        return max(0.0, self.entropy - self.expected_entropy)

    @property
    def confidence(self) -> float:
        """The largest mean probability."""
        return float(self.probabilities.max())


def spread(answers: Iterable[Answer]) -> Spread:
    """Go through answers once, keeping sums and not maps (Welford, 1962).

    Args:
        answers: logits (K,) and evidence (K, *S) of each, such as `turned`, `repeated` or `ensemble` give.

    Raises:
        InputError: no answer, or answers of unlike shapes.
    """
    mean, squares = np.zeros(0), np.zeros(0)
    told: list[Doubles] = []
    for n, (logits, evidence) in enumerate(answers, start=1):
        told.append(np.asarray(logits, dtype=np.float64))
        if n == 1:
            mean, squares = np.zeros(evidence.shape), np.zeros(evidence.shape)
        if evidence.shape != mean.shape or told[-1].shape != told[0].shape:
            raise InputError(
                f"answers: found evidence {evidence.shape}, expected {mean.shape} as the first answer's"
            )
        away = evidence - mean
        mean = mean + away / n
        squares = squares + away * (evidence - mean)
    if not told:
        raise InputError("answers: found none, expected at least one")
    each = softmax(np.stack(told))
    probabilities = each.mean(axis=0)
    return Spread(
        np.mean(told, axis=0),
        probabilities,
        mean,
        np.sqrt(squares / len(told)),
        float(entropy(probabilities)),
        float(entropy(each).mean()),
        len(told),
    )


def agreement(logits: Doubles, *, independent: bool = False) -> dict[str, list[float]]:
    """How far M answers about one image agree, class by class.

    Args:
        logits: (M, K).
        independent: whether the labels are; then each class has the entropies of its own yes or no, else all share the
            entropies of the classes.

    Returns:
        by name, K numbers each: "mean probability" (over answers), "probability deviation" (standard deviation),
        "entropy" of the mean probabilities and "mutual information", both in nats, see `Spread`.

    >>> agreement(np.array([[50.0, 0.0], [0.0, 50.0]]))["mutual information"][0].__round__(4)
    0.6931
    """
    logits = np.asarray(logits, dtype=np.float64)
    each = sigmoid(logits) if independent else softmax(logits)
    told = np.stack([each, 1 - each], axis=-1) if independent else each[:, None].repeat(each.shape[1], axis=1)
    doubt = entropy(told.mean(axis=0))
    return {
        "mean probability": each.mean(axis=0).tolist(),
        "probability deviation": each.std(axis=0).tolist(),
        "entropy": doubt.tolist(),
        "mutual information": np.maximum(doubt - entropy(told).mean(axis=0), 0).tolist(),
    }


def entropy(probabilities: Doubles) -> Doubles:
    """``−Σ_k p_k log p_k`` over the last axis, in nats; 0 log 0 is 0.

    >>> float(entropy(np.array([0.5, 0.5, 0.0])).round(4))
    0.6931
    """
    from scipy.special import entr

    return np.asarray(entr(probabilities).sum(axis=-1))
