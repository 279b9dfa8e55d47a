"""One case against the cohort: what it does otherwise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voxplain.aggregate.cohort import Metadata
from voxplain.report.cohort.page import Lens, ModelCohort, Numbers
from voxplain.report.page import Picture

UNUSUAL = 6  # entries that are told of a case


@dataclass(frozen=True)
class Deviation:
    """An entry of a case beside the cohort's.

    Attributes:
        share: of the case; ``median`` of all cases.
        z: robust, of log-ratios; NaN for fewer than 8 cases.
        percentile: of the log₂ density among all cases, 0 to 100; NaN for one case.
    """

    target: str
    region: str
    share: float
    median: float
    z: float
    percentile: float


@dataclass(frozen=True, eq=False)
class Local:
    """A case.

    Attributes:
        number: of the case on the page, from 1.
        score: the largest outlier score, and the target that has it; NaN and empty where there is none.
        calls: flagged targets, as `Outliers.flagged` tells them.
        missing, unusual: regions.
        known: of the metadata.
        deviations: entries farthest from the cohort's.
        z: (targets, regions); None for fewer than 8 cases.
        drawn: whether it gets figures.
    """

    number: int
    case: str
    score: float
    target: str
    calls: tuple[dict[str, object], ...]
    missing: tuple[str, ...]
    unusual: tuple[str, ...]
    known: dict[str, str]
    deviations: tuple[Deviation, ...]
    z: Numbers | None
    drawn: bool
    pictures: tuple[Picture, ...]


def local_views(model: ModelCohort, lens: Lens, level: float, drawn: int) -> tuple[Local, ...]:
    """All cases of the model: outliers first, the surest on top, then those that lack a region, then by score."""
    calls: dict[str, list[dict[str, object]]] = {}
    flags = {}
    if lens.outliers is not None:
        for f in lens.outliers.flagged(level):
            calls.setdefault(f["case"], []).append(f)
        flags = {f["case"]: f for f in lens.outliers.flags()}
    surest = list(calls)
    score = {c: _score(lens, c) for c in model.cases}

    def place(case: str) -> tuple[int, bool, float]:
        at = surest.index(case) if case in calls else len(surest)
        return at, case not in flags, -np.nan_to_num(score[case][0], nan=-np.inf)

    percentiles = _percentiles(lens.ratios.values)
    made = []
    for number, case in enumerate(sorted(model.cases, key=place), start=1):
        c = lens.mass.cases.index(case)
        flag = flags.get(case, {})
        z = None
        if lens.outliers is not None and not np.isnan(lens.outliers.z[c]).all():
            z = lens.outliers.z[c]
        made.append(
            Local(
                number=number,
                case=case,
                score=score[case][0],
                target=score[case][1],
                calls=tuple(calls.get(case, ())),
                missing=tuple(flag.get("missing", ())),
                unusual=tuple(flag.get("unusual", ())),
                known=_known(model.metadata, case),
                deviations=_deviations(lens, c, percentiles[c]),
                z=z,
                drawn=number <= drawn,
                pictures=model.pictures.get(case, ()),
            )
        )
    return tuple(made)


def _score(lens: Lens, case: str) -> tuple[float, str]:
    if lens.outliers is None:
        return float("nan"), ""
    own = lens.outliers.score[lens.outliers.cases.index(case)]
    if np.isnan(own).all():
        return float("nan"), ""
    t = int(np.nanargmax(own))
    return float(own[t]), lens.outliers.targets[t]


def _percentiles(values: Numbers) -> Numbers:
    """Share of cases below, ties by half: (cases, targets, regions), NaN for fewer than two cases."""
    n = (~np.isnan(values)).sum(0)
    out = np.full(values.shape, np.nan)
    for c in range(len(values)):
        with np.errstate(invalid="ignore"):
            below, equal = (values < values[c]).sum(0), (values == values[c]).sum(0)
        known = ~np.isnan(values[c]) & (n > 1)
        out[c] = np.where(known, 100 * (below + 0.5 * equal) / np.maximum(n, 1), np.nan)
    return out


def _deviations(lens: Lens, c: int, percentile: Numbers) -> tuple[Deviation, ...]:
    """By |z| where there is one, else by distance from the middle of the cohort; of a lone case its largest shares."""
    share, median = lens.mass.values[c], lens.shares.median
    z = np.full_like(share, np.nan) if lens.outliers is None else lens.outliers.z[c]
    if not np.isnan(z).all():
        by = np.abs(z)
    elif not np.isnan(percentile).all():
        by = np.abs(percentile - 50)
    else:
        by = share
    order = np.argsort(-np.nan_to_num(by, nan=-np.inf), axis=None, kind="stable")[:UNUSUAL]
    return tuple(
        Deviation(
            lens.mass.targets[t],
            lens.mass.regions[r],
            *(float(a[t, r]) for a in (share, median, z, percentile)),
        )
        for t, r in zip(*(a.tolist() for a in np.unravel_index(order, share.shape)), strict=True)
        if not np.isnan(by[t, r])
    )


def _known(metadata: Metadata | None, case: str) -> dict[str, str]:
    if metadata is None or case not in metadata.cases:
        return {}
    at = metadata.cases.index(case)
    told = {name: c.labels[at] for name, c in metadata.columns.items()}
    return {name: label for name, label in told.items() if label is not None}
