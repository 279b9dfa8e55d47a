"""What other drivers have left to do, as far as the ledger says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxplain.study.running.board import Board
from voxplain.study.running.outcome import BAD, Outcome

if TYPE_CHECKING:
    from voxplain.study.planning.task import Task
    from voxplain.study.running.board import Group


def unsettled(board: Board, group: Group) -> list[Task]:
    """Tasks of a model and case that nobody has done under today's keys, nor failed at.

    Args:
        board: of this run, which knows the hashes of all models.
    """
    other = Board(board.plan, [group])
    other.tellers = set()
    for task in [t for t in other.tasks if t.kind == "model"]:
        other.know_model(task, board.models[task.model])
    while True:
        failed = [
            (task, status)
            for task in other.ready(group, set())
            if (status := board.ledger.last(task.name).get("status")) in BAD
        ]
        before = len(other.outcomes)
        for task, status in failed:
            other.settle(task, Outcome(status))
        if not failed and not list(_settled_now(other, group, before)):
            return list(other.pending.get(group, ()))


def _settled_now(other: Board, group: Group, before: int) -> list[Task]:
    """Whether looking again settles more: tasks become ready when those that they need are settled."""
    list(other.ready(group, set()))
    return [t for t in other.tasks if t.name in other.outcomes][before:]
