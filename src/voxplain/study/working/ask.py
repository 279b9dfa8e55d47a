"""The first tasks: load a model and say what it is; predict a case, resolve its targets, tell what the rest will cost."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from voxplain.case import write_array
from voxplain.case.atomic import write_whole
from voxplain.engine import Passes, Problem
from voxplain.engine.prediction_file import write_prediction
from voxplain.errors import VoxplainError
from voxplain.metric import Candidate
from voxplain.metric.identity import image_print, network_print
from voxplain.metric.nulls import null_candidates
from voxplain.study.explaining.prediction import (
    asked_of,
    file_notes,
    image_facts,
    output_of,
    resampled,
    rows_of,
)
from voxplain.study.explaining.unit import refusal_of
from voxplain.study.ledger.fingerprint import of_model
from voxplain.study.provenance import of_images, of_model as provenance_of_model
from voxplain.study.working.batch import steady_batch
from voxplain.study.working.games import game_cost
from voxplain.study.working.planned import planned
from voxplain.study.working.regions import asked_regions, dice, division, has_division

if TYPE_CHECKING:
    from voxplain.metric import Metric
    from voxplain.model import Model
    from voxplain.study.planning.task import Task
    from voxplain.study.working.held import Held
    from voxplain.target import Resolved

TOO_LONG = 30.0  # seconds that telling the metrics' costs may take; the rest is then not told


def describe_model(held: Held, task: Task) -> dict[str, Any]:
    """Load a model: the hash of all that its answers depend on, and facts for the page.

    Raises:
        VoxplainError: it cannot be loaded.
    """
    model = held.model(task.model)
    for target in held.targets(model, 0):
        # a class that the model does not have is found before any case is asked
        if not isinstance(target, str) and (name := getattr(target, "class_name", None)) is not None:
            model.class_index(name)
    settings = held.plan.settings.models[task.model]
    return {
        "key": of_model(model, settings.source),
        "given": settings.given,
        "classes": list(model.classes),
        "identity": provenance_of_model(settings, model),
        "facts": {
            "network": type(model.module).__name__,
            "parameters": sum(p.numel() for p in model.module.parameters()),
            "axes": model.spatial_dims,
            "task": model.known_task or "",
            "classes": len(model.classes),
            "device": str(model.device),
        },
        "warnings": held.warned_of_model,
    }


def ask(held: Held, task: Task, key: str, question: str, *, tell: bool) -> dict[str, Any]:
    """Predict, resolve the targets, find their scores; write the prediction, and tell what everything else will cost.

    Args:
        key: of all of it.
        question: of the prediction, the targets and their scores alone; where they lie there already, they stay.
        tell: whether to find out the costs, which takes seconds: one case of a model tells for all.
    """
    asked = _asked(held, task, question)
    problem = asked.problem
    files, predicted = [held.places.prediction(task)], []
    if held.plan.settings.maps.save:
        files.append(_write_shown(held, task, problem))
    if problem.layout is not None:
        found = problem.prediction
        layers = found.positive if found.positive is not None else found.labels[None]
        labels = problem.prepared.restore(layers.float(), mode="nearest").astype("int16")
        predicted = [asdict(p) for p in rows_of(problem, labels)]
    result = {
        "status": "ok",
        "question": question,
        "batch": asked.batch,
        "pace": asked.pace,
        "passes": asked.passes,
        "scores": [None if math.isnan(s) else s for s in asked.scores.tolist()],
        "targets": [_target(t) for t in problem.targets],
        "image": image_print(problem),
        "network": network_print(problem),
        "facts": image_facts(problem),
        "predicted": predicted,
        **_for_the_page(held, task, problem),
        "dice": dice(problem),
        "notes": [*file_notes(problem.case), *(f"{problem.case.id}: {r}" for r in problem.remarks())],
        "unable": (unable := _unable(held, problem)),
        **(_costs(held, task, problem.afresh(clean=asked.scores), unable) if tell else {}),
    }
    return held.finish(task, key, files, result)


def _for_the_page(held: Held, task: Task, problem: Problem) -> dict[str, Any]:
    """What the page says of a case beside its results."""
    case = held.plan.settings.cases[task.case]
    return {
        "files": of_images(case.image, problem.case, case.series),
        "output": output_of(problem),
        "kind": problem.model.output,
        "disagreement": problem.prediction.disagreement,
        "asked": [asked_of(t, problem) for t in problem.targets],
        "windows": 0 if problem.layout is None else len(problem.layout),
        "resampled": resampled(problem),
    }


@dataclass(frozen=True)
class _Asked:
    problem: Problem
    scores: Tensor
    batch: int
    pace: float
    passes: dict[str, int]


def _asked(held: Held, task: Task, question: str) -> _Asked:
    before, working = held.ledger.last(task.name), held.places.prediction(task)
    if before.get("question") == question and working.is_file():
        problem = held.problem(task)
        return _Asked(problem, problem.clean_scores(), before["batch"], before["pace"], before["passes"])
    model, settings = held.model(task.model), held.plan.settings
    given = 1 if held.one_by_one else settings.models[task.model].batch
    case, targets = held.case(task.case), held.targets(model, task.case)
    problem = Problem(model, case, targets, seed=settings.seed, batch=given, progress=held.progress)
    batch = problem.runner.batch = given or steady_batch(problem)
    started, before_scores = time.perf_counter(), problem.passes.forward
    scores = problem.clean_scores()
    pace = (time.perf_counter() - started) / max(problem.passes.forward - before_scores, 1)
    working.parent.mkdir(parents=True, exist_ok=True)
    write_prediction(working, problem.prediction)
    return _Asked(problem, scores, batch, pace, asdict(problem.passes))


def _target(target: Resolved) -> dict[str, Any]:
    return {
        "name": target.name,
        "class": target.class_name,
        "kind": target.kind,
        "score": target.score,
        "status": target.status,
        "note": target.note,
        "voxels": target.region.count if target.region is not None else None,
    }


def _write_shown(held: Held, task: Task, problem: Problem) -> Any:
    """The prediction for people: classes per voxel, or a classifier's outputs."""
    found, case = problem.prediction, problem.case
    if problem.layout is None:
        assert found.output is not None
        path = held.places.labels(task, case).with_suffix(".csv")
        rows = "\n".join(
            f"{n},{v:.9g}" for n, v in zip(_output_names(problem.model), found.output.tolist(), strict=True)
        )
        return write_whole(path, f"class,output\n{rows}\n".encode())
    layers = found.positive if found.positive is not None else found.labels[None]
    labels = problem.prepared.restore(layers.float(), mode="nearest").astype(np.int16)
    path = held.places.labels(task, case)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_array(path, labels if len(labels) > 1 else labels[0], case.geometry)
    return path


def _output_names(model: Model) -> list[str]:
    return list(model.classes) if model.channels_out == len(model.classes) else [model.classes[-1]]


def _unable(held: Held, problem: Problem) -> dict[str, str]:
    """Metrics that cannot be taken of this case, and why."""
    found = {}
    for name, asked in held.plan.metrics.items():
        try:
            asked.metric.check(problem)
        except VoxplainError as error:
            found[name] = str(error)
    return found


def _costs(held: Held, task: Task, problem: Problem, unable: Mapping[str, str]) -> dict[str, Any]:
    """Passes of every method and of every metric.

    Of a metric: those of the maps that know nothing, or of all maps where they share them, and of each method's own.
    """
    able, methods = [], {}
    for name, asked in held.plan.methods.items():
        fresh = problem.afresh(clean=problem.clean_scores())
        if problem.present and refusal_of(asked.method, fresh) is None:
            cost = asked.method.cost(fresh)
            methods[name] = asdict(cost)
            able.append(planned(name, asked.method, cost, problem))
    regions = _region_costs(held, task, problem)
    limit = time.perf_counter() + TOO_LONG
    metrics: dict[str, Any] = {}
    for name, asked_metric in held.plan.metrics.items():
        if name not in unable and able and time.perf_counter() < limit:
            metrics[name] = _metric_costs(held, problem, asked_metric.metric, able)
    return {"methods": methods, "metrics": metrics, **regions}


def _region_costs(held: Held, task: Task, problem: Problem) -> dict[str, Any]:
    """Passes of every region table and game."""
    tables, games = {}, {}
    for name, asked in held.plan.tables.items():
        fresh = problem.afresh(clean=problem.clean_scores())
        if problem.present and refusal_of(asked.method, fresh) is None:
            tables[name] = asdict(asked.method.cost(fresh))
    for name, game in held.plan.games.items() if problem.present else ():
        source = asked_regions(held).division_of(game)
        if has_division(held, task, source):
            with suppress(VoxplainError):  # what cannot be told is found out when it is done
                games[name] = asdict(game_cost(game, problem, division(held, task, problem, source)))
    return {"tables": tables, "games": games}


def _metric_costs(
    held: Held, problem: Problem, metric: Metric, able: list[Candidate]
) -> dict[str, Any] | None:
    clean = problem.clean_scores()
    try:
        nulls = null_candidates(problem, metric, held.plan.settings.nulls)
        if not metric.apart:
            return {"all": _cost(metric, problem.afresh(clean=clean), [*able, *nulls])}
        each = {c.name: _cost(metric, problem.afresh(clean=clean), [c]) for c in able}
        return {"nulls": _cost(metric, problem.afresh(clean=clean), nulls), **each}
    except VoxplainError:
        return None  # what cannot be told is found out when it is done


def _cost(metric: Metric, problem: Problem, candidates: list[Candidate]) -> dict[str, int]:
    found: Passes = metric.cost(problem, candidates)
    return asdict(found)


__all__ = ["ask", "describe_model"]
