"""Faithfulness at region level, put together for one measured truth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from voxplain.report.cohort.page import Faithful, Numbers


@dataclass(frozen=True, eq=False)
class Truthful:
    """One method; arrays are (targets,), means over cases.

    Attributes:
        null: what 95 % of shufflings of the regions stay below.
        volume: what regions' sizes alone get.
        beyond: partial correlation given the regions' sizes.
        n: cases.
    """

    label: str
    effect: str
    partition: str
    targets: tuple[str, ...]
    reference: bool
    spearman: Numbers
    null: Numbers
    volume: Numbers
    beyond: Numbers
    n: NDArray[np.int64]

    @property
    def overall(self) -> float:
        """Mean over targets."""
        return _mean(self.spearman)

    def row(self) -> tuple[float, float, float, float, int, int]:
        """Means over targets of all four, targets above chance and above sizes alone, and targets."""
        judged = ~np.isnan(self.spearman) & ~np.isnan(self.null)
        floor = np.fmax(self.null, self.volume)
        above = int((self.spearman[judged] > floor[judged]).sum())
        first, second, third, fourth = (
            _mean(a) for a in (self.spearman, self.null, self.volume, self.beyond)
        )
        return first, second, third, fourth, above, int(judged.sum())


def truthful(found: tuple[Faithful, ...]) -> tuple[tuple[str, tuple[Truthful, ...]], ...]:
    """By what they are compared with."""
    made: dict[tuple[str, tuple[str, ...]], list[Truthful]] = {}
    for f in found:
        spearman, n = f.mean("spearman")
        one = Truthful(
            label=f"{f.method}, {f.statistic}",
            effect=f.effect,
            partition=f.partition,
            targets=f.targets,
            reference=f.reference,
            spearman=spearman,
            null=f.mean("spearman_null")[0],
            volume=f.mean("volume_spearman")[0],
            beyond=f.mean("spearman_beyond_volume")[0],
            n=n,
        )
        # methods that answer for other targets are a figure of their own
        made.setdefault((f"{f.effect}, {f.partition} regions", f.targets), []).append(one)
    return tuple((name, tuple(v)) for (name, _), v in made.items())


def _mean(values: Numbers) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
