"""How sure a prediction is, in numbers and in words, from passes that were paid already."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from voxplain.report.page import Predicted

SHOWN = 5  # classes of a classifier with a bar each
Rows = Sequence[Sequence[float]]


def with_certainty(
    rows: Iterable[Predicted],
    names: Sequence[str],
    certainty: Rows | None,
    labels: NDArray[np.integer],
    *,
    masks: bool = False,
) -> tuple[Predicted, ...]:
    """Classes of a segmentation with how sure the network is of them, and in how many pieces they lie.

    Args:
        names: of all classes.
        certainty: (K, 4) as `voxplain.target.Prediction` has it.
        labels: (*spatial) with the number of a class's name at its voxels.
        masks: whether they are (K, *spatial) instead, a mask of each class.
    """
    from scipy.ndimage import find_objects, generate_binary_structure, label

    out = []
    boxes = None if masks else find_objects(labels.astype(np.int32), max(len(names) - 1, 1))
    for row in rows:
        k = list(names).index(row.name) if row.name in names else -1
        if k < 0:
            out.append(row)
            continue
        box = None if boxes is None or k == 0 else boxes[k - 1]
        mask = labels[k] > 0 if boxes is None else labels[box] == k if box is not None else labels == k
        pieces = int(label(mask, generate_binary_structure(mask.ndim, mask.ndim))[1])
        inside, doubtful = _of_class(certainty, k)
        out.append(replace(row, pieces=pieces, inside=inside, doubtful=doubtful))
    return tuple(out)


def _of_class(certainty: Rows | None, k: int) -> tuple[float | None, float | None]:
    """Mean probability inside, and the doubtful share of the border."""
    if certainty is None or k >= len(certainty):
        return None, None
    voxels, summed, border, doubtful = certainty[k]
    return summed / voxels if voxels else None, doubtful / border if border else None


def of_classes(
    names: Sequence[str], output: Sequence[float], kind: str, temperature: float | None = None
) -> tuple[Predicted, ...]:
    """Probabilities of a classifier's classes, the largest first.

    Args:
        output: as the network gives it.
        kind: ``softmax``, ``sigmoid``, ``binary`` or ``probabilities``.
        temperature: that logits are divided by.
    """
    shares = probabilities(output, kind, temperature)
    pairs = sorted(zip(names, shares, strict=True), key=lambda pair: -pair[1])
    return tuple(Predicted(name, 0, probability=share) for name, share in pairs)


def probabilities(output: Sequence[float], kind: str, temperature: float | None = None) -> list[float]:
    """Of every class; one output stands for yes, beside no.

    >>> [round(p, 2) for p in probabilities([2.0], "binary", temperature=2.0)]
    [0.27, 0.73]
    """
    from scipy.special import expit, softmax

    raw = np.asarray(output, dtype=np.float64)
    if kind != "probabilities":
        raw = raw / (temperature or 1.0)
        raw = softmax(raw) if kind == "softmax" else expit(raw)
    if len(raw) == 1:
        raw = np.array([1 - raw[0], raw[0]])
    return [float(p) for p in raw]


def sentences(
    rows: Sequence[Predicted], kind: str, *, temperature: float | None = None, disagreement: float = math.nan
) -> tuple[str, ...]:
    """What is to be said of a prediction and its confidence."""
    return (*_of_classifier(rows, kind, temperature), *_of_segmentation(rows, temperature, disagreement))


def _of_classifier(rows: Sequence[Predicted], kind: str, temperature: float | None) -> Iterable[str]:
    known = [(r.name, r.probability) for r in rows if r.probability is not None]
    if not known:
        return
    if kind == "sigmoid" and len(known) > 2:
        yes = [name for name, p in known if p > 0.5]
        yield f"Found (probability above 50 %): {', '.join(yes) or 'none'}. Each class is a yes or no of its own."
    else:
        (first, top), *rest = known
        bits = -sum(p * math.log2(p) for _, p in known if p > 0)
        second = (
            f", {_points(top - rest[0][1])} percentage points before {rest[0][0]} (the margin)"
            if rest
            else ""
        )
        yield (
            f"The model says {first} with a probability of {percent_sure(top)}{second}. Entropy {bits:.2f} bit of at most "
            f"{math.log2(max(len(known), 2)):.2f}, which would be a guess."
        )
    yield calibration(temperature)


def _of_segmentation(
    rows: Sequence[Predicted], temperature: float | None, disagreement: float
) -> Iterable[str]:
    if any(r.inside is not None for r in rows):
        yield calibration(temperature, segmentation=True)
        yield (
            "Doubtful border: of the voxels where a class ends, the share at which the model's probabilities have an "
            "entropy above 0.9 bit, as where of two classes the likelier one has less than 68 %."
        )
    if math.isfinite(disagreement):
        yield (
            f"Where windows overlap, they disagree about {percent_sure(disagreement)} of the foreground that they share."
        )


def calibration(temperature: float | None, *, segmentation: bool = False) -> str:
    """What a probability is worth."""
    if temperature is not None and not segmentation:
        return (
            f"Logits were divided by a temperature of {temperature:.3g}, fitted on validation data: probabilities are "
            "calibrated as far as this image is like those."
        )
    return (
        "This is the model's own probability, not calibrated on your data: 90 % need not be right nine times in "
        "ten, and "
        "networks are often too sure."
    )


def percent_sure(share: float) -> str:
    """A probability; never 100 % that is not.

    >>> percent_sure(0.9999), percent_sure(0.834), percent_sure(1.0)
    ('above 99.9 %', '83 %', '100 %')
    """
    if 0.999 < share < 1:
        return "above 99.9 %"
    if 0 < share < 0.001:
        return "below 0.1 %"
    return f"{100 * share:.1f} %" if share < 0.01 or 0.99 < share < 1 else f"{100 * share:.0f} %"


def _points(margin: float) -> str:
    """A difference of probabilities in percentage points; never 100 that is not.

    >>> _points(0.9997), _points(0.504), _points(1.0)
    ('above 99', '50', '100')
    """
    return "above 99" if 0.99 < margin < 1 else f"{100 * margin:.0f}"
