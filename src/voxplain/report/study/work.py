"""What did not work, and what the rest cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from voxplain.report.study.page import TaskRow

FINE = ("ok",)


@dataclass(frozen=True)
class Trouble:
    """Tasks of one kind that ended the same way."""

    who: str
    status: str
    reason: str
    cases: tuple[str, ...]


@dataclass(frozen=True)
class Cost:
    """What a method, or a group of metrics, took: means over the tasks that were done, and the largest memory."""

    who: str
    done: int
    tasks: int
    seconds: float
    forward: float
    backward: float
    peak_mb: float


def troubles(tasks: Iterable[TaskRow]) -> tuple[Trouble, ...]:
    """All that is not fine, those with one reason together; failures before refusals."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for task in tasks:
        if task.status not in FINE:
            found.setdefault((task.who, task.status, task.reason), []).append(task.case)
    made = [Trouble(*key, tuple(cases)) for key, cases in found.items()]
    last = ("refused", "absent", "not done")
    return tuple(sorted(made, key=lambda t: last.index(t.status) + 1 if t.status in last else 0))


def costs(tasks: Iterable[TaskRow], kind: str) -> tuple[Cost, ...]:
    """Cost per method (``map``) or group of metrics (``metric``), in order of appearance."""
    own = [t for t in tasks if t.kind == kind]
    return tuple(_cost(who, [t for t in own if t.who == who]) for who in dict.fromkeys(t.who for t in own))


def _cost(who: str, tasks: list[TaskRow]) -> Cost:
    done = [t for t in tasks if t.status in FINE]
    return Cost(
        who,
        len(done),
        len(tasks),
        _mean([t.seconds for t in done]),
        _mean([t.forward for t in done]),
        _mean([t.backward for t in done]),
        max((t.peak_mb for t in done if np.isfinite(t.peak_mb)), default=float("nan")),
    )


def _mean(values: list[float] | list[int]) -> float:
    known = [v for v in values if np.isfinite(v)]
    return float(np.mean(known)) if known else float("nan")
