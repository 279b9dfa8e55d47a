"""Warnings of workers, told to the person who waits and noted in the log: once per case and text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voxplain.study.ledger.journal import Journal
    from voxplain.study.planning.plan import Plan
    from voxplain.study.planning.task import Task
    from voxplain.study.running.watch import Watch


class Warned:
    """What was warned of in this run.

    Args:
        journal: None where nothing is noted.
    """

    def __init__(self, plan: Plan, watch: Watch, journal: Journal | None) -> None:
        self.plan, self.watch, self.journal = plan, watch, journal
        self._told: set[tuple[str, str]] = set()

    def hear(self, task: Task, texts: Iterable[str]) -> None:
        """A task has ended, and warned of this."""
        about = subject(self.plan, task)
        for text in (without(about, t) for t in texts):
            if (about, text) in self._told:
                continue
            self._told.add((about, text))
            self.watch.warn(f"{about}: {text}")
            if self.journal is not None:
                self.journal.note("warning", task=task.name, text=text)


def subject(plan: Plan, task: Task) -> str:
    """Whom a warning of a task is about: its case, or the model while that is loaded."""
    return task.model if task.kind == "model" else plan.case_ids[task.case]


def without(subject: str, text: str) -> str:
    """A text without the name that it may begin with.

    >>> without("case-1", "case-1: windows are too small")
    'windows are too small'
    """
    return text.removeprefix(f"{subject}: ")
