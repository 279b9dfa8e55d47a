"""In which order a matrix's names stand: clusters together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from voxplain.report.cohort.page import Lens

MANY = (
    8  # names in no case from which on they are left out of the matrix: fewer are worth a look at what lacks
)


@dataclass(frozen=True)
class Order:
    """Places of targets and regions.

    Attributes:
        targets, regions: indices into the matrix.
        row_breaks, column_breaks: places after which another cluster begins.
        absent: how many targets and regions are in no case and left out.
    """

    targets: tuple[int, ...]
    regions: tuple[int, ...]
    row_breaks: tuple[int, ...]
    column_breaks: tuple[int, ...]
    absent: tuple[int, int] = (0, 0)


def order_of(lens: Lens) -> Order:
    """Targets as in the dendrogram, then those without a place there; regions that are targets likewise, then the others."""
    targets, regions = lens.mass.targets, lens.mass.regions
    first = [n for n in (lens.tree.order if lens.tree else ()) if n in targets]
    rows = [*first, *(t for t in targets if t not in set(first))]
    columns = [*(t for t in rows if t in set(regions)), *_by_share(lens, rows)]
    rows, lost = _there(rows, targets, lens.mass.answered)
    columns, gone = _there(columns, regions, lens.mass.present)
    clusters = lens.tree.cluster_of() if lens.tree else {}
    return Order(
        tuple(targets.index(t) for t in rows),
        tuple(regions.index(r) for r in columns),
        _breaks([clusters.get(t, 0) for t in rows]),
        _breaks([clusters.get(r, 0) for r in columns]),
        (lost, gone),
    )


def _there(ordered: list[str], names: tuple[str, ...], there: npt.NDArray[np.bool_]) -> tuple[list[str], int]:
    """The names without those that no case has, and how many these are; all names where they are few, or all there is."""
    seen = {name for name, any_case in zip(names, np.any(there, axis=0), strict=True) if any_case}
    lacking = len(names) - len(seen)
    return (ordered, 0) if lacking < MANY or not seen else ([n for n in ordered if n in seen], lacking)


def _by_share(lens: Lens, rows: list[str]) -> list[str]:
    """Regions that are no targets, the largest mean share first."""
    mean = np.nan_to_num(lens.shares.mean).sum(0)
    others = [r for r in lens.mass.regions if r not in set(rows)]
    return sorted(others, key=lambda r: -mean[lens.mass.regions.index(r)])


def _breaks(clusters: list[int]) -> tuple[int, ...]:
    return tuple(i for i in range(1, len(clusters)) if clusters[i] != clusters[i - 1])
