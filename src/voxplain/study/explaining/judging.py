"""Whether to believe the maps of a case: metrics over all methods, one unit of work each."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import TYPE_CHECKING, Any

from voxplain.attribution.attribution_file import read_attribution, stored_facts
from voxplain.errors import StorageError, VoxplainError
from voxplain.metric import evaluate
from voxplain.metric.nulls import null_candidates
from voxplain.study.explaining.paths import working_path
from voxplain.study.ledger.fingerprint import of_named_files, of_parts
from voxplain.study.ledger.ledger import METRIC, Ledger
from voxplain.study.make import AskedMetric, make_metrics
from voxplain.study.working.planned import planned

if TYPE_CHECKING:
    from voxplain.engine import Passes, Problem
    from voxplain.study.explaining.unit import Unit
    from voxplain.study.ledger.journal import Journal
    from voxplain.study.progress import Show
    from voxplain.study.settings.config import ExplainSettings

Rows = list[dict[str, Any]]


def judged_before(
    units: Sequence[Unit], done: Mapping[str, Any], settings: ExplainSettings, ledger: Ledger
) -> dict[str, Rows]:
    """Rows of the metrics that an earlier run found for exactly these maps."""
    found = {}
    for name, asked in _asked(settings).items():
        kept = ledger.done(METRIC + name, _key(asked, units, done, settings))
        if kept is not None:
            found[name] = kept["rows"]
    return found


def lacking(units: Sequence[Unit], settings: ExplainSettings) -> list[Unit]:
    """Methods whose maps metrics would have to read, and that are not kept."""
    return [u for u in units if stored_facts(working_path(settings, u.name)).get("key") != u.key]


def judge(
    units: Sequence[Unit],
    done: Mapping[str, Any],
    problem: Problem,
    settings: ExplainSettings,
    ledger: Ledger,
    journal: Journal,
    show: Show,
) -> dict[str, Rows]:
    """Rows of every metric that was asked for; one that cannot be taken is told, and the others are.

    Args:
        done: method -> what it left; those without maps are not judged.
    """
    found = judged_before(units, done, settings, ledger)
    able = _able(units, done)
    maps = {
        u.name: read_attribution(working_path(settings, u.name), problem, u.method)
        for u in able
        if not lacking([u], settings)
    }
    for name, asked in _asked(settings).items():
        if name in found or not maps:
            continue
        show.doing, started = name, perf_counter()
        try:
            asked.metric.check(problem)
            made = evaluate(problem, maps, [asked.metric], random_nulls=settings.nulls)
        except StorageError:
            raise
        except VoxplainError as error:
            how = "refused" if asked.optional else "failed"
            print(f"voxplain: metric {name} {how}: {error}", file=sys.stderr)
            journal.note(how, metric=name, note=str(error))
            continue
        rows = [{**row, "tells": None if row["tells"] is None else bool(row["tells"])} for row in made.rows()]
        key = _key(asked, units, done, settings)
        found[name] = ledger.finish(METRIC + name, key, [], {"rows": rows})["rows"]
        journal.note("judged", metric=name, seconds=round(perf_counter() - started, 3))
        print(f"{name}: judged in {perf_counter() - started:.1f} s", flush=True)
    return found


def metric_costs(
    units: Sequence[Unit], problem: Problem, settings: ExplainSettings, pace: float
) -> list[str]:
    """A line per metric: the passes that it will take, all methods together.

    Metrics that share passes are each told what they would take alone.
    """
    candidates = []
    for unit in units:
        try:
            candidates.append(planned(unit.name, unit.method, unit.method.cost(problem), problem))
        except VoxplainError:
            continue  # a method that is refused is not judged
    lines = []
    for name, asked in _asked(settings).items():
        try:
            asked.metric.check(problem)
            fresh = problem.afresh(clean=problem.clean_scores())
            nulls = null_candidates(fresh, asked.metric, settings.nulls)
            passes: Passes = asked.metric.cost(fresh, [*candidates, *nulls])
        except VoxplainError as error:
            lines.append(f"metric {name}: refused, {error}")
            continue
        about = (passes.forward + passes.backward) * pace
        lines.append(f"metric {name}: about {passes}, {'under a second' if about < 1 else f'{about:.0f} s'}")
    return lines


def _asked(settings: ExplainSettings) -> dict[str, AskedMetric]:
    return {asked.metric.name: asked for asked in make_metrics(settings.metrics)}


def _able(units: Sequence[Unit], done: Mapping[str, Any]) -> list[Unit]:
    """Methods that have a map."""

    def has_map(unit: Unit) -> bool:
        rows = done.get(unit.name, {}).get("rows", ())
        return any(row["status"] in ("ok", "zero") for row in rows)

    return [unit for unit in units if has_map(unit)]


def _key(
    asked: AskedMetric, units: Sequence[Unit], done: Mapping[str, Any], settings: ExplainSettings
) -> str:
    """Of all maps at once: some metrics compare them, and all share passes."""
    return of_parts(
        {
            "metric": asked.metric.name,
            "parameters": asked.metric.parameters(),
            "files": of_named_files(asked.spec.parameters),
            "nulls": settings.nulls,
            "maps": {u.name: u.key for u in _able(units, done)},
        }
    )
