"""The learning rate as a function of the step: nothing to store, nothing to restore."""

from __future__ import annotations

import math

_START, _END = (
    1 / 25,
    1e-4,
)  # of one-cycle: where it begins, and where it ends as a share of that (torch's defaults)
_RISE = 0.3


def rate(step: int, steps: int, schedule: str, warm_up: float) -> float:
    """The share of the highest learning rate that a step has.

    Args:
        step: from 0.
        steps: of the whole training.
        schedule: ``"cosine"`` to zero (Loshchilov and Hutter 2017), ``"one-cycle"`` (Smith 2018) or ``"constant"``.
        warm_up: share of the steps in which it rises.

    >>> [round(rate(s, 8, "cosine", 0.25), 2) for s in (0, 1, 2, 5, 8)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    if schedule == "one-cycle":
        return _one_cycle(step, steps, max(warm_up, _RISE))
    rise = math.ceil(warm_up * steps)
    if step < rise:
        return (step + 1) / rise
    if schedule == "constant":
        return 1.0
    return _cosine(1.0, 0.0, (step - rise) / max(steps - rise, 1))


def _one_cycle(step: int, steps: int, warm_up: float) -> float:
    top = warm_up * steps - 1
    if step <= top:
        return _cosine(_START, 1.0, step / top)
    return _cosine(1.0, _START * _END, (step - top) / (steps - 1 - top))


def _cosine(first: float, last: float, share: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2
