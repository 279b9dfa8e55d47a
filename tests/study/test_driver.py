"""Whom the driver gives work, and what it leaves to others."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from voxplain.study.ledger.claim import Claims
from voxplain.study.planning.task import Task
from voxplain.study.running.driver import Driver
from voxplain.study.running.outcome import Outcome

TASKS = tuple(Task(f"net/{case}/map-gradient", "map", "net", case, "gradient") for case in (0, 1))


class Board:
    """All tasks can be done at once; some are found to be done between the look and the claim."""

    def __init__(self, done_meanwhile: frozenset[str] = frozenset()) -> None:
        self.tasks, self.meanwhile = list(TASKS), done_meanwhile
        self.pending = {task.group: [task] for task in TASKS}
        self.outcomes: dict[str, Outcome] = {}
        self.asked: dict[Any, Any] = {}
        run = SimpleNamespace(timeout=None, attempts=2)
        self.plan = SimpleNamespace(settings=SimpleNamespace(run=run), by_name={t.name: t for t in TASKS})

    def tells(self, _: Any) -> bool:
        return False

    waits = tells

    def ready(self, group: Any, running: set[str]) -> list[Task]:
        return [t for t in self.pending[group] if t.name not in running and t.name not in self.outcomes]

    def done(self, task: Task) -> Outcome | None:
        return Outcome("ok", earlier=True) if task.name in self.meanwhile else None

    def settle(self, task: Task, outcome: Outcome) -> None:
        self.outcomes[task.name] = outcome

    def order(self, task: Task) -> dict[str, Any]:
        return {"key": task.name}


class Crew:
    def __init__(self, count: int) -> None:
        self.devices = ["cpu"] * count
        self.workers = [
            SimpleNamespace(number=n, alone=False, task=None, idle=True, ended=False) for n in range(count)
        ]
        self.given: list[str] = []

    def give(self, worker: Any, task: Task, order: dict[str, Any]) -> None:
        worker.task, worker.idle, worker.alone = task, False, bool(order.get("alone"))
        self.given.append(task.name)


def driver(board: Board, crew: Crew, claims: Claims | None = None) -> Driver:
    watch = SimpleNamespace(last_group={}, say=lambda _: None, show=lambda _: None)
    return Driver(board, crew, claims, None, watch, None)  # type: ignore[arg-type]


def test_every_idle_worker_gets_a_task() -> None:
    crew = Crew(2)
    driver(Board(), crew)._give_work()
    assert crew.given == [t.name for t in TASKS]


def test_while_one_task_has_all_of_the_memory_nobody_else_gets_one() -> None:
    crew = Crew(2)
    one = driver(Board(), crew)
    crew.workers[0].task, crew.workers[0].alone, crew.workers[0].idle = TASKS[0], True, False
    one._give_work()
    assert crew.given == []
    crew.workers[0].task, crew.workers[0].idle = None, True
    one._give_work()
    assert crew.given


def test_what_another_driver_finished_before_the_claim_is_not_done_again(tmp_path: Path) -> None:
    board, crew = Board(frozenset({TASKS[0].name})), Crew(1)
    driver(board, crew, Claims(tmp_path))._give_work()
    assert crew.given == [TASKS[1].name]
    assert board.outcomes[TASKS[0].name].earlier
    assert Claims(tmp_path).take(TASKS[0].name) is not None, "its claim was kept"


def test_what_another_driver_has_claimed_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, waited = Claims(tmp_path), []
    assert other.take(TASKS[0].name) is not None
    board, crew = Board(), Crew(1)
    monkeypatch.setattr(board, "wait", waited.append, raising=False)
    driver(board, crew, Claims(tmp_path))._give_work()
    assert crew.given == [TASKS[1].name]
    assert waited == [TASKS[0].group]
