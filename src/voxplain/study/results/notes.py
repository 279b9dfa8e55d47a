"""What a reader of the pages must know first: what was left out, assumed or warned of, and what no case has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from voxplain.study.running.warned import subject, without

if TYPE_CHECKING:
    from voxplain.study.planning.task import Task
    from voxplain.study.running.board import Board

NAMED = 6  # cases or targets that are named in a line


def notes(board: Board) -> list[str]:
    """Notes on images and warnings of all tasks that were ever done, so that none is lost where a run goes on.

    Cases of which the same is said share a line.
    """
    about: dict[str, dict[str, None]] = {}
    for task in board.plan.tasks:
        own = subject(board.plan, task)
        for text in _said(task, board.ledger.last(task.name)):
            about.setdefault(without(own, text), {})[own] = None
    return [f"{listed(list(names))}: {text}" for text, names in about.items()]


def _said(task: Task, found: dict[str, Any]) -> Iterable[str]:
    yield from found.get("notes", ()) if task.kind == "ask" else ()
    # doubts about a game's baseline stand with the game
    beside = found.get("warning") if task.kind == "game" else None
    yield from (w for w in found.get("warnings", ()) if not (beside and beside in w))


def nowhere(board: Board) -> list[str]:
    """A line for each model some of whose targets no case has, though they were asked about."""
    lines = []
    for model in board.plan.settings.models:
        asks = [t for t in board.plan.tasks if t.kind == "ask" and t.model == model]
        targets = [t for task in asks for t in board.ledger.last(task.name).get("targets", ())]
        every = list(dict.fromkeys(t["name"] for t in targets))
        there = {t["name"] for t in targets if t["status"] == "ok"}
        gone = [name for name in every if name not in there]
        if gone:
            what = "target is" if len(gone) == 1 else "targets are"
            told = f"{len(gone)} of {len(every)} {what} absent in every case, so nothing is told of them"
            lines.append(f"{model}: {told}: {listed(gone)}")
    return lines


def listed(names: Sequence[str]) -> str:
    """The first few names.

    >>> listed(["a", "b"]), listed([str(n) for n in range(9)])
    ('a, b', '0, 1, 2, 3, 4, 5 and 3 more')
    """
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
