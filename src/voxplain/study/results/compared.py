"""From the long tables of a model's cases to what the page shows of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from voxplain.metric import Rules, Verdict, compare, verdicts
from voxplain.report import Picture
from voxplain.report.study import (
    AgreementMatrix,
    Curve,
    CurveSet,
    MetricResult,
    ModelComparison,
    TaskRow,
    Tile,
    TileRow,
    metric_result,
)
from voxplain.study.planning.task import ALL_MAPS, NULLS
from voxplain.study.results.told import case_regions, predictions, trusted

if TYPE_CHECKING:
    from voxplain.study.planning.plan import Plan
    from voxplain.study.results.rows import Judged
    from voxplain.study.running.board import Board

TILE_ROWS = 4
CURVES = ("deletion", "insertion")
KINDS: dict[str, Literal["map", "metric", "regions"]] = {"map": "map", "table": "regions", "game": "regions"}
STAGES = ("mprt_absolute", "mprt", "mprt_ssim")


def compared(board: Board, model: str, found: Sequence[Judged]) -> ModelComparison:
    """One model's part of the page."""
    rows = [row for one in found for row in one.rows]
    told = verdicts_of(board.plan, rows)
    tiles = tuple(_tiles(board, found))
    regions, unusual, tables = case_regions(found, [(row.case, row.target) for row in tiles])
    return ModelComparison(
        name=model,
        predictions=predictions(board, model, found),
        regions=regions,
        unusual=unusual,
        trust=trusted(board.plan, found, tables, told, rules_of(board.plan)),
        verdicts=(*told, *_without_maps(board.plan, found, {v.method for v in told})),
        metrics=tuple(metric_results(board.plan, rows)),
        agreement=_agreement(board.plan, found),
        randomisation=_stages(board.plan, found),
        curves=tuple(_curve_sets(board.plan, found)),
        tiles=tiles,
        tasks=tuple(_tasks(board, model)),
        facts=board.models.get(model, {}).get("facts", {}),
    )


def verdicts_of(plan: Plan, rows: Sequence[dict[str, Any]]) -> list[Verdict]:
    """A plain word on every method."""
    return verdicts(rows, rules_of(plan)) if rows else []


def rules_of(plan: Plan) -> Rules:
    """By which verdicts are made."""
    how = plan.settings.compare
    return Rules(alpha=how.alpha, least_cases=how.least_cases, randomised=how.randomised)


def _without_maps(plan: Plan, found: Sequence[Judged], told: set[str]) -> Iterable[Verdict]:
    """A word on methods of which nothing was judged, too."""
    for name in plan.methods:
        if name not in told:
            why = next((one.without[name] for one in found if name in one.without), "nothing was judged")
            yield Verdict(name, "cannot tell", f"cannot tell: no maps ({why})", 0, (), "nothing")


def metric_results(plan: Plan, rows: Sequence[dict[str, Any]]) -> Iterable[MetricResult]:
    """Every metric that has a figure anywhere."""
    how = plan.settings.compare
    for name, asked in plan.metrics.items():
        if any(r["metric"] == name and math.isfinite(r["value"]) for r in rows):
            metric = asked.metric
            yield metric_result(
                rows,
                compare(rows, name, test=how.test, alpha=how.alpha, seed=plan.settings.seed),
                title=metric.title,
                reads=metric.reads,
                source=metric.source,
                parameters=metric.parameters(),
            )


def _agreement(plan: Plan, found: Sequence[Judged]) -> AgreementMatrix | None:
    """Mean over targets within a case, then over cases."""
    names = [n for n in plan.methods if any(n in one.names for one in found)]
    if len(names) < 2:
        return None
    layers = []
    for one in found:
        if one.matrices:
            layer = np.full((len(names), len(names)), np.nan)
            there = [i for i, n in enumerate(one.names) if n in names]
            at = [names.index(one.names[i]) for i in there]
            whole = np.array(one.matrices, dtype=np.float64)
            layer[np.ix_(at, at)] = _mean(whole[:, there][:, :, there])
            layers.append(layer)
    if not layers:
        return None
    return AgreementMatrix(tuple(names), plan.settings.compare.agreement, _mean(np.stack(layers)))


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the first axis, of what is there; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(0)
    return np.where(count > 0, np.where(known, values, 0.0).sum(0) / np.maximum(count, 1), np.nan)


def _stages(plan: Plan, found: Sequence[Judged]) -> CurveSet | None:
    name = next((n for n in STAGES if any(n in one.curves for one in found)), None)
    if name is None:
        return None
    curves = _curves(plan, found, name, ("gradient", "edges"))
    points = tuple(str(i + 1) for i in range(max((len(c.values) for c in curves), default=0)))
    return CurveSet(
        title=plan.metrics[name].metric.title,
        points=points,
        x="layers redrawn, from the output backwards",
        y="likeness to the map",
        curves=curves,
        reads=plan.metrics[name].metric.reads,
    )


def _curve_sets(plan: Plan, found: Sequence[Judged]) -> Iterable[CurveSet]:
    for name in CURVES:
        if not any(name in one.curves for one in found):
            continue
        metric = plan.metrics[name].metric
        curves = _curves(plan, found, name, ("random-1", "edges", "zero"))
        count = max(len(c.values) for c in curves)
        yield CurveSet(
            title=metric.title,
            points=tuple(_share(metric, i, count) for i in range(count)),
            x="share of the image that is gone" if name == "deletion" else "share of the image that is there",
            y="score, from emptied image (0) to the image (1)",
            curves=curves,
            reads=metric.reads,
        )


def _share(metric: Any, position: int, count: int) -> str:
    """The share of the image at one of ``count`` points, of which the first is none."""
    shares = [0.0, *(c / 10**6 for c in metric.read_at.counts(10**6))]
    if len(shares) != count:
        return str(position)
    return f"{100 * shares[position]:.2g} %"


def _curves(plan: Plan, found: Sequence[Judged], metric: str, nulls: Sequence[str]) -> tuple[Curve, ...]:
    """Means over cases of the means over targets; of cases whose curves have the most common number of points."""
    out = []
    for name in (*plan.methods, *nulls):
        by_case = []
        for one in found:
            key = name if name in plan.methods else f"null {name}"
            lines = list(one.curves.get(metric, {}).get(key, {}).values())
            if lines and len({len(line) for line in lines}) == 1:
                by_case.append(_mean(np.array(lines, dtype=np.float64)))
        sizes = [len(line) for line in by_case]
        if sizes:
            usual = max(sizes, key=sizes.count)
            mean = _mean(np.stack([line for line in by_case if len(line) == usual]))
            out.append(Curve(name.removesuffix("-1"), tuple(mean.tolist()), null=name not in plan.methods))
    return tuple(out)


def _tiles(board: Board, found: Sequence[Judged]) -> Iterable[TileRow]:
    made = 0
    for one in found:
        targets = dict.fromkeys(t for m in one.maps.values() for t in m.get("pictures", {}))
        for target in targets:
            if made == TILE_ROWS:
                return
            made += 1
            yield TileRow(
                one.case, target, tuple(_tile(board, one, name, target) for name in board.plan.methods)
            )


def _tile(board: Board, one: Judged, method: str, target: str) -> Tile:
    made = one.maps.get(method)
    picture = (made or {}).get("pictures", {}).get(target)
    if picture is not None and (board.plan.settings.out / picture).is_file():
        return Tile(
            method, Picture(Path(board.plan.settings.out / picture), f"{method} for {target} in {one.case}")
        )
    if made is None:
        return Tile(method, note=one.without.get(method, "no map"))
    own: dict[str, Any] = next((r for r in made["rows"] if r["target"] == target), {})
    return Tile(method, note=str(own.get("note") or own.get("status") or "no picture"))


def _tasks(board: Board, model: str) -> Iterable[TaskRow]:
    for task in board.plan.tasks:
        if task.model != model or task.kind == "model":
            continue
        found, outcome = board.ledger.last(task.name), board.outcomes.get(task.name)
        status = (
            outcome.status
            if outcome is not None and outcome.status != "ok"
            else found.get("status", "not done")
        )
        passes = found.get("passes", {})
        yield TaskRow(
            case=board.plan.case_ids[task.case],
            who=_who(task.kind, task.who, task.family),
            kind=KINDS.get(task.kind, "metric"),
            status=status,
            seconds=found.get("seconds", float("nan")),
            forward=passes.get("forward", 0),
            backward=passes.get("backward", 0),
            peak_mb=found.get("peak_mb", float("nan")),
            reason=(outcome.note if outcome is not None and outcome.note else found.get("note", "")),
        )


def _who(kind: str, who: str, family: str) -> str:
    if kind == "ask":
        return "prediction"
    if kind == "map":
        return who
    if kind in ("table", "game"):
        return f"{kind}: {who}" + (f", {family}" if family else "")
    return {ALL_MAPS: f"{family}: all maps", NULLS: f"{family}: nulls"}.get(who, f"{family}: {who}")
