"""Regions of a case that are taken away, alone and together."""

from __future__ import annotations

from dataclasses import asdict
from time import perf_counter
from typing import TYPE_CHECKING, Any

from voxplain.aggregate.games import owen_game, owen_game_cost, region_game, region_game_cost
from voxplain.aggregate.long_table import TYPES
from voxplain.study.results.tables import write_parquet
from voxplain.study.working.regions import NO_LABEL, asked_regions, division, has_division

if TYPE_CHECKING:
    from voxplain.aggregate.partition import Partition
    from voxplain.engine import Passes, Problem
    from voxplain.study.planning.task import Task
    from voxplain.study.settings.region_config import GameSettings
    from voxplain.study.working.held import Held


def play_game(held: Held, task: Task, key: str) -> dict[str, Any]:
    """Ask what every region is worth, and write it as a long table."""
    asked = held.plan.games[task.who]
    source = asked_regions(held).division_of(asked)
    if not has_division(held, task, source):
        return held.finish(task, key, [], {"status": "refused", "note": NO_LABEL})
    problem = held.problem(task)
    partition = division(held, task, problem, source)
    started = perf_counter()
    game = region_game(problem, partition, baseline=asked.baseline, values=asked.values, budget=asked.budget)
    rows = game.rows()
    if asked.parts is not None:
        owen = owen_game(
            problem, partition, supervoxels=asked.parts, baseline=asked.baseline, budget=asked.budget
        )
        rows += owen.rows()
    path = write_parquet(held.places.of_regions(task), rows, TYPES)
    result = {
        "status": "ok",
        "note": "",
        "baseline": game.baseline,
        "warning": game.plausibility.warning,
        "implausible": list(game.plausibility.implausible),
        "exact": [bool(e) for e in game.exact],
        "full": game.full.tolist(),
        "empty": game.empty.tolist(),
        "passes": asdict(problem.passes),
        "seconds": perf_counter() - started,
    }
    return held.finish(task, key, [path], result)


def game_cost(asked: GameSettings, problem: Problem, partition: Partition) -> Passes:
    """Passes that `play_game` will take."""
    cost = region_game_cost(
        problem, partition, baseline=asked.baseline, values=asked.values, budget=asked.budget
    )
    if asked.parts is not None:
        cost += owen_game_cost(
            problem, partition, supervoxels=asked.parts, baseline=asked.baseline, budget=asked.budget
        )
    return cost
