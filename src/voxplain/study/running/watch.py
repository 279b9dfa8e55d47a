"""How far a study is, for people: bars on a terminal, a plain line now and then in a log."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from voxplain.study.running.board import Board, Group
    from voxplain.study.running.crew import Worker

EVERY = 15.0  # seconds between the first plain lines
SLOWER = 1 / 20  # of the time that has passed is added, so that a log of hours stays one that can be read
AT_MOST = 300.0  # seconds between plain lines
EACH = 0.5  # seconds that a task takes beside its passes: reading, writing
BAD_SHOWN = 10  # failures, and as many warnings, that are told one by one


class Watch:
    """A context that leaves the terminal clean.

    Args:
        seconds_of: what a task is expected to take; None where nothing is known yet.
    """

    def __init__(
        self,
        board: Board,
        seconds_of: Callable[[str], float | None],
        workers: int,
        stream: TextIO | None = None,
    ) -> None:
        self.board, self.seconds_of, self.workers = board, seconds_of, workers
        self.stream = stream or sys.stderr
        self.last_group: dict[int, Group] = {}
        self._started = time.monotonic()
        self._next = self._started + EVERY
        self._bar: Progress | None = None
        self._all: TaskID | None = None
        self._rows: dict[int, TaskID] = {}
        self._told = self._warned = 0
        self._left: tuple[float, str] = (0.0, "")

    def __enter__(self) -> Watch:
        if self.stream.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[left]}"),
            )
            self._bar = Progress(*columns, console=Console(file=self.stream), transient=True)
            self._bar.start()
            self._all = self._bar.add_task("study", total=len(self.board.tasks), left="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def tell(self, line: str) -> None:
        """A line of what is going to be done."""
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            print(line, flush=True)

    def say(self, text: str) -> None:
        """Tell something that should stay to be read; after some of these, only the table of tasks tells the others."""
        self._told += 1
        if self._told > BAD_SHOWN:
            return
        line = f"voxplain: {text}"
        if self._told == BAD_SHOWN:
            line += "\nvoxplain: further failures are in tables/tasks.csv"
        self._print(line)

    def warn(self, text: str) -> None:
        """Tell a warning, likewise; they do not use up the room of failures."""
        self._warned += 1
        if self._warned > BAD_SHOWN:
            return
        line = f"voxplain: warning: {text}"
        if self._warned == BAD_SHOWN:
            line += "\nvoxplain: further warnings are in log.jsonl"
        self._print(line)

    def _print(self, line: str) -> None:
        if self._bar is not None:
            self._bar.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=self.stream, flush=True)

    def show(self, workers: Sequence[Worker]) -> None:
        """Bring what is shown up to date."""
        now = time.monotonic()
        if self._bar is not None:
            self._on_bars(workers)
        elif now >= self._next:
            self._next = now + min(EVERY + SLOWER * (now - self._started), AT_MOST)
            done, bad = len(self.board.outcomes), sum(o.is_bad for o in self.board.outcomes.values())
            failed = f", {bad} failed" if bad else ""
            print(
                f"{done} of {len(self.board.tasks)} tasks{failed}{self._time_left(workers)}; {_doing(workers)}",
                file=self.stream,
                flush=True,
            )

    def _on_bars(self, workers: Sequence[Worker]) -> None:
        assert self._bar is not None
        assert self._all is not None
        self._bar.update(
            self._all, completed=len(self.board.outcomes), left=self._time_left(workers).strip(", ")
        )
        for worker in workers:
            if worker.number not in self._rows:
                self._rows[worker.number] = self._bar.add_task("", total=1, left="")
            what, done, total = worker.doing
            name = worker.task.name if worker.task else "waits"
            self._bar.update(
                self._rows[worker.number],
                description=f"{name}: {what}" if what else name,
                completed=done,
                total=total or None,
            )

    def _time_left(self, workers: Sequence[Worker]) -> str:
        """From what tasks were expected to take, what those that are done took, and how long others have been at work."""
        now = time.monotonic()
        if now - self._left[0] < 2:
            return self._left[1]
        begun = {w.task.name: now - w.since for w in workers if w.task is not None}
        expected = took = 0.0
        open_tasks: list[tuple[float, float]] = []
        for task in self.board.tasks:
            seconds = self.seconds_of(task.name)
            outcome = self.board.outcomes.get(task.name)
            if seconds is None:
                continue
            seconds += EACH
            if outcome is None:
                open_tasks.append((seconds, begun.get(task.name, 0.0)))
            elif outcome.seconds:
                expected, took = expected + seconds, took + outcome.seconds
        factor = took / expected if expected > 1 else 1.0
        left = sum(max(seconds * factor - worked, EACH) for seconds, worked in open_tasks)
        text = f", about {in_words(left / self.workers)} left" if open_tasks else ""
        self._left = now, text
        return text


def _doing(workers: Sequence[Worker]) -> str:
    if workers and all(math.isinf(w.started) for w in workers):
        return "waiting for room on the cluster"
    return ", ".join(_one(w) for w in workers if w.task is not None) or "starting"


def _one(worker: Worker) -> str:
    what, done, total = worker.doing
    assert worker.task is not None
    return f"{worker.task.name} ({what}: {done} of {total})" if what and total else worker.task.name


def in_words(seconds: float) -> str:
    """A time as people say it.

    >>> in_words(42), in_words(600), in_words(9000)
    ('42 s', '10 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
