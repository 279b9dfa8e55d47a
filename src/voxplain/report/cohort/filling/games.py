"""What games found, as shares of each target's effects, and pairs of regions that work together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from voxplain.aggregate.cohort import Cohort, Matrix, signed, summarise
from voxplain.aggregate.cohort.inventory import Inventory
from voxplain.report.cohort.filling.asked import Asked
from voxplain.report.cohort.filling.parts import spreads
from voxplain.report.cohort.page import Game, Numbers, Pair

EFFECTS = ("shapley", "occlusion", "alone")
MOST_PAIRS = 20


def games(
    cohort: Cohort, known: Inventory, warnings: Mapping[str, Sequence[str]], asked: Asked
) -> tuple[Game, ...]:
    """Every game and statistic that the tables have.

    Args:
        warnings: by the game's name, of its baseline.
    """
    made: list[Game] = []
    for method in known.games:
        for partition in sorted({p for m, p, _ in known.found if m == method}):
            pairs = _pairs(cohort, known, method, partition, asked)
            parts = spreads(cohort, known, method, partition)
            told = tuple(warnings.get(method, ()))
            for statistic in EFFECTS:
                if known.has(method, partition, statistic):
                    effects = cohort.matrix(statistic, model=known.model, method=method, partition=partition)
                    shares = effects.holding(relative(effects), f"{statistic} share")
                    summary = summarise(shares, resamples=asked.resamples, seed=asked.seed)
                    tested = signed(shares, level=asked.level)
                    made.append(Game(method, statistic, partition, summary, tested, pairs, told, parts))
                    pairs, parts, told = (), (), ()
            if pairs or parts:
                made.append(Game(method, "interaction", partition, None, None, pairs, told, parts))
    return tuple(made)


def relative(effects: Matrix) -> Numbers:
    """(cases, targets, regions) signed effects over the sum of their sizes, since scores of targets have no common scale."""
    total = np.nansum(np.abs(effects.values), axis=2, keepdims=True)
    return np.asarray(effects.values / np.where(total > 0, total, np.nan))


def _pairs(cohort: Cohort, known: Inventory, method: str, partition: str, asked: Asked) -> tuple[Pair, ...]:
    """The largest interactions by mean, in the score's own unit."""
    if not known.has(method, partition, "interaction"):
        return ()
    found = cohort.matrix("interaction", model=known.model, method=method, partition=partition)
    there = ~np.isnan(found.values)
    middle = np.nansum(found.values, 0) / np.maximum(there.sum(0), 1)
    order = np.argsort(-np.abs(middle), axis=None, kind="stable")[:MOST_PAIRS]
    t, r = np.unravel_index(order, middle.shape)
    kept = found.pick(
        targets=[found.targets[i] for i in dict.fromkeys(t.tolist())],
        regions=[found.regions[i] for i in dict.fromkeys(r.tolist())],
    )
    summary = summarise(kept, resamples=asked.resamples, seed=asked.seed)
    made = []
    for i, j in zip(t.tolist(), r.tolist(), strict=True):
        at = kept.targets.index(found.targets[i]), kept.regions.index(found.regions[j])
        if summary.n[at]:
            mean, low, high = (float(a[at]) for a in (summary.mean, summary.low, summary.high))
            made.append(Pair(found.targets[i], found.regions[j], mean, low, high, int(summary.n[at])))
    return tuple(made)
