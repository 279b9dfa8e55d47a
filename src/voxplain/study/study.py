"""`voxplain study`: from settings to a folder of maps, figures, tables and a page; a run that was cut off goes on."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

import voxplain
from voxplain.case.atomic import write_whole
from voxplain.errors import InputError
from voxplain.study.ledger.claim import Claims
from voxplain.study.ledger.journal import Journal, versions
from voxplain.study.places import driver_name, scratch_of
from voxplain.study.planning.cost import Costs, told
from voxplain.study.planning.plan import Plan, plan
from voxplain.study.planning.shards import own_part
from voxplain.study.running.board import Board, Group
from voxplain.study.running.driver import Driver
from voxplain.study.running.local import LocalCrew
from voxplain.study.running.machine import devices, memory_limit
from voxplain.study.running.watch import Watch
from voxplain.study.settings.template import resolved_study

if TYPE_CHECKING:
    from voxplain.study.running.crew import Crew
    from voxplain.study.settings.study_config import StudySettings

DONE, SOME_FAILED = 0, 1
Say = Callable[[str], None]


def run_study(
    settings: StudySettings,
    *,
    shard: tuple[int, int] | None = None,
    dry_run: bool = False,
    compare_only: bool = False,
    ray: str | None = None,
) -> int:
    """Do what is not done yet, and compare what there is.

    Args:
        settings: what is asked.
        shard: (k, n): only the k-th of n parts of the models and cases, k from 1 to n or from 0 to n - 1; for job arrays
            that share the folder.
            Whoever finishes the last part compares.
        dry_run: ask each model about one case, say what all would cost, and write nothing.
        compare_only: do nothing, and compare what is there, such as in the middle of a long study; a warning tells how
            much of it is of other settings.
        ray: do the work on a Ray cluster: ``HOST:PORT``, ``auto`` for one that runs on this machine, or ``local`` for one
            of this machine alone that ends with this process. None: processes of this machine, without Ray.

    Returns:
        0, or 1 where a task failed; all others are done all the same.

    Raises:
        VoxplainError: settings that cannot be used, a model that cannot be loaded, a folder that cannot be written to.
    """
    spelled = plan(settings)
    groups = _part(spelled, shard)
    if compare_only:
        return _compared(spelled)
    if ray is not None:
        from voxplain.study.running.on_ray.session import checked_address

        ray = checked_address(ray)
    if dry_run:
        return _dry(spelled, ray)
    _start(spelled)
    journal = Journal(settings.out / "log.jsonl")
    journal.note("start", versions=versions(), command=sys.argv, shard=shard)
    with journal.until_stopped():
        board, _ = _work(spelled, groups, journal, ray)
        from voxplain.study.results.write import write_results

        code = write_results(board, whole=shard is None)
        journal.note("end", code=code)
    rmtree(scratch_of(settings.out, driver_name(os.getpid())), ignore_errors=True)
    return code


def _compared(spelled: Plan) -> int:
    """Tables and page of what is there."""
    from voxplain.study.results.earlier import of_earlier_settings
    from voxplain.study.results.write import write_results

    if not (spelled.settings.out / "ledger").is_dir():
        raise InputError(f"out: {spelled.settings.out} holds no study yet; run it without --compare-only")
    board = Board(spelled, [])
    earlier = of_earlier_settings(board)
    if earlier:
        warnings.warn(earlier, stacklevel=2)
    return write_results(board, whole=True, notes=[earlier] if earlier else [])


def _dry(spelled: Plan, ray: str | None) -> int:
    """One case per model, in a folder that is thrown away."""
    groups = [(model, 0) for model in spelled.settings.models]
    shared = None  # the nodes of a cluster must see it
    if ray not in (None, "local"):
        shared = next(p for p in spelled.settings.out.resolve().parents if p.is_dir())
    with tempfile.TemporaryDirectory(prefix=".voxplain-" if shared else "voxplain-", dir=shared) as folder:
        settings = spelled.settings.model_copy(update={"out": Path(folder)})
        tasks = tuple(t for t in spelled.tasks if t.kind in ("model", "ask") and t.case <= 0)
        first = replace(spelled, settings=settings, tasks=tasks)
        board, workers = _work(first, groups, None, ray)
        costs = Costs(spelled, board.asked)
        for line in _told(spelled, costs, None, workers):
            say(line)
    bad = [o for o in board.outcomes.values() if o.is_bad]
    return SOME_FAILED if bad else DONE


def _work(spelled: Plan, groups: list[Group], journal: Journal | None, ray: str | None) -> tuple[Board, int]:
    """All that is to be done, and by how many workers it was."""
    settings = spelled.settings
    board = Board(spelled, groups)
    costs = Costs(spelled, board.asked)
    claims = Claims(settings.out / "claims") if journal is not None else None
    with ended_like_ctrl_c(), _hired(settings, ray) as crew:
        workers = len(crew.devices)
        watch = Watch(board, lambda name: costs.seconds(spelled.by_name[name]), workers)

        def tell() -> None:
            if journal is not None:
                for line in _told(spelled, costs, board, workers):
                    watch.tell(line)

        with watch:
            Driver(board, crew, claims, journal, watch, crew.memory, tell).run()
    return board, workers


@contextmanager
def _hired(settings: StudySettings, ray: str | None) -> Iterator[Crew]:
    """Who does the work."""
    plain = settings.model_dump(mode="json", exclude_unset=True) | {"out": str(settings.out)}
    if ray is not None:
        from voxplain.study.running.on_ray.hire import hired

        with hired(settings, plain, ray) as crew:
            yield crew
        return
    workers = devices(settings.run)
    limit = memory_limit(settings.run, workers)
    yield LocalCrew(plain, workers, settings.run.threads, limit, settings.out / "logs")


@contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """Schedulers end jobs by SIGTERM: it leaves as little behind as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _start(spelled: Plan) -> None:
    """Write the resolved settings first, so that a full disk or a wrong folder is known at once."""
    settings = spelled.settings
    if settings.out.exists() and not settings.out.is_dir():
        raise InputError(f"out: {settings.out} is a file; choose a folder")
    header = f"voxplain {voxplain.__version__}; run again with: voxplain study study.yaml"
    write_whole(settings.out / "study.yaml", resolved_study(settings, header).encode())


def _part(spelled: Plan, shard: tuple[int, int] | None) -> list[Group]:
    """The models and cases that are to be done here."""
    groups = list(dict.fromkeys(t.group for t in spelled.tasks if t.kind != "model"))
    return own_part(groups, shard)


def _told(spelled: Plan, costs: Costs, board: Board | None, workers: int) -> list[str]:
    """The plan in lines for people; with a board, of what is left to do on it."""
    settings = spelled.settings
    kinds = (
        ("models", len(settings.models)),
        ("cases", len(spelled.case_ids)),
        ("methods", len(spelled.methods)),
    )
    sizes = (*kinds, ("metrics", len(spelled.metrics))) if spelled.methods else kinds[:2]
    if settings.regions is not None:
        sizes = (*sizes, ("region tables", len(spelled.tables)), ("region games", len(spelled.games)))
    size = " × ".join(f"{n} {what if n != 1 else what.removesuffix('s')}" for what, n in sizes)
    tasks = [t for t in (spelled if board is None else board).tasks if t.kind != "model"]
    left = [t for t in tasks if board is None or t.name not in board.outcomes]
    earlier = 0 if board is None else sum(o.earlier and o.status == "ok" for o in board.outcomes.values())
    done = f", {earlier} done before" if earlier else ""
    lines = [f"study   {size}: {len(tasks)} tasks{done}"]
    for (model, _), found in costs.asked.items():
        if "methods" not in found:
            continue
        lines += [f"{model}: {note}" for note in found["notes"]]
        lines += [f"{model}: metric {name}: refused, {why}" for name, why in found["unable"].items()]
    return [*lines, *told(costs, left, workers)]


def say(text: str) -> None:
    """Tell the person who waits."""
    print(text, flush=True)
