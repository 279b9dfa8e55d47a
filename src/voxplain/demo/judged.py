"""Whether to believe the demo's maps: a few quick metrics, and where the maps lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxplain.demo.run import Part
    from voxplain.report.regions import Regions


def judge(part: Part) -> list[dict[str, Any]]:
    """The long table of the quick metrics, for all maps of a subject."""
    from voxplain.metric import evaluate
    from voxplain.study.make import make_metrics
    from voxplain.study.settings.quick_metrics import quick_specs

    asked = make_metrics(quick_specs())
    return list(evaluate(part.problem, part.attributions, [a.metric for a in asked]).rows())


def regions(part: Part) -> tuple[Regions, ...]:
    """Of every method and target the regions of the prediction in which its map lies."""
    from voxplain.aggregate.body import division
    from voxplain.report.region_sums import region_tables
    from voxplain.report.regions import from_plain

    divisions = [division(part.problem)]
    names = [part.called(t.name) for t in part.problem.targets]
    return tuple(
        from_plain(table)
        for method, attribution in part.attributions.items()
        for table in region_tables(
            attribution, divisions, targets=range(len(names)), method=method, names=names
        )
    )
