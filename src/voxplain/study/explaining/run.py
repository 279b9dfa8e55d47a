"""`voxplain explain`: the work behind the flags, resumable, one unit per method."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from shutil import rmtree
from time import perf_counter
from typing import TYPE_CHECKING, Any

import voxplain
from voxplain.case.atomic import write_whole
from voxplain.errors import InputError, ModelError, StorageError
from voxplain.study.explaining.judging import judge, judged_before, lacking, metric_costs
from voxplain.study.explaining.outcome import DONE, write_results
from voxplain.study.explaining.prediction import file_notes, predict, refuse_another_case
from voxplain.study.explaining.unit import Unit, failed_rows, refusal, unit_names, work
from voxplain.study.ledger.fingerprint import of_named_files, of_parts, of_run
from voxplain.study.ledger.journal import Journal, versions
from voxplain.study.ledger.ledger import METRIC, Ledger
from voxplain.study.make import make_case, make_methods, make_metrics, make_model, make_targets
from voxplain.study.progress import Show
from voxplain.study.settings.template import resolved

if TYPE_CHECKING:
    from voxplain.case import Case
    from voxplain.engine import Problem
    from voxplain.model import Model
    from voxplain.study.settings.config import ExplainSettings

Result = dict[str, Any]
THREE_D = 3
SCRATCH = "scratch"  # folder of maps that do not fit into memory, while a method runs


def run(settings: ExplainSettings, *, dry_run: bool = False) -> int:
    """Explain, and leave maps, table, figures, report and settings in the output folder.

    Methods that an earlier run finished with the same image, network and settings are not run again.

    Args:
        settings: what is asked.
        dry_run: predict once, say what would be done and what it costs, and write nothing.

    Returns:
        0, or 1 where a method failed; the others are done all the same.

    Raises:
        VoxplainError: image, network or targets cannot be used, or the folder cannot be written to.
    """
    case, model = make_case(settings), make_model(settings)
    if settings.slice is not None and model.spatial_dims == THREE_D:
        raise InputError(
            f"slice: {model.name} takes volumes, and one slice of {case.id} is none; leave it out"
        )
    refuse_another_case(settings, case)
    units = plan(settings, case, model)
    say(f"case    {case!r}\nmodel   {model!r}")
    if dry_run:
        with Show() as show:
            say(costs(ask(settings, case, model, show), show, units, settings))
        return DONE
    journal = start(settings, case, model)
    with journal.until_stopped():
        overview, results, judged = do(units, settings, case, model, journal)
        code = write_results(settings, overview, results, judged, case, model)
    rmtree(settings.out / SCRATCH, ignore_errors=True)
    journal.note("end", code=code)
    say(f"results {settings.out / 'table.csv'}")
    if settings.maps.figures:
        say(f"report  {settings.out / 'report.html'}")
    return code


def plan(settings: ExplainSettings, case: Case, model: Model) -> list[Unit]:
    """One unit of work per method, each with the hash of all that its maps depend on."""
    run_key = of_run(settings, case, model)
    asked = make_methods(settings.methods)
    for each in asked:
        if not each.optional:
            each.method.check(model)
    units = []
    for name, each in zip(unit_names([a.method for a in asked]), asked, strict=True):
        parts = {
            "run": run_key,
            "method": name,
            "parameters": each.method.parameters(),
            "files": of_named_files(each.spec.parameters),
            "maps": settings.maps.model_dump(mode="json", exclude={"viewer", "three_d"}),  # of the page alone
            "regions": [source.model_dump(mode="json", exclude={"source"}) for source in settings.regions],
            "divisions": of_named_files([source.source for source in settings.regions]),
        }
        units.append(Unit(name, each.method, run_key, of_parts(parts), each.optional))
    return units


def do(
    units: Sequence[Unit], settings: ExplainSettings, case: Case, model: Model, journal: Journal
) -> tuple[Result, list[Result], list[Result]]:
    """Predict, run the methods and the metrics that no earlier run finished.

    Returns:
        What the prediction and every method left, and the metrics' long table.
    """
    ledger = Ledger(settings.out)
    overview = ledger.done("prediction", units[0].run_key)
    found = {u.name: done for u in units if (done := ledger.done(u.name, u.key)) is not None}
    judged = judged_before(units, found, settings, ledger)
    wanted = {asked.metric.name for asked in make_metrics(settings.metrics)}
    if wanted - set(judged):
        for unit in lacking([u for u in units if u.name in found], settings):
            say(f"{unit.name}: made again, since metrics need its maps and they were not kept")
            del found[unit.name]
    todo = [u for u in units if u.name not in found]
    for name in found:
        say(f"{name}: done by an earlier run")
    tell_of_others(ledger, units, journal)
    if todo or overview is None or wanted - set(judged):
        with Show() as show:
            problem = ask(settings, case, model, show)
            overview = predict(problem, settings, ledger, units[0].run_key)
            say(costs(problem, show, todo, settings))
            found |= run_units(todo, problem, settings, ledger, journal, show)
            if wanted:
                judged = judge(units, found, problem, settings, ledger, journal, show)
    rows = [row for name in wanted if name in judged for row in judged[name]]
    return overview, [found[u.name] for u in units], rows


def tell_of_others(ledger: Ledger, units: Sequence[Unit], journal: Journal) -> None:
    """Name the methods of earlier runs whose results lie in the folder though they are not asked for now."""
    known = {"prediction", *(u.name for u in units)}
    others = [name for name in ledger.units() if name not in known and not name.startswith(METRIC)]
    if others:
        journal.note("older results", methods=others)
        say(
            f"note: older results of {', '.join(others)} stay in {ledger.out}; table and report leave them out"
        )


def ask(settings: ExplainSettings, case: Case, model: Model, show: Show) -> Problem:
    """The problem, after its prediction."""
    from voxplain.engine import Problem

    return Problem(
        model,
        case,
        make_targets(settings, model),
        seed=settings.seed,
        batch=settings.batch,
        scratch=settings.out / SCRATCH,
        progress=show,
    )


def start(settings: ExplainSettings, case: Case, model: Model) -> Journal:
    """Write the resolved settings first, so that a full disk or a wrong folder is known at once."""
    if settings.out.exists() and not settings.out.is_dir():
        raise InputError(f"out: {settings.out} is a file; choose a folder")
    header = f"voxplain {voxplain.__version__}; run again with: voxplain explain --config explain.yaml"
    write_whole(settings.out / "explain.yaml", resolved(settings, settings.out, header).encode())
    journal = Journal(settings.out / "log.jsonl")
    journal.note("start", case=repr(case), model=repr(model), versions=versions(), command=sys.argv)
    return journal


def costs(problem: Problem, show: Show, units: Sequence[Unit], settings: ExplainSettings) -> str:
    """What is about to be done: targets, and passes and time of every method and metric."""
    absent = [t.name for t in problem.targets if t.status != "ok"]
    there = len(problem.targets) - len(absent)
    lines = [f"targets {there}" + (f", absent: {', '.join(absent)}" if absent else "")]
    seconds = show.took.get("prediction", 0.0)
    windows = "" if problem.layout is None else f" over {len(problem.layout)} windows"
    lines.append(f"prediction took {problem.passes.forward} forward passes{windows}, {seconds:.1f} s")
    lines += [f"note: {remark}" for remark in (*file_notes(problem.case), *problem.remarks())]
    pace = seconds / max(problem.passes.forward, 1)
    for unit in units:
        if (refused := refusal(unit, problem)) is not None:
            lines.append(f"{unit.name}: refused, {refused}")
            continue
        passes = unit.method.cost(problem)
        # a backward pass to the input costs about as much as a forward pass
        about = (passes.forward + passes.backward) * pace
        lines.append(f"{unit.name}: about {passes}, {'under a second' if about < 1 else f'{about:.0f} s'}")
    if settings.metrics and problem.present:
        lines += metric_costs(units, problem, settings, pace)
    return "\n".join(lines)


def run_units(
    units: Sequence[Unit],
    problem: Problem,
    settings: ExplainSettings,
    ledger: Ledger,
    journal: Journal,
    show: Show,
) -> dict[str, Result]:
    """Run every method; one that fails is told and leaves rows that say so, and no files."""
    import traceback

    found: dict[str, Result] = {}
    for unit in units:
        if (refused := refusal(unit, problem)) is not None:
            found[unit.name] = {"rows": failed_rows(unit, problem, refused, "refused"), "sections": []}
            journal.note("refused", method=unit.name, note=str(refused))
            continue
        show.doing = unit.name
        started = perf_counter()
        journal.note("method", method=unit.name, parameters=unit.method.parameters())
        try:
            found[unit.name] = work(unit, problem, settings, ledger)
        except Exception as error:  # noqa: BLE001  whatever a method does, the others still run
            undone = unit.optional and refuses(error)
            rows = failed_rows(unit, problem, error, "refused" if undone else None)
            found[unit.name] = {"rows": rows, "sections": []}
            note = rows[0]["note"]
            with suppress(OSError):
                ledger.drop(unit.name)
            how = "refused" if undone else "failed"
            print(f"voxplain: {unit.name} {how}: {note}", file=sys.stderr)
            journal.note(how, method=unit.name, note=note, traceback=traceback.format_exc())
            continue
        journal.note("done", method=unit.name, seconds=round(perf_counter() - started, 3))
        say(f"{unit.name}: done in {perf_counter() - started:.1f} s")
    return found


def refuses(error: Exception) -> bool:
    """Whether a method says that it cannot answer this question, rather than that something went wrong."""
    return isinstance(error, ModelError | InputError) and not isinstance(error, StorageError)


def say(text: str) -> None:
    """Tell the person who waits."""
    print(text, flush=True)
