"""From what tasks found of regions to one long table, and what is known of the cases beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxplain.aggregate.cohort import Cohort
from voxplain.aggregate.long_table import TYPES
from voxplain.aggregate.targets import names_of
from voxplain.report.cohort import Asked, Failure, cohort_page, write_cohort_page
from voxplain.report.page import MethodCard
from voxplain.study.ledger.journal import versions
from voxplain.study.results.tables import gather_parquet, write_csv, write_parquet

if TYPE_CHECKING:
    from voxplain.study.planning.task import Task
    from voxplain.study.running.board import Board

KINDS = ("table", "game")


def write_regions(board: Board) -> Path:
    """The long table of all models, cases, methods and games: one row per statistic of a target and a region."""
    path = board.plan.settings.out / "tables" / "regions.parquet"
    parts = [board.places.of_regions(task) for task in done(board)]
    return gather_parquet(path, parts) if parts else write_parquet(path, [], TYPES)


def done(board: Board) -> list[Task]:
    """Tasks of regions whose results are there, as they are asked for today where this run has looked at them."""
    found = []
    for task in (t for t in board.plan.tasks if t.kind in KINDS):
        outcome = board.outcomes.get(task.name)
        if outcome is not None and outcome.status != "ok":
            continue
        if board.ledger.last(task.name).get("status") == "ok" and board.places.of_regions(task).is_file():
            found.append(task)
    return found


def show_regions(board: Board, table: Path, notes: Sequence[str] = ()) -> Path | None:
    """The page of all models, from the long table, with these notes first; none where nothing was summed."""
    settings = board.plan.settings
    assert settings.regions is not None
    known = {model: write_known(board, model) for model in settings.models}
    shown = [m for m in settings.models if any(t.model == m and t.kind == "table" for t in done(board))]
    if not shown:
        return None
    page = cohort_page(
        {model: Cohort.read(table, known[model]) for model in shown},
        title=settings.title or "What each segment depends on",
        description=settings.description,
        models=shown,
        methods=tuple(board.plan.tables),
        asked=Asked(level=settings.compare.alpha, groups=settings.regions.groups, seed=settings.seed),
        baselines={m: _warnings(board, m) for m in shown},
        failures={m: list(_failures(board, m)) for m in shown},
        model_facts={m: board.models.get(m, {}).get("facts", {}) for m in shown},
        facts=_facts(board),
        notes=tuple(notes),
        cards=[
            MethodCard(
                name,
                a.method.parameters(),
                f"{a.method.title}. How to read it: {a.method.reads}.",
                a.method.source,
            )
            for name, a in board.plan.tables.items()
        ],
        settings=(settings.out / "study.yaml").read_text(encoding="utf-8"),
        versions=versions(),
        command="voxplain study study.yaml",
    )
    return write_cohort_page(settings.out / "cohort.html", page)


def _facts(board: Board) -> dict[str, object]:
    plan = board.plan
    return {
        "models": len(plan.settings.models),
        "cases": len(plan.case_ids),
        "region tables": ", ".join(plan.tables) or "none",
        "region games": ", ".join(plan.games) or "none",
        "seed": plan.settings.seed,
    }


def _failures(board: Board, model: str) -> Iterable[Failure]:
    there = {task.name for task in done(board)}
    for task in board.plan.tasks:
        if task.model != model or task.kind not in KINDS or task.name in there:
            continue
        outcome, last = board.outcomes.get(task.name), board.ledger.last(task.name)
        status = outcome.status if outcome is not None else str(last.get("status", "not done"))
        reason = (outcome.note if outcome is not None else "") or str(last.get("note", ""))
        yield Failure(board.plan.case_ids[task.case], task.name.rsplit("/", 1)[1], reason, status)


def _warnings(board: Board, model: str) -> dict[str, list[str]]:
    """What is doubtful about the baselines of games: a line for each, with one case as an example."""
    games: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for task in (t for t in done(board) if t.model == model and t.kind == "game"):
        found = board.ledger.last(task.name)
        games.setdefault(f"game({found['baseline']})", []).append((board.plan.case_ids[task.case], found))
    return {name: told for name, played in games.items() if (told := _doubts(played))}


def _doubts(played: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
    doubtful = [(case, found) for case, found in played if found.get("warning")]
    if not doubtful:
        return []
    counts = Counter(region for _, found in doubtful for region in found.get("implausible", ()))
    regions = [f"{region} in {n}" for region, n in counts.most_common(5)]
    case, found = doubtful[0]
    if len(played) == 1:
        return [str(found["warning"])]
    told = f" ({', '.join(regions)}{', …' if len(counts) > 5 else ''})" if regions else ""
    return [f"implausible in {len(doubtful)} of {len(played)} cases{told}; {case}: {found['warning']}"]


def write_known(board: Board, model: str) -> Path:
    """What is known of the cases of a model: their own columns, and Dice where they have labels."""
    path = board.plan.settings.out / "tables" / "cases" / f"{_safe(board, model)}.csv"
    rows = list(_known(board, model))
    write_csv(path, rows, ("case", *_columns(rows)))
    return path


def _known(board: Board, model: str) -> Iterable[dict[str, Any]]:
    for number, (name, case) in enumerate(zip(board.plan.case_ids, board.plan.settings.cases, strict=True)):
        task = next(t for t in board.plan.tasks if t.kind == "ask" and t.group == (model, number))
        asked = board.ledger.last(task.name)
        of_class = asked.get("dice", {})
        pairs = [(t["name"], t.get("class") or "") for t in asked.get("targets", ())]
        dice = {
            f"dice:{told}": round(of_class[of], 6)
            for told, (_, of) in zip(names_of(pairs), pairs, strict=True)
            if of in of_class
        }
        own = {("meta_case" if k == "case" else k): v for k, v in case.meta.items()}
        yield {"case": name, **own, **dice}


def _columns(rows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Every column once, as they come."""
    return tuple(dict.fromkeys(key for row in rows for key in row if key != "case"))


def _safe(board: Board, model: str) -> str:
    return board.plan.by_name[next(t.name for t in board.plan.tasks if t.model == model)].name.split("/")[0]
