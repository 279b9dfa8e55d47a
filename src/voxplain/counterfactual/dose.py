"""The smallest dose of a change at which a score reaches its target."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from voxplain.errors import InputError

Score = Callable[[Tensor], Tensor]
SCAN, TOLERANCE = 24, 1e-3


@dataclass(frozen=True, eq=False)
class Calibrated:
    """What a search for doses found, for N images at once.

    Args:
        dose: (N,) the smallest that reaches the target, within the tolerance above it; where none does, the dose that came
            closest.
        reached: (N,) bool.
        monotone: (N,) bool: whether the score went towards the target at every step of the scan up to that dose. Where it
            did not, smaller doses between the steps may reach the target, too.
        doses: (S,) that were scanned.
        scores: (S, N) at these.
    """

    dose: Tensor
    reached: Tensor
    monotone: Tensor
    doses: Tensor
    scores: Tensor


def calibrate(
    score: Score,
    target: Tensor,
    *,
    limit: float = 3.0,
    scan: int = SCAN,
    tolerance: float = TOLERANCE,
    slack: float = 1e-3,
) -> Calibrated:
    """Scan doses from 0 to a limit, and bisect where the score first crosses its target.

    Which way a score has to go is told by its value at dose 0; an image that is there already needs no dose.

    Args:
        score: (N,) doses to (N,) scores, one image each.
        target: (N,) scores to reach.
        limit: the largest dose that is tried.
        scan: steps of the scan.
        tolerance: width of the last interval of the bisection.
        slack: how far a score may go back, as a share of the way from start to target, and still count as monotone.

    Raises:
        InputError: a limit, scan or tolerance that cannot be, scores that are not finite.

    >>> found = calibrate(lambda dose: 2 * dose**2, torch.tensor([0.5, 100.0]))
    >>> round(float(found.dose[0]), 2), found.reached.tolist(), found.monotone.tolist()
    (0.5, [True, False], [True, True])
    """
    if not (limit > 0 and tolerance > 0 and scan >= 1):
        raise InputError(
            f"limit, scan, tolerance: found {limit}, {scan}, {tolerance}, expected positive numbers"
        )
    count = len(target)
    doses = torch.linspace(0, limit, scan + 1, dtype=target.dtype, device=target.device)
    scores = torch.stack([score(dose.expand(count)) for dose in doses])
    if not torch.isfinite(scores[0]).all():
        raise InputError(
            "score: is not finite at dose 0, so of the image itself; look for NaN in the image or the network"
        )
    if not torch.isfinite(scores).all():
        raise InputError(
            "score: is not finite at every dose; a smaller limit may keep the images within bounds"
        )
    way = torch.where(target >= scores[0], 1.0, -1.0).to(target)
    beyond = (scores - target) * way >= 0
    reached = beyond.any(0)
    first = torch.where(reached, beyond.int().argmax(0), scan)
    dose = _bisected(score, target, way, doses, first, tolerance)
    closest = ((scores - target) * way).argmax(0)
    steps = (scores[1:] - scores[:-1]) * way
    before = torch.arange(scan, device=target.device)[:, None] < first
    monotone = (steps >= -slack * (target - scores[0]).abs()).logical_or(~before).all(0)
    return Calibrated(torch.where(reached, dose, doses[closest]), reached, monotone, doses, scores)


def asked_at_most(limit: float) -> int:
    """How many scores of one image `calibrate` asks for: all of the scan, and of a bisection to the last."""
    return SCAN + 1 + max(0, math.ceil(math.log2(limit / SCAN / TOLERANCE)))


def _bisected(
    score: Score, target: Tensor, way: Tensor, doses: Tensor, first: Tensor, tolerance: float
) -> Tensor:
    """(N,) within the tolerance above the crossing that lies before a scanned dose; 0 where that is the first."""
    low, high = doses[(first - 1).clamp_min(0)], doses[first]
    while True:
        middle = low + (high - low) / 2
        # two doses may lie wider apart than the tolerance and have none between them
        left = (high - low > tolerance) & (middle > low) & (middle < high)
        if not left.any():
            return high
        there = (score(middle) - target) * way >= 0
        high, low = torch.where(there, middle, high), torch.where(there, low, middle)
