"""Results of earlier settings: they lie in the folder, but the next run would make them anew."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from voxplain.study.running.outcome import Outcome
from voxplain.study.working.judge import known

if TYPE_CHECKING:
    from voxplain.study.planning.task import Task
    from voxplain.study.running.board import Board

NAMED = 6  # kinds of tasks that are named


def of_earlier_settings(board: Board) -> str:
    """How many results are there under other keys than today's, and of which tasks; empty where all are of today.

    Args:
        board: nothing of which is settled. Afterwards it knows the models as they were last loaded, since no network is
            loaded to see whether it has changed, and what is there of today's settings.
    """
    for task in (t for t in board.plan.tasks if t.kind == "model"):
        last = board.ledger.last(task.name)
        same = last.get("given") == board.plan.settings.models[task.model].given
        board.know_model(task, last if same else {**last, "key": ""})
    there = [
        t for t in board.plan.tasks if t.kind != "model" and board.ledger.last(t.name).get("status") == "ok"
    ]
    earlier = [t for t in there if not _settled(board, t)]
    if not earlier:
        return ""
    counted = Counter(t.name.rsplit("/", 1)[1] for t in earlier)
    kinds = [f"{n} of {name}" for name, n in counted.most_common(NAMED)]
    told = ", ".join(kinds) + (", …" if len(counted) > NAMED else "")
    return (
        f"{len(earlier)} of {len(there)} results are of other settings, files or versions than today's: {told}; "
        "run without --compare-only to make them anew"
    )


def _settled(board: Board, task: Task) -> bool:
    """Whether the task's result is of today; what depends on it is then known, too."""
    today = _is_of_today(board, task)
    if today:
        board.settle(task, Outcome("ok", earlier=True))
    return today


def _is_of_today(board: Board, task: Task) -> bool:
    """By the part of the key that decides what the numbers are: how they are written, and costs, do not count."""
    order, last = board.order(task), board.ledger.last(task.name)
    match task.kind:
        case "ask":
            return bool(last.get("question") == order["question"])
        case "map":
            return bool(last.get("map") == order["map_key"])
        case "judge":
            figures, keys = known(board.places.figures(task)), order["metric_keys"]
            return all(figures[name]["key"] == key for name, key in keys.items() if name in figures)
        case _:
            return bool(board.ledger.key(task.name) == order["key"])
