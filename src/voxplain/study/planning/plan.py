"""All tasks of a study, in the order in which they are best done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from voxplain.study.explaining.unit import unit_names
from voxplain.study.make import Asked, AskedMetric, make_methods, make_metrics
from voxplain.study.planning.redrawn import families
from voxplain.study.planning.task import ALL_MAPS, NULLS, Task
from voxplain.study.settings.names import case_id
from voxplain.target.scene import slug

if TYPE_CHECKING:
    from voxplain.study.settings.region_config import GameSettings
    from voxplain.study.settings.study_config import StudySettings

SHARED = "shared"


@dataclass(frozen=True)
class Plan:
    """A study spelled out.

    Attributes:
        settings: what was asked.
        methods: name -> method, numbered where one is asked for twice.
        metrics: name -> metric.
        case_ids: of the cases, in order.
        tasks: all of them, every one after those that it needs.
        tables: name -> method that is summed over regions.
        games: name -> how regions are taken away.
    """

    settings: StudySettings
    methods: dict[str, Asked]
    metrics: dict[str, AskedMetric]
    case_ids: tuple[str, ...]
    tasks: tuple[Task, ...]
    tables: dict[str, Asked] = field(default_factory=dict)
    games: dict[str, GameSettings] = field(default_factory=dict)

    @cached_property
    def by_name(self) -> dict[str, Task]:
        return {task.name: task for task in self.tasks}

    def folder(self, task: Task) -> str:
        """``<model>/<case>`` of a task's group, safe as a path."""
        return folder_of(task.model, self.case_ids[task.case])

    def metrics_of(self, task: Task) -> dict[str, AskedMetric]:
        """The metrics of a judging task."""
        return {n: m for n, m in self.metrics.items() if _family(m) == task.family}


def folder_of(model: str, case_id: str) -> str:
    """Where the results of a model on a case lie."""
    return f"{slug(model)}/{slug(case_id)}"


def plan(settings: StudySettings) -> Plan:
    """The tasks of a study, whose settings have seen to it that names are different as file names, too."""
    asked = make_methods(settings.methods)
    methods = dict(zip(unit_names([a.method for a in asked]), asked, strict=True))
    metrics = {a.metric.name: a for a in make_metrics(settings.metrics)}
    regions = settings.regions
    summed = make_methods(regions.tables) if regions else []
    tables = dict(zip(unit_names([a.method for a in summed]), summed, strict=True))
    games = {game.told: game for game in regions.games} if regions else {}
    ids = tuple(case_id(case) for case in settings.cases)
    tasks = [Task(_model_name(model), "model", model) for model in settings.models]
    for model in settings.models:
        for case in range(len(ids)):
            tasks += _group(model, case, ids[case], list(methods), metrics)
            if regions is not None:
                drawn = families(regions.redrawn, len(ids))
                tasks += _of_regions(model, case, ids[case], list(tables), list(games), drawn)
    return Plan(settings, methods, metrics, ids, tuple(tasks), tables, games)


def _group(
    model: str, case: int, case_id: str, methods: Sequence[str], metrics: dict[str, AskedMetric]
) -> Iterator[Task]:
    place = folder_of(model, case_id)
    ask = Task(f"{place}/ask", "ask", model, case, needs=(_model_name(model),))
    maps = {
        name: Task(f"{place}/map-{name}", "map", model, case, name, needs=(ask.name,)) for name in methods
    }
    yield ask
    yield from maps.values()
    if not maps:
        return
    # the likeness of all maps to each other is always found, whatever the metrics
    for family in dict.fromkeys([SHARED, *map(_family, metrics.values())]):
        who = {ALL_MAPS: tuple(task.name for task in maps.values())}
        if family != SHARED:
            who = {NULLS: (), **{name: (task.name,) for name, task in maps.items()}}
        for name, needs in who.items():
            yield Task(
                f"{place}/judge-{family}-{name}", "judge", model, case, name, family, (ask.name, *needs)
            )


def _of_regions(
    model: str, case: int, case_id: str, tables: Sequence[str], games: Sequence[str], drawn: Sequence[str]
) -> Iterator[Task]:
    place = folder_of(model, case_id)
    needs = (f"{place}/ask",)
    for name in tables:
        for family in ("", *drawn):
            ending = f"-{family}" if family else ""
            yield Task(f"{place}/table-{name}{ending}", "table", model, case, name, family, needs)
    for name in games:
        yield Task(f"{place}/game-{name}", "game", model, case, name, "", needs)


def _family(asked: AskedMetric) -> str:
    """Metrics that are judged in one task: those of a family whose passes are each map's own, and all others."""
    return asked.metric.family if asked.metric.apart else SHARED


def _model_name(model: str) -> str:
    return f"{slug(model)}/model"
