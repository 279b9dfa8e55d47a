"""Progress for people: a bar on a terminal, a few plain lines in a pipe or a log file."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

EVERY = 15.0  # seconds between plain lines


class Show:
    """Called with (what, done, of how many); a context that leaves the terminal clean."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or sys.stderr
        self.doing = ""  # put before what the engine says, such as the method's name
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._what = ""
        self._next = 0.0
        self._started: dict[str, float] = {}
        self.took: dict[str, float] = {}  # seconds between the first and the last word of each kind of work

    def __enter__(self) -> Show:
        if self.stream.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(file=self.stream),
                transient=True,
            )
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` parts are done."""
        now = time.monotonic()
        self.took[what] = now - self._started.setdefault(what, now)
        name = f"{self.doing}: {what}" if not what.startswith(self.doing) else what
        if self._bar is not None:
            self._on_bar(name, done, total)
        else:
            self._on_line(name, done, total)

    def _on_bar(self, name: str, done: int, total: int) -> None:
        assert self._bar is not None
        if self._task is None or name != self._what:
            if self._task is not None:
                self._bar.remove_task(self._task)
            self._task, self._what = self._bar.add_task(name, total=total), name
        self._bar.update(self._task, completed=done, total=total)

    def _on_line(self, name: str, done: int, total: int) -> None:
        now = time.monotonic()
        if name != self._what:
            self._what, self._next = name, now + EVERY
        if now < self._next or not total:
            return
        self._next = now + EVERY
        print(f"{name}: {done} of {total} ({done / total:.0%})", file=self.stream, flush=True)
