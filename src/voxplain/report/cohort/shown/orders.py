"""In which order a matrix's names stand: clusters together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voxplain.report.cohort.page import Lens


@dataclass(frozen=True)
class Order:
    """Places of targets and regions.

    Attributes:
        targets, regions: indices into the matrix.
        row_breaks, column_breaks: places after which another cluster begins.
    """

    targets: tuple[int, ...]
    regions: tuple[int, ...]
    row_breaks: tuple[int, ...]
    column_breaks: tuple[int, ...]


def order_of(lens: Lens) -> Order:
    """Targets as in the dendrogram, then those without a place there; regions that are targets likewise, then the others."""
    targets, regions = lens.mass.targets, lens.mass.regions
    first = [n for n in (lens.tree.order if lens.tree else ()) if n in targets]
    rows = [*first, *(t for t in targets if t not in set(first))]
    columns = [*(t for t in rows if t in set(regions)), *_by_share(lens, rows)]
    clusters = lens.tree.cluster_of() if lens.tree else {}
    return Order(
        tuple(targets.index(t) for t in rows),
        tuple(regions.index(r) for r in columns),
        _breaks([clusters.get(t, 0) for t in rows]),
        _breaks([clusters.get(r, 0) for r in columns]),
    )


def _by_share(lens: Lens, rows: list[str]) -> list[str]:
    """Regions that are no targets, the largest mean share first."""
    mean = np.nan_to_num(lens.shares.mean).sum(0)
    others = [r for r in lens.mass.regions if r not in set(rows)]
    return sorted(others, key=lambda r: -mean[lens.mass.regions.index(r)])


def _breaks(clusters: list[int]) -> tuple[int, ...]:
    return tuple(i for i in range(1, len(clusters)) if clusters[i] != clusters[i - 1])
