"""From what judging tasks left to the long table: one row per case, target, method and metric."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from voxplain.metric import Figure
from voxplain.metric.judgement import join
from voxplain.metric.row import Facts, row
from voxplain.study.planning.task import AGREEMENT, ALL_MAPS, NULLS
from voxplain.study.working.judge import known

if TYPE_CHECKING:
    from voxplain.metric import Metric
    from voxplain.study.running.board import Board, Group

NAN = float("nan")


@dataclass
class Judged:
    """All that was found of one model on one case.

    Attributes:
        asked: what the asking task found.
        maps: method -> what its map task left.
        without: method -> why it has no maps.
        rows: of the long table.
        curves: metric -> method, or ``null`` and the name of one -> target's position -> what the figure was read from.
        names, matrices: of the maps that were compared with each other, and per target (M, M) with None for NaN.
    """

    model: str
    case: str
    asked: Mapping[str, Any]
    maps: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    without: dict[str, str] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    curves: dict[str, dict[str, dict[int, tuple[float, ...]]]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    matrices: list[list[list[float | None]]] = field(default_factory=list)


def judged_of(board: Board, group: Group) -> Judged | None:
    """What is there of one model and case; none where it was never asked."""
    tasks = [t for t in board.plan.tasks if t.group == group]
    asked = board.ledger.last(next(t.name for t in tasks if t.kind == "ask"))
    if "targets" not in asked:
        return None
    out = Judged(group[0], board.plan.case_ids[group[1]], asked)
    for task in (t for t in tasks if t.kind == "map"):
        found = board.ledger.last(task.name)
        method = board.plan.methods[task.who].method
        if found.get("status") == "ok" and not _same(found["parameters"], method.parameters()):
            out.without[task.who] = "not done: what is there was made with other parameters"
        elif found.get("status") == "ok":
            out.maps[task.who] = found
        elif found:
            out.without[task.who] = f"{found['status']}: {found['note']}"
    files = {t.name: known(board.places.figures(t)) for t in tasks if t.kind == "judge"}
    for task in (t for t in tasks if t.kind == "judge" and t.who != NULLS):
        nulls = files.get(f"{board.plan.folder(task)}/judge-{task.family}-{NULLS}", {})
        for name, asked_metric in board.plan.metrics_of(task).items():
            own = files[task.name].get(name)
            beside = own if task.who == ALL_MAPS else nulls.get(name)
            now = (asked_metric.metric.told_parameters, board.plan.settings.nulls)
            if own is not None and _fits(own, now) and (beside is None or _fits(beside, now)):
                _read(out, asked_metric.metric, own, beside or {}, board.plan.settings.seed)
    for task in (t for t in tasks if t.kind == "judge" and t.who == ALL_MAPS):
        _read_agreement(out, files[task.name].get(AGREEMENT, {}))
    order = {name: i for i, name in enumerate(board.plan.methods)}
    metrics = {name: i for i, name in enumerate(board.plan.metrics)}
    out.rows.sort(key=lambda r: (metrics[r["metric"]], order[r["method"]]))
    return out


def _read(out: Judged, metric: Metric, own: Mapping[str, Any], beside: Mapping[str, Any], seed: int) -> None:
    nulls = {n: _figures(f) for n, f in beside.get("nulls", {}).items()}
    _keep_curves(out, metric.name, {f"null {n}": f for n, f in nulls.items()})
    for method, plain in own["maps"].items():
        figures = _figures(plain)
        _keep_curves(out, metric.name, {method: figures})
        for t, target in enumerate(out.asked["targets"]):
            if method not in out.maps:
                continue
            figure = figures.get(t) or Figure(NAN, note=_without(out.maps[method], t, target))
            here = {n: f[t] for n, f in nulls.items() if t in f}
            joined = join(metric, method, t, figure, here, meaning=own["meaning"].get(method))
            facts = Facts(out.case, out.model, target["name"], out.asked["image"], out.asked["network"], seed)
            out.rows.append(row(joined, facts))


def _same(stored: Any, now: Any) -> bool:
    """Whether parameters are those of today's settings, after a way through JSON."""
    return bool(stored == json.loads(json.dumps(now, default=str)))


def _fits(found: Mapping[str, Any], now: tuple[str, int]) -> bool:
    """Whether figures were found with today's settings: while a study is unfinished, older ones may lie there."""
    return (found.get("parameters"), found.get("random")) == now


def _without(made: Mapping[str, Any], position: int, target: Mapping[str, Any]) -> str:
    """Why there is no figure."""
    if target["status"] != "ok":
        return f"no map: {target['status']}; {target['note']}"
    own = made["rows"][position]
    return f"no map: {own['status']}" + (f"; {own['note']}" if own["note"] else "")


def _figures(plain: Mapping[str, Any]) -> dict[int, Figure]:
    return {int(t): Figure.from_plain(f) for t, f in plain.items()}


def _keep_curves(out: Judged, metric: str, found: Mapping[str, Mapping[int, Figure]]) -> None:
    for name, figures in found.items():
        for t, figure in figures.items():
            if figure.curve:
                out.curves.setdefault(metric, {}).setdefault(name, {})[t] = figure.curve


def _read_agreement(out: Judged, found: Mapping[str, Any]) -> None:
    out.names = list(found.get("names", ()))
    out.matrices = list(found.get("matrix", {}).values())


def all_judged(board: Board, groups: list[Group]) -> Iterator[Judged]:
    """What is there of every model and case that was asked."""
    for group in groups:
        found = judged_of(board, group)
        if found is not None:
            yield found
