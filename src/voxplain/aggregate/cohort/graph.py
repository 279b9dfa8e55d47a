"""Who uses whom, as a directed graph."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from voxplain.aggregate.cohort.beats import Beaten
from voxplain.aggregate.cohort.matrix import Matrix, Numbers, need_finite
from voxplain.aggregate.cohort.summary import summarise
from voxplain.aggregate.cohort.told import Told
from voxplain.aggregate.cohort.tree import Tree
from voxplain.errors import InputError

STRONGEST = 5
LEAST = 0.01  # share below which an entry is no edge, however dense: a few voxels at the target's border are dense, too


@dataclass(frozen=True)
class Edge(Told):
    """A target depends on a region.

    Attributes:
        weight: mean over cases.
        n: cases that have it.
        q: against the nulls; NaN where none was asked.
    """

    region: str
    target: str
    weight: float
    n: int
    q: float


@dataclass(frozen=True)
class Node(Told):
    """A region, or a target.

    Attributes:
        cluster: of its tree, 0 for none.
        own: weight of a target's dependence on itself; NaN where it is no target, or no region.
        own_beats: whether that beats the nulls; None where none was asked, or none can judge.
        is_target, is_region: what it occurs as.
    """

    name: str
    cluster: int
    own: float
    own_beats: bool | None
    is_target: bool
    is_region: bool


@dataclass(frozen=True)
class Graph(Told):
    """Edges from regions to the targets that depend on them, those chosen first standing first within a target.

    Attributes:
        chosen_by: the statistic whose largest means became edges.
        explained: by target, the sum of its edges' weights over those of all other regions but what was left out.
    """

    statistic: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    explained: dict[str, float]
    chosen_by: str = "mass"


def graph(
    matrix: Matrix,
    *,
    beaten: Beaten | None = None,
    strongest: int | None = STRONGEST,
    share: float | None = None,
    by: Matrix | None = None,
    tree: Tree | None = None,
    leave_out: Collection[str] = (),
) -> Graph:
    """Make the graph of a matrix's means.

    Args:
        matrix: shares or densities, of which no value is below 0.
        beaten: only entries that beat these nulls become edges.
        strongest: edges per target at most; None for any number.
        share: or as few of the strongest as together reach this share of the target's weights on other regions.
        by: densities by whose means edges are chosen, among shares of `LEAST` and more, so that no region is chosen for its
            size; by the matrix itself where missing.
        tree: whose clusters the nodes belong to.
        leave_out: regions and targets, such as background.

    Raises:
        InputError: negative means, limits that are none, names that ``beaten`` or ``by`` has not.
    """
    if strongest is not None and strongest < 1:
        raise InputError(f"strongest: found {strongest}, expected 1 or more edges per target, or None")
    if share is not None and not 0 < share <= 1:
        raise InputError(f"share: found {share}, expected a number above 0, up to 1")
    if beaten is not None and (beaten.targets, beaten.regions) != (matrix.targets, matrix.regions):
        raise InputError("graph: the nulls were beaten by a matrix of other names")
    if by is not None and (by.targets, by.regions) != (matrix.targets, matrix.regions):
        raise InputError("graph: edges are to be chosen by a matrix of other names")
    need_finite(matrix, "graph")
    summary = summarise(matrix, resamples=1)
    if (summary.mean < 0).any():
        raise InputError(f"graph: found negative means of {matrix.statistic}, expected shares or densities")
    order, least = (summary.mean, 0.0) if by is None else (summarise(by, resamples=1).mean, LEAST)
    edges: list[Edge] = []
    explained = {}
    for t, target in enumerate(matrix.targets):
        if target in leave_out:
            continue
        others = [r for r, name in enumerate(matrix.regions) if name != target and name not in leave_out]
        candidates = [
            r
            for r in others
            if summary.mean[t, r] > 0
            and summary.mean[t, r] >= least
            and (beaten is None or bool(beaten.mask[t, r]))
        ]
        candidates.sort(key=lambda r: (-np.nan_to_num(order[t, r]), r))
        total = float(np.nansum(summary.mean[t, others]))
        kept = _kept(summary.mean[t], candidates, strongest, None if share is None else share * total)
        for r in kept:
            q = float("nan") if beaten is None else float(beaten.q[t, r])
            edges.append(Edge(matrix.regions[r], target, float(summary.mean[t, r]), int(summary.n[t, r]), q))
        explained[target] = float(summary.mean[t, kept].sum() / total) if total > 0 else float("nan")
    names = [n for n in dict.fromkeys((*matrix.targets, *matrix.regions)) if n not in leave_out]
    clusters = tree.cluster_of() if tree is not None else {}
    nodes = tuple(_node(n, matrix, summary.mean, beaten, clusters.get(n, 0)) for n in names)
    return Graph(matrix.statistic, nodes, tuple(edges), explained, (by or matrix).statistic)


def _kept(means: Numbers, candidates: list[int], strongest: int | None, enough: float | None) -> list[int]:
    """The first candidates, until they are enough."""
    kept: list[int] = []
    total = 0.0
    for r in candidates[:strongest]:
        if enough is not None and total >= enough:
            break
        kept.append(r)
        total += float(means[r])
    return kept


def _node(name: str, matrix: Matrix, means: Numbers, beaten: Beaten | None, cluster: int) -> Node:
    is_target, is_region = name in matrix.targets, name in matrix.regions
    own, own_beats = float("nan"), None
    if is_target and is_region:
        at = matrix.targets.index(name), matrix.regions.index(name)
        own = float(means[at])
        if beaten is not None and not np.isnan(beaten.p[at]):
            own_beats = bool(beaten.mask[at])
    return Node(name, cluster, own, own_beats, is_target, is_region)
