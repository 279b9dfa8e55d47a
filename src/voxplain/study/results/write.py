"""What a study leaves: long tables, comparison, verdicts, the page; by whoever finishes the last of it."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import yaml

from voxplain.metric.comparison import Pair, Summary
from voxplain.report import MethodCard
from voxplain.report.identity import without_folders, without_series
from voxplain.report.study import StudyPage, write_study_page
from voxplain.study.ledger.journal import versions
from voxplain.study.results.compared import compared
from voxplain.study.results.notes import notes as known_notes, nowhere
from voxplain.study.results.regions import show_regions, write_regions
from voxplain.study.results.rows import Judged, all_judged
from voxplain.study.results.shown import shown_volumes
from voxplain.study.results.tables import FIGURES, MAPS, gather_parquet, write_csv, write_parquet
from voxplain.study.results.told import identity, study_limits, study_paragraph
from voxplain.study.running.board import Board
from voxplain.study.running.unsettled import unsettled

if TYPE_CHECKING:
    from voxplain.report.study import ModelComparison
    from voxplain.study.running.board import Group
    from voxplain.study.settings.study_config import StudyCase

DONE, SOME_FAILED = 0, 1


def write_results(board: Board, *, whole: bool, notes: Sequence[str] = ()) -> int:
    """Write tables and page of all that is done, and say what is not.

    Args:
        whole: whether this run was to do everything; where it was a part, others may still be at work, and the last one
            to end compares.
        notes: that stand first on the pages.

    Returns:
        The exit code: 1 where a task failed.
    """
    plan, out = board.plan, board.plan.settings.out
    groups: list[Group] = list(dict.fromkeys(t.group for t in plan.tasks if t.kind != "model"))
    bad = [(name, o) for name, o in board.outcomes.items() if o.is_bad]
    code = SOME_FAILED if bad else DONE
    _drop_working(board)
    left = 0 if whole else _left(board, groups)
    if left:
        print(
            f"this part is done; {left} of {len(plan.tasks)} tasks are with other parts, the last of which compares"
        )
        return code
    found = list(all_judged(board, groups))
    models = {m: [one for one in found if one.model == m] for m in plan.settings.models}
    pages = [compared(board, model, ones) for model, ones in models.items()]
    _write_cases_and_tasks(board, pages)
    if plan.methods:  # a study of regions alone judges no maps
        _write_tables(board, found)
        _write_comparison(board, pages)
    gone = nowhere(board)
    for line in gone:
        warnings.warn(line, stacklevel=2)
    known = [*notes, *known_notes(board)]
    asked = plan.settings.regions is not None
    cohort = show_regions(board, write_regions(board), [*known, *gone]) if asked else None
    shown = [] if cohort is None else [cohort]
    if plan.methods:
        study = replace(_page(board, pages, found, known), cohort="" if cohort is None else cohort.name)
        shown.insert(0, write_study_page(out / "report.html", study))
    for comparison in (p for p in pages if p.verdicts):
        print(f"\n{comparison.name}")
        width = max((len(v.method) for v in comparison.verdicts), default=0)
        for verdict in comparison.verdicts:
            print(f"  {verdict.method:<{width}}  {verdict.text}")
    print(f"\ntables  {out / 'tables'}")
    for page in shown:
        print(f"report  {page}", flush=True)
    if bad:
        counted = ", ".join(f"{n} {s}" for s, n in Counter(o.status for _, o in bad).items())
        where = "the page, or " if shown else ""
        print(f"voxplain: {counted}; see {where}{out / 'tables' / 'tasks.csv'}", flush=True)
    return code


def _left(board: Board, groups: Sequence[Group]) -> int:
    """Tasks of other parts that nobody has settled, as far as the ledger says."""
    mine = {t.group for t in board.tasks}
    return sum(len(unsettled(board, group)) for group in groups if group not in mine)


def _write_tables(board: Board, found: Sequence[Judged]) -> None:
    out = board.plan.settings.out
    parts = []
    for one in found:
        case = board.plan.case_ids.index(one.case)
        parts.append(write_parquet(board.places.rows(one.model, case), one.rows, FIGURES))
    if parts:
        gather_parquet(out / "tables" / "metrics.parquet", parts)
    else:
        write_parquet(out / "tables" / "metrics.parquet", [], FIGURES)
    maps = [
        {**row, "model": one.model} for one in found for made in one.maps.values() for row in made["rows"]
    ]
    write_parquet(out / "tables" / "maps.parquet", maps, MAPS)


def _case_rows(board: Board) -> list[dict[str, Any]]:
    """What is known of the cases; columns of the user's own keep clear of ours."""
    cases = zip(board.plan.case_ids, board.plan.settings.cases, strict=True)
    return [
        {**{k if k != "case" else "meta_case": v for k, v in c.meta.items()}, "case": name}
        for name, c in cases
    ]


def _write_comparison(board: Board, pages: Sequence[ModelComparison]) -> None:
    tables = board.plan.settings.out / "tables"
    shown = [(page, result) for page in pages for result in page.metrics]
    write_csv(
        tables / "comparison.csv",
        [{"model": p.name, **row} for p, r in shown for row in r.comparison.rows()],
        ("model", "metric", "better", *(f.name for f in fields(Summary))),
    )
    write_csv(
        tables / "pairs.csv",
        [{"model": p.name, **row} for p, r in shown for row in r.comparison.pair_rows()],
        ("model", "metric", *(f.name for f in fields(Pair))),
    )
    write_csv(
        tables / "verdicts.csv",
        [
            {
                "model": p.name,
                "method": v.method,
                "level": v.level,
                "here": v.here,
                "cases": v.cases,
                "text": v.text,
            }
            for p in pages
            for v in p.verdicts
        ],
        ("model", "method", "level", "here", "cases", "text"),
    )


def _write_cases_and_tasks(board: Board, pages: Sequence[ModelComparison]) -> None:
    tables = board.plan.settings.out / "tables"
    write_csv(tables / "cases.csv", _case_rows(board))
    write_csv(tables / "tasks.csv", [{"model": p.name, **vars(t)} for p in pages for t in p.tasks])


def _page(
    board: Board, pages: Sequence[ModelComparison], found: Sequence[Judged], notes: Sequence[str]
) -> StudyPage:
    settings = board.plan.settings
    asked = {t["name"] for one in found for t in one.asked["targets"]}
    counted = Counter(row.status for page in pages for row in page.tasks)
    software = versions()
    who = identity(board, found, software)
    cards = tuple(_card(board, name, found) for name in board.plan.methods)
    shown = without_folders(yaml.safe_load((settings.out / "study.yaml").read_text(encoding="utf-8")))
    return StudyPage(
        title=settings.title or "Study",
        description=settings.description,
        models=tuple(pages),
        facts={
            "models": len(settings.models),
            "cases": len(board.plan.case_ids),
            "targets": len(asked),
            "methods": len(board.plan.methods),
            "metrics": len(board.plan.metrics),
            "random maps beside each": settings.nulls,
            "seed": settings.seed,
        },
        cases={
            name: _case_facts([o for o in found if o.case == name], case.meta)
            for name, case in zip(board.plan.case_ids, settings.cases, strict=True)
        },
        targets=tuple(sorted(asked)),
        notes=(*notes, *_absent(found)),
        missing=tuple(
            f"{n} of {sum(counted.values())} tasks {s}"
            for s, n in counted.items()
            if s not in ("ok", "refused")
        ),
        methods=cards,
        viewer=shown_volumes(board, pages, found),
        settings=yaml.safe_dump(
            _without_dicom(shown, settings.cases), sort_keys=False, allow_unicode=True, width=110
        ),
        versions=software,
        identity=who,
        limits=study_limits(board, found),
        paragraph=study_paragraph(board, found, who, [(c.title, c.parameters, c.source) for c in cards]),
        command="voxplain study study.yaml",
    )


def _without_dicom(shown: dict[str, Any], cases: Sequence[StudyCase]) -> dict[str, Any]:
    """Settings whose DICOM folders are not named: their names may be those of patients."""
    listed = shown.get("cases")
    if not isinstance(listed, list):
        return shown
    own = [
        without_series(
            plain, [path.is_dir() or not path.suffix or path.suffix.lower() == ".dcm" for path in case.image]
        )
        if isinstance(plain, dict)
        else plain
        for plain, case in zip(listed, cases, strict=False)
    ]
    return {**shown, "cases": own}


def _absent(found: Sequence[Judged]) -> list[str]:
    """Targets that some cases do not have: those cases tell nothing of them."""
    cases: Counter[tuple[str, str]] = Counter()
    missing: Counter[tuple[str, str]] = Counter()
    for one in found:
        for target in one.asked["targets"]:
            cases[one.model, target["name"]] += 1
            missing[one.model, target["name"]] += target["status"] == "absent"
    return [
        f"{model}: {target} is absent in {n} of {cases[model, target]} cases, which tell nothing of it"
        for (model, target), n in missing.items()
        if n
    ]


def _case_facts(of_models: Sequence[Judged], meta: Mapping[str, object]) -> dict[str, object]:
    if not of_models:
        return {**meta, "status": "could not be asked"}
    first = of_models[0].asked
    return {**meta, **first["facts"]}


def _card(board: Board, name: str, found: Sequence[Judged]) -> MethodCard:
    method = board.plan.methods[name].method
    made: dict[str, Any] = next(
        (one.maps[name]["parameters"] for one in found if name in one.maps), method.parameters()
    )
    text = f"{method.title}. How to read it: {method.reads}."
    return MethodCard(name, made, text, method.source, key=method.name, title=method.title)


def _drop_working(board: Board) -> None:
    """Remove the maps on the network's grid of cases that are finished, where they are not to be kept."""
    if board.plan.settings.maps.working == "keep":
        return
    for group in {t.group for t in board.tasks if t.kind != "model"}:
        tasks = [t for t in board.tasks if t.group == group]
        if all(t.name in board.outcomes for t in tasks):
            for task in (t for t in tasks if t.kind == "map"):
                board.places.working(task, task.who).unlink(missing_ok=True)
