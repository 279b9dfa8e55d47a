"""Whether tables of attributions go with what regions are measured to do, in every case."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from voxplain.aggregate.cohort import Cohort, Matrix
from voxplain.aggregate.faithfulness import region_faithfulness
from voxplain.report.cohort.filling.asked import Asked
from voxplain.report.cohort.filling.expected import sizes
from voxplain.report.cohort.filling.inventory import Inventory
from voxplain.report.cohort.page import Faithful

COMPARED = (("net", True), ("absolute", False))  # statistic, and whether its sign means something
TRUTHS = ("occlusion", "shapley")
SHUFFLES = 299  # of which a quantile is read, and averaged over cases


def faithful(cohort: Cohort, known: Inventory, asked: Asked) -> tuple[Faithful, ...]:
    """Every method, redrawn ones too, against the first game that measured the regions of its partition."""
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
    return tuple(made)


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
    found = tuple(
        region_faithfulness(
            a.values[c], b.values[c], volumes[c], signed=signed, permutations=SHUFFLES, seed=asked.seed
        )
        for c in np.flatnonzero(both.any((1, 2))).tolist()
    )
    if found:
        effect = f"{truth.statistic} of {truth.method}"
        yield Faithful(
            table.method, table.statistic, effect, table.partition, tuple(targets), reference, found
        )
