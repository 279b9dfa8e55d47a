"""Metrics of one family, of one method's maps, of the maps that know nothing, or of all maps at once."""

from __future__ import annotations

import json
import math
import time
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxplain.attribution.attribution_file import read_attribution
from voxplain.case.atomic import write_whole
from voxplain.engine import Passes
from voxplain.engine.process_memory import ran_out
from voxplain.errors import StorageError, VoxplainError
from voxplain.metric import Candidate, judged
from voxplain.metric.agreement.matrix import likenesses
from voxplain.metric.nulls import null_candidates
from voxplain.study.planning.task import AGREEMENT, ALL_MAPS, NULLS

if TYPE_CHECKING:
    from voxplain.engine import Problem
    from voxplain.metric.metric import Figures
    from voxplain.study.planning.task import Task
    from voxplain.study.working.held import Held

Found = dict[str, Any]
SHARE = 0.05  # of the voxels that the overlap of the largest looks at


def judge(held: Held, task: Task, key: str, metric_keys: Mapping[str, str]) -> dict[str, Any]:
    """Judge by every metric whose figures are not there under the same key; one that fails leaves the others.

    Args:
        key: of all of them.
        metric_keys: metric -> its key; metrics that the case does not allow are left out.
    """
    path = held.places.figures(task)
    before = known(path)
    found: Found = {n: before[n] for n, k in metric_keys.items() if before.get(n, {}).get("key") == k}
    todo = [n for n in metric_keys if n not in found]
    problem = held.problem(task)
    maps = _maps(held, task, problem)
    for name in todo:
        held.progress(name, len(found), len(metric_keys))
        made = (
            _agreement(held, problem, maps) if name == AGREEMENT else _judged(held, task, problem, name, maps)
        )
        found[name] = {"key": metric_keys[name], **made}
        _write(path, found)  # what is found is not lost if a later metric ends the process
    failed = {n: f["error"] for n, f in found.items() if f.get("error")}
    result = {
        "status": "failed" if failed else "ok",
        "note": "; ".join(f"{n}: {why}" for n, why in failed.items()),
        "metrics": {n: {"seconds": f["seconds"], "passes": f["passes"]} for n, f in found.items()},
        "passes": {k: sum(f["passes"][k] for f in found.values()) for k in ("forward", "backward")},
        "seconds": sum(f["seconds"] for f in found.values()),
    }
    if failed:
        for name in failed:
            print(f"{task.name}: {name}\n{found[name]['trace']}", flush=True)
        kept = {n: f for n, f in found.items() if n not in failed}
        _write(path, kept)
        return held.fail(task, result)
    return held.finish(task, key, [path], result)


def known(path: Path) -> Found:
    """Figures that were found before; none where there is no such file, or it is not whole."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _write(path: Path, found: Found) -> None:
    write_whole(path, json.dumps(found, ensure_ascii=False).encode())


def _maps(held: Held, task: Task, problem: Problem) -> list[Candidate]:
    if task.who == NULLS:
        return []
    names = [task.who]
    if task.who == ALL_MAPS:
        done = (
            n
            for n in held.plan.methods
            if held.ledger.last(held.places.map_unit(task, n)).get("status") == "ok"
        )
        names = list(done)
    return [
        judged(read_attribution(held.places.working(task, name), problem, held.method(name)), name)
        for name in names
    ]


def _agreement(held: Held, problem: Problem, maps: Sequence[Candidate]) -> Found:
    """How alike all maps are to each other: (M, M) per target."""
    start, kind = time.perf_counter(), held.plan.settings.compare.agreement
    found = {
        str(t): [
            [None if math.isnan(v) else v for v in row] for row in likenesses(maps, t, kind, SHARE).tolist()
        ]
        for t in problem.present
    }
    return {
        "names": [c.name for c in maps],
        "matrix": found,
        "passes": asdict(Passes()),
        "seconds": time.perf_counter() - start,
    }


def _judged(held: Held, task: Task, problem: Problem, name: str, maps: Sequence[Candidate]) -> Found:
    """One metric's figures by candidate and target; or why there are none."""
    metric = held.metric(name)
    before, start = problem.passes.copy(), time.perf_counter()
    nulls: list[Candidate] = []
    error = trace = ""
    figures: Figures = {}
    try:
        if task.who in (NULLS, ALL_MAPS):
            nulls = null_candidates(problem, metric, held.plan.settings.nulls)
        figures = metric.compute(problem, [*maps, *nulls])
    except StorageError:
        raise
    except Exception as problem_found:
        if ran_out(problem_found) or isinstance(problem_found, MemoryError):
            raise
        told = isinstance(problem_found, VoxplainError)
        text = " ".join(str(problem_found).split())
        error = text if told else f"unexpected {type(problem_found).__name__}: {text}"
        trace = traceback.format_exc()
    return {
        "maps": _by_name(maps, figures, 0),
        "nulls": _by_name(nulls, figures, len(maps)),
        "meaning": {c.name: c.meaning for c in maps},
        "parameters": metric.told_parameters,
        "random": held.plan.settings.nulls,
        "passes": asdict(problem.passes - before),
        "seconds": time.perf_counter() - start,
        **({"error": error, "trace": trace} if error else {}),
    }


def _by_name(candidates: Sequence[Candidate], figures: Figures, first: int) -> dict[str, dict[str, Any]]:
    """Candidate -> target's position -> figure."""
    return {
        c.name: {str(t): f.plain() for (p, t), f in figures.items() if p == first + i}
        for i, c in enumerate(candidates)
    }
