"""One method's sums over the regions of a case, by its network or by one with redrawn weights."""

from __future__ import annotations

from dataclasses import asdict
from time import perf_counter
from typing import TYPE_CHECKING, Any

from voxplain.aggregate.shells import Shells
from voxplain.aggregate.tables import region_table
from voxplain.errors import StorageError
from voxplain.metric.randomisation.redraw import Redrawn, layers
from voxplain.study.explaining.unit import refusal_of
from voxplain.study.planning.redrawn import draw_of
from voxplain.study.working.regions import NO_LABEL, asked_regions, partitions

if TYPE_CHECKING:
    from voxplain.engine import Problem
    from voxplain.study.planning.task import Task
    from voxplain.study.working.held import Held


def make_table(held: Held, task: Task, key: str) -> dict[str, Any]:
    """Sum the method's maps over all regions, and write the long table; no map is kept."""
    problem = _asked_of(held, task)
    method = held.plan.tables[task.who].method
    refused = refusal_of(method, problem)
    if isinstance(refused, MemoryError | StorageError):
        raise refused  # what holds now only is no property of the method
    if refused is not None:
        return held.finish(task, key, [], {"status": "refused", "note": str(refused)})
    edges, divided = asked_regions(held).shells, partitions(held, task, problem)
    if not divided and not edges:
        return held.finish(task, key, [], {"status": "refused", "note": NO_LABEL})
    started, before = perf_counter(), problem.passes.copy()
    table = region_table(
        problem,
        divided,
        method,
        shells=Shells(edges) if edges else None,
        label=f"{task.who}~{task.family}" if task.family else task.who,
    )
    path = table.write(held.places.of_regions(task))
    result = {
        "status": "ok",
        "note": "",
        "parameters": method.parameters(),
        "passes": asdict(problem.passes - before),
        "seconds": perf_counter() - started,
    }
    return held.finish(task, key, [path], result)


def _asked_of(held: Held, task: Task) -> Problem:
    """The problem; where the task is of a network with redrawn weights, put to one."""
    problem = held.problem(task)
    if not task.family:
        return problem
    number = draw_of(task.family, held.plan.case_ids[task.case])
    # targets and regions stay those of the network itself
    return Redrawn(problem, "permutation").at(frozenset(layers(problem)), number)
