"""Whether tables of attributions go with what regions are measured to do, in every case."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from voxplain.aggregate.cohort import Cohort, Matrix
from voxplain.aggregate.cohort.expected import sizes
from voxplain.aggregate.cohort.inventory import Inventory, is_game
from voxplain.aggregate.faithfulness import region_faithfulness
from voxplain.report.cohort.filling.asked import Asked
from voxplain.report.cohort.page import Faithful

COMPARED = (("net", True), ("absolute", False))  # statistic, and whether its sign means something
TRUTHS = ("occlusion", "shapley")
SHUFFLES = 299  # of which a quantile is read, and averaged over cases


def faithful(cohort: Cohort, known: Inventory, asked: Asked) -> tuple[Faithful, ...]:
    """Every method, redrawn ones too, against the first game that measured the regions of its partition.

    Other games are methods, too: what they take away and in what company is their answer to "gradient or perturbation?".
    """
    made: list[Faithful] = []
    for method in known.methods:
        for partition in known.partitions(method):
            truth = _truth(cohort, known, partition)
            counts = sizes(cohort, known, method, partition)
            if truth is None or counts is None:
                continue
            for name in (method, *known.redrawn(method)):
                for statistic, signed in COMPARED:
                    if known.has(name, partition, statistic):
                        table = cohort.matrix(statistic, model=known.model, method=name, partition=partition)
                        made += _compared(table, truth, counts, signed, name != method, asked)
    return (*made, *_games(cohort, known, asked))


def _games(cohort: Cohort, known: Inventory, asked: Asked) -> Iterable[Faithful]:
    """Effects of all other games and values against the same truth."""
    for partition in sorted({p for m, p, _ in known.found if is_game(m)}):
        truth, counts = _truth(cohort, known, partition), sizes(cohort, known, "", partition)
        if truth is None or counts is None:
            continue
        for game in known.games:
            for statistic in TRUTHS:
                if known.has(game, partition, statistic) and (game, statistic) != (
                    truth.method,
                    truth.statistic,
                ):
                    table = cohort.matrix(statistic, model=known.model, method=game, partition=partition)
                    yield from _compared(table, truth, counts, True, False, asked)


def _truth(cohort: Cohort, known: Inventory, partition: str) -> Matrix | None:
    for statistic in TRUTHS:
        for game in known.games:
            if known.has(game, partition, statistic):
                return cohort.matrix(statistic, model=known.model, method=game, partition=partition)
    return None


def _compared(
    table: Matrix, truth: Matrix, counts: Matrix, signed: bool, reference: bool, asked: Asked
) -> Iterable[Faithful]:
    targets = [t for t in table.targets if t in truth.targets]
    regions = [r for r in table.regions if r in truth.regions and r in counts.regions]
    if not targets or not regions:
        return
    a, b = (m.pick(targets=targets, regions=regions) for m in (table, truth))
    volumes = np.nan_to_num(counts.pick(regions=regions).values).max(1)
    both = ~np.isnan(a.values) & ~np.isnan(b.values)
    there = np.flatnonzero(both.any((1, 2))).tolist()
    found = tuple(
        region_faithfulness(
            a.values[c], b.values[c], volumes[c], signed=signed, permutations=SHUFFLES, seed=asked.seed
        )
        for c in there
    )
    if found:
        effect = f"{truth.statistic} of {truth.method}"
        cases = tuple(a.cases[c] for c in there)
        yield Faithful(
            table.method, table.statistic, effect, table.partition, tuple(targets), reference, cases, found
        )
