"""One method's maps of all targets of a case: made, or read where they are made already, and shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxplain.aggregate.body import division
from voxplain.attribution.attribution_file import read_attribution, stored_facts, write_attribution
from voxplain.case import write_array
from voxplain.case.atomic import write_whole
from voxplain.errors import StorageError, VoxplainError
from voxplain.metric.candidate import meaning_of
from voxplain.report import scenes, tile
from voxplain.report.region_sums import region_tables
from voxplain.study.explaining.prediction import class_mask
from voxplain.study.explaining.unit import refusal_of, shown_of

if TYPE_CHECKING:
    from voxplain.attribution import Attribution
    from voxplain.engine import Problem
    from voxplain.study.planning.task import Task
    from voxplain.study.working.held import Held

SUMMED = 12  # targets per case whose maps are summed over regions for the page, the largest first


def make_maps(held: Held, task: Task, key: str, map_key: str) -> dict[str, Any]:
    """Make the maps, write them on the network's grid and on the case's, draw a small picture of some.

    Args:
        key: of everything that is written.
        map_key: of the maps alone: where they lie there already, they are not made again.
    """
    problem = held.problem(task)
    refused = refusal_of(held.method(task.who), problem)
    if isinstance(refused, MemoryError | StorageError):
        raise refused  # what holds now only is no property of the method
    if refused is not None:
        return held.finish(task, key, [], {"status": "refused", "note": str(refused)})
    working = held.places.working(task, task.who)
    notes: dict[str, str] = {}
    attribution = _made(held, task, problem, working, map_key)
    batch, usual = problem.runner.batch, held.asked(task)["batch"]
    if batch < usual:
        notes["batch"] = (
            f"memory ran out: made with batches of {batch} instead of {usual}, so equal up to rounding only"
        )
    # where it may be dropped later, it is no part of what must be there
    files = [working] if held.plan.settings.maps.working == "keep" else []
    pictures: dict[str, str] = {}
    drawn = _to_draw(problem, held.plan.settings.maps.pictures)
    rows = [{**row, "method": task.who} for row in attribution.rows()]
    for index, answer in enumerate(attribution.answers):
        name = answer.target.name
        if answer.status not in ("ok", "zero"):
            continue
        if not held.plan.settings.maps.save and index not in drawn:
            continue
        values = attribution.map(index)
        if held.plan.settings.maps.save:
            path = held.places.map(task, name, problem.case)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_array(path, values, problem.case.geometry)
            files.append(path)
        if index in drawn and answer.status == "ok":
            try:
                picture = write_whole(
                    held.places.picture(task, name), _picture(held, task, attribution, index, values)
                )
            except VoxplainError as error:
                notes[name] = f"no picture: {error}"
            else:
                files.append(picture)
                pictures[name] = held.relative(picture)
    result = {
        "status": "ok",
        "note": notes.get("batch", ""),
        "map": map_key,
        "rows": rows,
        "pictures": pictures,
        "notes": notes,
        "parameters": attribution.parameters,
        "unit": attribution.unit,
        "meaning": meaning_of(attribution),
        "regions": _regions(held, task, attribution, rows),
        "passes": asdict(attribution.passes),
        "seconds": attribution.seconds,
        "peak_mb": round(attribution.peak_bytes / 2**20, 1),
    }
    return held.finish(task, key, files, result)


def _regions(
    held: Held, task: Task, attribution: Attribution, rows: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Where the maps of the largest targets lie, by the predicted segments or fields of the image."""
    if held.method(task.who).answer == "image":
        return []
    problem = attribution.problem
    return region_tables(
        attribution,
        [division(problem)],
        targets=_to_draw(problem, SUMMED),
        method=task.who,
        names=[str(row["target"]) for row in rows],
    )


def _made(held: Held, task: Task, problem: Problem, working: Path, map_key: str) -> Attribution:
    """The maps, from their file where it has them."""
    method = held.method(task.who)
    if stored_facts(working).get("key") == map_key:
        return read_attribution(working, problem, method)
    attribution = method.attribute(problem)
    working.parent.mkdir(parents=True, exist_ok=True)
    write_attribution(working, attribution, facts={"key": map_key})
    return attribution


def _to_draw(problem: Problem, limit: int) -> set[int]:
    """The targets with the largest regions, as many as are asked for."""

    def size(index: int) -> int:
        region = problem.targets[index].region
        return region.count if region is not None else 0

    return set(sorted(problem.present, key=lambda i: (-size(i), i))[:limit])


def _picture(held: Held, task: Task, attribution: Attribution, index: int, values: Any) -> bytes:
    problem, target = attribution.problem, attribution.answers[index].target
    case = problem.case
    image, values = shown_of(values, held.method(task.who), problem)
    scene = scenes(
        image,
        values,
        geometry=case.geometry,
        prediction=class_mask(problem, target.class_index),
        names={1: target.class_name},
        title=f"{task.who}: {target.name}",
        unit=attribution.unit,
        spatial_dims=case.spatial_dims,
    )
    return tile(scene[0])
