"""How unlike the other cases a case is: from sums over regions where the study has them, else from its figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from voxplain.aggregate.cohort.robust import median, scale
from voxplain.errors import VoxplainError

if TYPE_CHECKING:
    from pathlib import Path

    from voxplain.viewing.folder import Figures, Folder, Item

LEAST = 8  # cases; fewer have no middle to be far from
MOST = 10.0  # standard deviations; farther is as far
STATISTIC = "absolute"


@dataclass
class Outlying:
    """Scores of items, by number.

    Attributes:
        told: what the scores are, for the page.
        farthest: in what the item is farthest from the middle.
    """

    told: str
    scores: dict[int, float] = field(default_factory=dict)
    farthest: dict[int, str] = field(default_factory=dict)


def outlying(folder: Folder, figures: Mapping[int, Figures]) -> Outlying:
    """Scores among the cases of the same model."""
    table = folder.region_table()
    found = _of_regions(folder, table) if table is not None else None
    return found if found is not None else _of_figures(folder, figures)


def _of_regions(folder: Folder, table: Path) -> Outlying | None:
    """By the composition of the sums over regions; none where no model has enough cases or statistics."""
    from voxplain.aggregate.cohort import Cohort, compose, outliers
    from voxplain.aggregate.cohort.inventory import redrawn_of

    out = Outlying(
        "Of the sums over regions: the farthest target's distance from the typical composition, in standard deviations "
        "of all cases' distances."
    )
    try:
        cohort = Cohort.read(table)
        rows = cohort.query(
            f"SELECT DISTINCT model, method, partition FROM tables WHERE statistic = '{STATISTIC}' ORDER BY ALL"
        )
    except VoxplainError:
        return None
    of = {(item.model, item.case): item.number for item in folder.items}
    for row in rows:
        if redrawn_of(row["method"]):  # of networks that know nothing: what is unlike there is not the case
            continue
        try:
            matrix = cohort.matrix(
                STATISTIC, model=row["model"], method=row["method"], partition=row["partition"]
            )
            found = outliers(compose(matrix), matrix)
        except VoxplainError:
            continue  # a statistic that is not there for all of them
        for c, t in np.argwhere(np.isfinite(found.score)):
            number, score = of.get((row["model"], found.cases[c])), float(found.score[c, t])
            if number is not None and score > out.scores.get(number, -np.inf):
                out.scores[number] = score
                out.farthest[number] = f"{found.targets[t]} by {row['method']} over {row['partition']}"
    return out if out.scores else None


def _of_figures(folder: Folder, figures: Mapping[int, Figures]) -> Outlying:
    """By the root mean square of robust z of all figures and scores."""
    out = Outlying(
        "Of the metrics and scores: the root mean square of each one's distance from the median of all cases, in robust "
        f"standard deviations (Qn, {MOST:g} at most)."
    )
    for model in dict.fromkeys(item.model for item in folder.items):
        _of_model([item for item in folder.items if item.model == model], figures, out)
    if not out.scores:
        out.told = f"Not told: {LEAST} cases with figures are needed to say what is unusual."
    return out


def _of_model(items: list[Item], figures: Mapping[int, Figures], out: Outlying) -> None:
    columns = [{**_named(figures[item.number])} for item in items]
    names = list(dict.fromkeys(name for column in columns for name in column))
    if not names:
        return
    values = np.array([[column.get(name, np.nan) for name in names] for column in columns])
    enough = np.isfinite(values).sum(0) >= LEAST
    values, names = values[:, enough], [n for n, e in zip(names, enough, strict=True) if e]
    spread = scale(values) if names else np.zeros(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.abs(values - median(values)) / np.where(spread > 0, spread, np.nan)
    z = np.minimum(z, MOST)
    for item, row in zip(items, z, strict=True):
        there = np.isfinite(row)
        if there.any():
            out.scores[item.number] = float(np.sqrt(np.mean(row[there] ** 2)))
            out.farthest[item.number] = names[int(np.nanargmax(row))]


def _named(found: Figures) -> dict[str, float]:
    cells = {f"{metric} of {method}, {target}": v for (metric, method, target), v in found.cells.items()}
    return {**cells, **{f"score of {target}": v for target, v in found.scores.items()}}
