"""The numbers that a verdict depends on."""

from __future__ import annotations

import math
from dataclasses import dataclass

from voxplain.errors import InputError


@dataclass(frozen=True)
class Rules:
    """What a verdict is read from, in this order.

    1. ``rounding_stability`` whose mean lies below ``stable`` with its whole 95 % interval, or on a single case: fails,
       whatever else it shows; it is no matter of chance that a map depends on the image's last digits.
    2. Fewer than ``least_cases``, or so few that no outcome could be significant: nothing can be told beyond these cases.
       What holds on them is told by itself.
    3. ``mprt_absolute`` (likeness v to the maps of networks with random weights): its excess ``(v − g) / (1 − g)`` over
       the likeness g of the plain gradient, which depends on all weights, is averaged within cases, with 0 for what is
       negative. Above ``randomised`` with its whole 95 % interval over cases: fails. Below with its whole interval:
       passes. Else open. Where no gradient stands beside it, the likeness itself is read so. The other randomisation
       metrics decide nothing: signed likeness may be −1 for a map that only turned its sign, and SSIM is close to 1
       wherever most of an image is background.
    4. On every faithfulness metric with a direction the map is tested against each of its nulls, over cases, by
       one-sided signed ranks; it is better where it beats all of them (the largest p counts), at level ``alpha`` after
       Holm's correction over all methods and metrics. Better on none: no better than the null. On some: partly.
       On all, and randomisation passed or not tested: holds in these tests.

    Attributes:
        least_cases: 6 is the least from which a two-sided signed-rank test can reach 0.05 at all.
        randomised: half way from the gradient's likeness to sameness.
        stable: correlation with the map of the rounded image.
    """

    alpha: float = 0.05
    least_cases: int = 6
    randomised: float = 0.5
    stable: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise InputError(f"rules: found alpha={self.alpha}, expected a level between 0 and 1")
        if self.least_cases < 2:
            raise InputError(f"rules: found least_cases={self.least_cases}, expected at least 2")

    def needed(self, tests: int) -> int:
        """Cases from which the smallest one-sided p, 2⁻ⁿ, passes Holm's first step."""
        return max(self.least_cases, math.ceil(math.log2(max(tests, 1) / self.alpha)))
