"""Which pairs of methods the page tells: all of few, of many only those that differ for sure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voxplain.metric.comparison import Comparison, Pair

ALPHA = 0.05
FEW = 21  # of seven methods
MOST = 30


@dataclass(frozen=True)
class Pairs:
    """What is shown of all pairs.

    Attributes:
        shown: with the smallest corrected p first.
        told: how many differ at the level after Holm's correction.
        total: how many there are.
        note: what stands against reading all of them, where it is the same for all.
    """

    shown: tuple[Pair, ...]
    told: int
    total: int
    note: str = ""


def pairs(comparison: Comparison, alpha: float | None = None) -> Pairs:
    """The pairs to show."""
    every = comparison.pairs
    level = alpha or (comparison.ranking.alpha if comparison.ranking else ALPHA)
    told = [p for p in every if p.p_holm <= level]
    chosen = list(every) if len(every) <= FEW else told
    chosen.sort(key=lambda p: (np.nan_to_num(p.p_holm, nan=2.0), -abs(np.nan_to_num(p.difference))))
    notes = {p.note for p in every}
    return Pairs(tuple(chosen[:MOST]), len(told), len(every), notes.pop() if len(notes) == 1 else "")
