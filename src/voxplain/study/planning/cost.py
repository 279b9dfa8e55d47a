"""What tasks will take, from what the network said of passes and how long one took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voxplain.engine.passes import Passes

if TYPE_CHECKING:
    from voxplain.study.planning.plan import Plan
    from voxplain.study.planning.task import Task

WORDS = {
    "ask": "predictions",
    "map": "maps",
    "judge": "metrics",
    "table": "region tables",
    "game": "region games",
}
Asked = Mapping[tuple[str, int], Mapping[str, Any]]


@dataclass(frozen=True)
class Costs:
    """Expected passes and seconds of tasks; every case of a model costs what its first one does.

    Args:
        asked: (model, case) -> what its asking task found.
    """

    plan: Plan
    asked: Asked

    def passes(self, task: Task) -> Passes | None:
        """Of a task; None where nothing is known yet, or it could not be told."""
        told = self._told(task)
        if told is None:
            return None
        if task.kind == "ask":
            return Passes(**told["passes"])
        if task.kind == "map":
            return Passes(**told["methods"].get(task.who, {}))
        if task.kind in ("table", "game"):
            return Passes(**told[f"{task.kind}s"].get(task.who, {}))
        if task.kind == "judge":
            return self._judging(task, told)
        return Passes()

    def seconds(self, task: Task) -> float | None:
        """Of a task; a backward pass to the input takes about as long as a forward pass."""
        told, passes = self._told(task), self.passes(task)
        if told is None or passes is None:
            return None
        return float((passes.forward + passes.backward) * told["pace"])

    def _told(self, task: Task) -> Mapping[str, Any] | None:
        return next((f for (m, _), f in self.asked.items() if m == task.model and "methods" in f), None)

    def _judging(self, task: Task, told: Mapping[str, Any]) -> Passes | None:
        total, known = Passes(), False
        for name in self.plan.metrics_of(task):
            found = told["metrics"].get(name)
            if found is not None:
                known = True
                total += Passes(**found.get(task.who, {}))
        return total if known or not told["metrics"] else None


def told(costs: Costs, tasks: Sequence[Task], workers: int) -> list[str]:
    """The expected cost of tasks, one line per kind and one for all."""
    from voxplain.study.running.watch import in_words

    lines, all_passes, all_seconds = [], Passes(), 0.0
    for kind, words in WORDS.items():
        if kind != "ask" and not any(t.kind == kind for t in tasks):
            continue
        passes, seconds, unknown = Passes(), 0.0, 0
        for task in (t for t in tasks if t.kind == kind):
            found = costs.passes(task)
            unknown += found is None
            passes += found or Passes()
            seconds += costs.seconds(task) or 0.0
        doubt = f", {unknown} tasks not told" if unknown else ""
        lines.append(f"{words}: about {passes}, {in_words(seconds)}{doubt}")
        all_passes, all_seconds = all_passes + passes, all_seconds + seconds
    on = f"{workers} workers" if workers > 1 else "one worker"
    return [*lines, f"all: about {all_passes}, {in_words(all_seconds / workers)} on {on}"]
