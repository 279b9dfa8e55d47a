"""How far work is: a bar on a terminal, nothing in a pipe or log file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Shown = Callable[[str, int, int], None]


@contextmanager
def shown(what: str, wanted: bool = True) -> Iterator[Shown]:
    """Called with what is done, how much of it, and of how much."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(file=sys.stderr)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=not (wanted and console.is_terminal),
    ) as bar:  # fmt: skip
        task = bar.add_task(what)

        def show(doing: str, done: int, total: int) -> None:
            bar.update(task, description=doing, completed=done, total=total)

        yield show
