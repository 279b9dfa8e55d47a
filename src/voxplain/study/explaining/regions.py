"""By which regions a case's maps are summed, and their sums."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from voxplain.aggregate.body import division, in_the_body
from voxplain.aggregate.partition import Partition, from_labels, predicted
from voxplain.errors import InputError
from voxplain.report.region_sums import region_tables
from voxplain.study.settings.region_source import LABEL, PREDICTED

if TYPE_CHECKING:
    from voxplain.attribution import Attribution
    from voxplain.engine import Problem
    from voxplain.study.settings.config import ExplainSettings
    from voxplain.study.settings.region_source import RegionSource


def regions_of(
    attribution: Attribution,
    method: str,
    rows: Sequence[dict[str, Any]],
    targets: Collection[int],
    settings: ExplainSettings,
) -> list[dict[str, Any]]:
    """Tables of regions of some targets' maps, as plain data; of one target whose map is not drawn there is none.

    Raises:
        VoxplainError: a label image that does not fit.
    """
    problem = attribution.problem
    names = [str(row["target"]) for row in rows]
    return region_tables(
        attribution, partitions(problem, settings), targets=targets, method=method, names=names
    )


def partitions(problem: Problem, settings: ExplainSettings) -> list[Partition]:
    """Divisions of the image, made once for all methods."""

    def make() -> list[Partition]:
        if not settings.regions:
            return [division(problem)]
        return [_division(problem, source) for source in settings.regions]

    return problem.once(("divisions of the page",), make)


def _division(problem: Problem, source: RegionSource) -> Partition:
    if source.source == PREDICTED:
        return in_the_body(problem, predicted(problem))
    file = source.file_of(problem.case.id, None)
    if source.source == LABEL:
        label = problem.case.label
        if label is None:
            raise InputError("regions: found label, but the case has none; give --label FILE")
        names = source.labels or (
            dict(enumerate(problem.model.classes)) if problem.prediction.positive is None else {}
        )
        named = from_labels(problem, label, name=source.told, regions=names)
    else:
        named = from_labels(problem, file, name=source.told, regions=source.labels or None)
    return in_the_body(problem, named)
