"""The loop that gives tasks to workers, hears how they end, and ends those that take too long."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from voxplain.errors import InputError, ModelError, StorageError
from voxplain.study.running.outcome import Outcome, Status
from voxplain.study.running.warned import Warned
from voxplain.study.working.process import DISK_FULL

if TYPE_CHECKING:
    from voxplain.study.ledger.claim import Claims
    from voxplain.study.ledger.journal import Journal
    from voxplain.study.planning.task import Task
    from voxplain.study.running.board import Board, Order
    from voxplain.study.running.crew import Crew, Worker
    from voxplain.study.running.watch import Watch

TICK = 0.25  # seconds between looks at clocks
STILLBORN = 3  # workers in a row that end before they can work
KILLED = -9
ABORTED = (-6, -11)  # also how C++ ends where memory runs out
STARTUP = 300.0  # seconds in which a worker must be able to work


class Driver:
    """Does all tasks of a board.

    Args:
        claims: what tells other drivers which tasks are taken; None where nobody else can be there.
        watch: shows people how far it is.
        limit: bytes that one worker may take; None for no limit.
        when_asked: called once, when every model has been asked about a case, so that costs are known.
    """

    def __init__(
        self,
        board: Board,
        crew: Crew,
        claims: Claims | None,
        journal: Journal | None,
        watch: Watch,
        limit: int | None,
        when_asked: Callable[[], None] = lambda: None,
    ) -> None:
        self.board, self.crew, self.claims, self.journal, self.watch = board, crew, claims, journal, watch
        self.limit, self._when_asked = limit, when_asked
        self._unasked = {task.model for task in board.tasks if task.kind == "ask"}
        run = board.plan.settings.run
        self.timeout, self.attempts = run.timeout, run.attempts
        self._warned = Warned(board.plan, watch, journal)
        self._running: dict[str, Worker] = {}
        self._tried: Counter[str] = Counter()
        # what memory ran out for, and waits until nothing else runs; whether it then goes one sample at a time
        self._alone: dict[str, bool] = {}
        self._missing: set[int] = set()
        self._stillborn = 0
        self.busy_seconds = 0.0

    def run(self) -> None:
        """Until all tasks are settled.

        Raises:
            VoxplainError: a model cannot be loaded, no worker can be started, or the folder cannot be written to.
        """
        try:
            self._missing = set(range(len(self.crew.devices)))
            while self.board.pending:
                self._start_missing()
                self._give_work()
                self._tell_costs()
                for worker, message in self.crew.hear(TICK):
                    self._heard(worker, message)
                self._end_the_late()
                self.watch.show(self.crew.workers)
            self.crew.dismiss()
        finally:
            self.crew.kill_all()
            if self.claims is not None:
                self.claims.release_all()

    def _tell_costs(self) -> None:
        if self._unasked:
            bad = {n for n, o in self.board.outcomes.items() if o.is_bad}
            self._unasked -= {t.model for t in self.board.tasks if t.kind == "ask" and t.name in bad}
            self._unasked -= {model for (model, _), found in self.board.asked.items() if "methods" in found}
            if not self._unasked:
                self._settle_what_is_done()
                self._when_asked()

    def _settle_what_is_done(self) -> None:
        """So that costs are told of what is left, wherever in the plan it stands."""
        busy = set(self._running) | set(self._alone)
        for group in list(self.board.pending):
            deque(self.board.ready(group, busy), maxlen=0)

    # ---- giving work -------------------------------------------------------------------------------------------------

    def _give_work(self) -> None:
        if any(w.alone and w.task is not None for w in self.crew.workers):
            return
        for worker in [w for w in self.crew.workers if w.idle]:
            task = self._next(worker)
            if task is None:
                continue
            self._give(worker, task)
        if not self._running and self._alone and not self._waiting_elsewhere():
            self._give_alone()

    def _next(self, worker: Worker) -> Task | None:
        """A task for a worker: what tells costs, then of the group that it holds, of one that nobody works on, of any."""
        held = self.watch.last_group.get(worker.number)
        others = {g for n, g in self.watch.last_group.items() if n != worker.number}
        groups = list(self.board.pending)
        for group in sorted(groups, key=lambda g: (not self.board.tells(g), g != held, g in others)):
            if self.board.waits(group):
                continue
            for task in self.board.ready(group, set(self._running) | set(self._alone)):
                if self._take(task):
                    return task
        return None

    def _take(self, task: Task) -> bool:
        """Claim a task, unless another driver has it, or has finished it meanwhile."""
        if self.claims is None or task.kind == "model":
            return True
        if self.claims.take(task.name) is None:
            self.board.wait(task.group)
            return False
        found = self.board.done(task)  # by another driver, between the look and the claim
        if found is not None:
            self.claims.release(task.name)
            self.board.settle(task, found)
            return False
        return True

    def _give(self, worker: Worker, task: Task, **how: Any) -> None:
        order: Order = {**self.board.order(task), "memory": self.limit, **how}
        self._running[task.name] = worker
        self.watch.last_group[worker.number] = task.group
        self._note("task", task, worker=worker.number, **({"how": how} if how else {}))
        self.crew.give(worker, task, order)

    def _give_alone(self) -> None:
        """Nothing else runs, and nothing else is held in memory: what ran out of it is tried once more."""
        idle = [w for w in self.crew.workers if w.idle]
        if not idle:
            return
        worker = idle[0]
        name, one_by_one = next(iter(self._alone.items()))
        task = self.board.plan.by_name[name]
        if not self._take(task):
            del self._alone[name]
            return
        for other in self.crew.workers:
            if other is not worker:
                other.ended = True
                self.crew.kill(other)
        self._give(worker, task, alone=True, one_by_one=one_by_one, memory=None)

    def _waiting_elsewhere(self) -> bool:
        return any(self.board.waits(group) for group in self.board.pending)

    # ---- hearing -----------------------------------------------------------------------------------------------------

    def _heard(self, worker: Worker, message: dict[str, Any] | None) -> None:
        if message is None:
            self._ended(worker)
            return
        if worker.task is not None:
            self._warned.hear(worker.task, message.get("warnings", ()))
        match message["event"]:
            case "ready":
                worker.ready, self._stillborn = True, 0
            case "progress":
                worker.doing = message["what"], message["done"], message["total"]
            case "done":
                self._done(worker, message)
            case "failed":
                self._failed(worker, message)
            case "unable":
                raise ModelError(f"no worker can be started: {message['note']}")

    def _done(self, worker: Worker, message: dict[str, Any]) -> None:
        task = self._put_down(worker)
        if task is None:
            return
        result = message["result"]
        self._alone.pop(task.name, None)
        if task.kind == "model":
            if self.board.ledger.last(task.name) != result:
                # for --compare-only, which loads no network
                self.board.ledger.finish(task.name, result["key"], [], result)
            self.board.know_model(task, result)
            return
        found = result.get("status")
        status: Status = found if found in ("ok", "refused") else "failed"
        self._settle(task, Outcome(status, result.get("note", ""), seconds=message["took"]))

    def _failed(self, worker: Worker, message: dict[str, Any]) -> None:
        task = self._put_down(worker)
        if task is None:
            return
        status, note = message["status"], message["note"]
        self._note("failed", task, status=status, note=note, trace=message["trace"])
        if status == DISK_FULL:
            raise StorageError(
                f"{note}; what is finished is kept: free some room, then run the same command again"
            )
        if task.kind == "model":
            raise InputError(f"models.{task.model}: {note}")
        if status == "out-of-memory" and task.name not in self._alone:
            self._later_alone(task, one_by_one=False)
            return
        told = self._memory_note(note) if status == "out-of-memory" else note
        self._fail(task, status, told, message.get("warnings", ()))

    def _ended(self, worker: Worker) -> None:
        """A worker is gone: ended by us, by itself, by the system or by somebody."""
        if worker.gone:
            return
        worker.gone = True
        code = self.crew.kill(worker)
        task = self._put_down(worker)
        expected = worker.ended
        worker.ended = True
        if not worker.ready and not expected:
            self._stillborn += 1
            if self._stillborn >= STILLBORN:
                raise ModelError(
                    f"{STILLBORN} workers ended before they could work ({_how(code)}; {self.crew.last_words(worker)})"
                )
        if task is not None and not expected:
            self._crashed(task, code, self.crew.last_words(worker))
        self._missing.add(worker.number)

    def _start_missing(self) -> None:
        """Workers that are gone come back, but not while a task has all of the memory to itself."""
        if any(w.alone and w.task is not None for w in self.crew.workers):
            return
        for number in sorted(self._missing):
            self.crew.start(number)
        self._missing.clear()

    def _crashed(self, task: Task, code: int, words: str) -> None:
        """Try again what ended its process without a word, as long as it may; alone, where memory may have run out."""
        self._tried[task.name] += 1
        note = f"the process ended without a word ({_how(code)})" + (f": {words}" if words else "")
        self._note("crashed", task, note=note)
        if code == KILLED and not self._alone.get(task.name):
            self._later_alone(task, one_by_one=task.name in self._alone)
        elif code == KILLED:
            self._fail(task, "out-of-memory", self._memory_note(note))
        elif self._tried[task.name] >= self.attempts or task.kind == "model":
            if task.kind == "model":
                raise ModelError(f"models.{task.model}: {note}")
            self._fail(task, "crashed", f"{note}; tried {self._tried[task.name]} times")
        elif code in ABORTED and self.limit is not None and task.name not in self._alone:
            self._later_alone(task, one_by_one=False)
        else:
            self._release(task)

    def _end_the_late(self) -> None:
        for worker in list(self.crew.workers):
            if not worker.ready and not worker.ended and time.monotonic() - worker.started > STARTUP:
                self.crew.kill(worker)
        if self.timeout is None:
            return
        for worker in list(self.crew.workers):
            task = worker.task
            if task is None or worker.ended or time.monotonic() - worker.since <= self.timeout:
                continue
            worker.ended = True
            self.crew.kill(worker)
            self._put_down(worker)
            if task.kind == "model":
                raise ModelError(
                    f"models.{task.model}: was not loaded within {self.timeout:g} s (run.timeout)"
                )
            self._fail(task, "timeout", f"ended after {self.timeout:g} s (run.timeout), at {_far(worker)}")

    # ---- settling ----------------------------------------------------------------------------------------------------

    def _put_down(self, worker: Worker) -> Task | None:
        task, worker.task = worker.task, None
        if task is not None:
            self._running.pop(task.name, None)
            self.busy_seconds += time.monotonic() - worker.since
        return task

    def _later_alone(self, task: Task, *, one_by_one: bool) -> None:
        self._alone[task.name] = one_by_one
        self._release(task)
        self._note(
            "memory", task, note="later, when nothing else runs" + (", one sample at a time" * one_by_one)
        )

    def _fail(self, task: Task, status: Status, note: str, warnings: Sequence[str] = ()) -> None:
        """Note a failure where the next run, the table and the page find it."""
        self._alone.pop(task.name, None)
        result: dict[str, Any] = {
            "status": status,
            "note": note,
            "who": task.who,
            "attempts": self._tried[task.name],
        }
        if warnings:
            result["warnings"] = list(warnings)
        self.board.ledger.fail(task.name, result)
        self._settle(task, Outcome(status, note))

    def _settle(self, task: Task, outcome: Outcome) -> None:
        self.board.settle(task, outcome)
        self._release(task)
        self._note(
            "settled", task, status=outcome.status, note=outcome.note, seconds=round(outcome.seconds, 3)
        )
        if outcome.is_bad:
            self.watch.say(f"{task.name} {outcome.status}: {outcome.note}")

    def _release(self, task: Task) -> None:
        if self.claims is not None:
            self.claims.release(task.name)

    def _memory_note(self, note: str) -> str:
        return f"{note}; tried again alone, with all of the memory: use smaller windows (roi) or a larger machine"

    def _note(self, event: str, task: Task, **facts: Any) -> None:
        if self.journal is not None:
            self.journal.note(event, task=task.name, **facts)


def _how(code: int) -> str:
    """An exit code in words."""
    import signal

    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"{name}, perhaps because memory ran out" if code == KILLED else name


def _far(worker: Worker) -> str:
    what, done, total = worker.doing
    return f"{what}, {done} of {total}" if total else (what or "its start")
