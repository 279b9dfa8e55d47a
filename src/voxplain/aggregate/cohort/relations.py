"""What outlier scores and entries go with: Dice, age, sex, scanner, site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxplain.aggregate.cohort.association import associate
from voxplain.aggregate.cohort.matrix import Matrix, Numbers
from voxplain.aggregate.cohort.metadata import Column, Metadata
from voxplain.aggregate.cohort.multiplicity import false_discovery
from voxplain.aggregate.cohort.outliers import Outliers
from voxplain.aggregate.cohort.partial import partial
from voxplain.aggregate.cohort.told import Told
from voxplain.errors import InputError

PERMUTATIONS = 19_999
PARTIAL_PERMUTATIONS = 4_999


@dataclass(frozen=True, eq=False)
class Relations(Told):
    """Of every entry with every column; all arrays are (columns, targets, regions), NaN where there was no test.

    Attributes:
        columns, kinds: names, and ``numeric`` or ``categorical``.
        regions: names; the one name ``outlier score`` where the scores were related.
        effect: Spearman's ρ, or for categories the share of the ranks' variance that lies between them (0 to 1).
        p: by permutation; q: corrected for the whole table (Benjamini–Hochberg).
        n: cases that have both.
        partial: Spearman's ρ given the region's volume (numeric columns); `partial_p`, `partial_q`. What vanishes here
            may be the volume's doing.
        least: the smallest p that random permutations can give.
        left_out: columns that could not be tested, and why.
    """

    what: str
    columns: tuple[str, ...]
    kinds: tuple[str, ...]
    targets: tuple[str, ...]
    regions: tuple[str, ...]
    effect: Numbers
    p: Numbers
    q: Numbers
    n: NDArray[np.int64]
    partial: Numbers
    partial_p: Numbers
    partial_q: Numbers
    least: float
    left_out: dict[str, str]

    def found(self, level: float = 0.05) -> list[dict[str, Any]]:
        """Relations at this share of false alarms, the surest first."""
        places = sorted(
            map(tuple, np.argwhere(self.q <= level).tolist()), key=lambda at: (self.q[at], self.p[at], at)
        )
        return [
            {
                "column": self.columns[k],
                "target": self.targets[t],
                "region": self.regions[r],
                "effect": float(self.effect[k, t, r]),
                "p": float(self.p[k, t, r]),
                "q": float(self.q[k, t, r]),
                "n": int(self.n[k, t, r]),
                "partial": None if np.isnan(self.partial[k, t, r]) else float(self.partial[k, t, r]),
                "partial_q": None if np.isnan(self.partial_q[k, t, r]) else float(self.partial_q[k, t, r]),
            }
            for k, t, r in places
        ]


def relate_entries(
    matrix: Matrix,
    metadata: Metadata,
    *,
    columns: Sequence[str] | None = None,
    volumes: Matrix | None = None,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Relations:
    """Relate every entry to what is known of the cases.

    Args:
        columns: all by default; `dice:liver` is related to the target liver alone.
        volumes: a matrix `volume_ml` or `count` with the same regions: the rival.
        permutations: all of them for few cases.

    Raises:
        InputError: an unknown column, metadata or volumes of other cases.
    """
    rivals = None
    if volumes is not None:
        rivals = np.repeat(
            _volumes(volumes, matrix.cases, matrix.regions)[:, None], len(matrix.targets), axis=1
        )
    return _relate(
        matrix.statistic, matrix.cases, matrix.targets, matrix.regions, matrix.values, metadata, columns, rivals,
        permutations, seed,
    )  # fmt: skip


def relate_outliers(
    outliers: Outliers,
    metadata: Metadata,
    *,
    columns: Sequence[str] | None = None,
    volumes: Matrix | None = None,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Relations:
    """Relate every target's outlier scores to what is known of the cases; the rival is the volume of the target itself.

    Args and errors as of `relate_entries`; targets that are no region of ``volumes`` have no partial correlation.
    """
    rivals = None
    if volumes is not None:
        own = [t for t in outliers.targets if t in volumes.regions]
        rivals = np.full((*outliers.score.shape, 1), np.nan)
        rivals[:, [outliers.targets.index(t) for t in own], 0] = _volumes(volumes, outliers.cases, tuple(own))
    return _relate(
        "outlier score", outliers.cases, outliers.targets, ("outlier score",), outliers.score[..., None], metadata,
        columns, rivals, permutations, seed,
    )  # fmt: skip


def _relate(
    what: str,
    cases: tuple[str, ...],
    targets: tuple[str, ...],
    regions: tuple[str, ...],
    values: Numbers,
    metadata: Metadata,
    columns: Sequence[str] | None,
    rivals: Numbers | None,
    permutations: int,
    seed: int,
) -> Relations:
    if metadata.cases != cases:
        raise InputError(f"{what}: its cases are others than the metadata's")
    asked = [metadata.column(c) for c in (metadata.columns if columns is None else columns)]
    reasons = {c.name: why for c in asked if (why := _no_test(c))}
    tested = [c for c in asked if c.name not in reasons]
    shape = (len(tested), len(targets), len(regions))
    effect, p, rho, rho_p = (np.full(shape, np.nan) for _ in range(4))
    n = np.zeros(shape, dtype=np.int64)
    for k, column in enumerate(tested):
        of = [t for t, name in enumerate(targets) if column.only in (None, name)]
        flat = values[:, of].reshape(len(cases), -1)
        found = associate(flat, column.numbers, _groups(column), permutations, seed=seed)
        effect[k, of], p[k, of], n[k, of] = (np.reshape(a, (len(of), len(regions))) for a in found)
        if rivals is not None and column.numbers is not None:
            given = rivals[:, of].reshape(len(cases), -1)
            left = partial(flat, column.numbers, given, min(permutations, PARTIAL_PERMUTATIONS), seed=seed)
            rho[k, of], rho_p[k, of] = (np.reshape(a, (len(of), len(regions))) for a in left)
    return Relations(
        what,
        tuple(c.name for c in tested),
        tuple(c.kind for c in tested),
        targets,
        regions,
        effect,
        p,
        false_discovery(p),
        n,
        rho,
        rho_p,
        false_discovery(rho_p),
        1 / (permutations + 1),
        reasons,
    )


def _groups(column: Column) -> NDArray[np.intp] | None:
    if column.numbers is not None:
        return None
    kinds = {c: i for i, c in enumerate(column.categories)}
    return np.array([-1 if v is None else kinds[v] for v in column.labels], dtype=np.intp)


def _no_test(column: Column) -> str:
    """Why a column can be related to nothing."""
    known = sum(v is not None for v in column.labels)
    kinds = len(column.categories)
    if kinds < 2:
        return f"{known} known values, {kinds} distinct"
    if column.numbers is None and kinds > known / 2:
        return f"{kinds} categories among {known} known values: nearly every case its own"
    return ""


def _volumes(volumes: Matrix, cases: tuple[str, ...], regions: tuple[str, ...]) -> Numbers:
    """(cases, regions): a region's volume, which is the same for every target."""
    if volumes.cases != cases:
        raise InputError(f"volumes: {volumes.statistic} has other cases")
    picked = volumes.pick(regions=regions).values
    return np.asarray(
        np.where(np.isnan(picked).all(1), np.nan, np.where(np.isnan(picked), -np.inf, picked).max(1))
    )
