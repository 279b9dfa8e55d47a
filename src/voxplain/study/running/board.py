"""Which tasks are settled, which can be done now, and under which keys."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from voxplain.study.ledger.fingerprint import of_parts
from voxplain.study.ledger.ledger import Ledger
from voxplain.study.places import Places
from voxplain.study.planning.keys import Keys
from voxplain.study.planning.task import AGREEMENT, ALL_MAPS, NULLS, Task
from voxplain.study.running.outcome import Outcome

if TYPE_CHECKING:
    from voxplain.study.planning.plan import Plan

Group = tuple[str, int]
Order = dict[str, Any]
LOOK_AGAIN = 2.0  # seconds after which a group that another driver works on is looked at again


class Board:
    """The state of a run.

    Args:
        groups: models and cases that are this driver's to do.
    """

    def __init__(self, plan: Plan, groups: list[Group]) -> None:
        self.plan, self.places = plan, Places(plan)
        self.ledger = Ledger(plan.settings.out, trusting=True)
        self.outcomes: dict[str, Outcome] = {}
        self.models: dict[str, dict[str, Any]] = {}
        self.keys = Keys(plan, {})
        self.asked: dict[Group, dict[str, Any]] = {}
        self._map_keys: dict[Group, dict[str, str]] = {}
        self._needs_working: dict[Group, bool] = {}
        self._waits: dict[Group, float] = {}
        mine = set(groups)
        self.tasks = [t for t in plan.tasks if t.group in mine or t.kind == "model"]
        # the first case of each model tells the costs of all
        self.tellers = {next(g for g in groups if g[0] == model) for model in {g[0] for g in groups}}
        self.pending: dict[Group, list[Task]] = {}
        for task in self.tasks:
            self.pending.setdefault(task.group, []).append(task)

    def settle(self, task: Task, outcome: Outcome) -> None:
        """A task has ended; what it found is there for those that need it."""
        self.outcomes[task.name] = outcome
        left = self.pending.get(task.group, [])
        if task in left:
            left.remove(task)
        if not left:
            self.pending.pop(task.group, None)
        if outcome.status != "ok":
            return
        if task.kind == "ask":
            self.asked[task.group] = self.ledger.last(task.name)
        if task.kind == "map":
            self._map_keys.setdefault(task.group, {})[task.who] = self.keys.map(task)

    def know_model(self, task: Task, found: dict[str, Any]) -> None:
        """A model's own task is done."""
        self.models[task.model] = found
        self.keys.models = {**self.keys.models, task.model: found["key"]}
        self.settle(task, Outcome("ok"))

    def ready(self, group: Group, running: set[str]) -> Iterator[Task]:
        """Tasks of a group that can be done now; those that need not be done are settled on the way."""
        for task in list(self.pending.get(group, ())):
            if task.name in running or task.name in self.outcomes:
                continue
            if any(need not in self.outcomes for need in task.needs):
                continue
            if (found := self._without_work(task)) is not None:
                self.settle(task, found)
                continue
            yield task

    def tells(self, group: Group) -> bool:
        """Whether the costs of its model are still to be found out there, which comes first."""
        return group in self.tellers and group not in self.asked

    def waits(self, group: Group) -> bool:
        """Whether another driver works on it, as far as was seen a moment ago."""
        return self._waits.get(group, 0.0) > time.monotonic()

    def wait(self, group: Group) -> None:
        """Another driver has a claim there."""
        self._waits[group] = time.monotonic() + LOOK_AGAIN

    def _without_work(self, task: Task) -> Outcome | None:
        """How a task ends that needs no worker: refused, blocked, or done before."""
        if task.kind == "model":
            return None
        if (blocked := self._blocked(task)) is not None:
            return blocked
        if task.kind == "judge" and not self.order(task)["metric_keys"]:
            return Outcome("refused", "no metric of this kind can be taken here", earlier=True)
        return self.done(task)

    def done(self, task: Task) -> Outcome | None:
        """The outcome of a task that an earlier run, or another driver, has finished."""
        found = self.ledger.done(task.name, self.order(task)["key"])
        if found is None:
            return None
        if task.kind == "ask" and task.group in self.tellers and "methods" not in found:
            return None  # asked when another case told the costs
        if found.get("status") == "refused":
            return Outcome("refused", found["note"], earlier=True)
        if task.kind == "map" and self._is_wanted(task) and not self.places.working(task, task.who).is_file():
            return None
        return Outcome("ok", earlier=True)

    def _blocked(self, task: Task) -> Outcome | None:
        if any(self.outcomes[n].status != "ok" for n in task.needs if self._kind(n) in ("model", "ask")):
            return Outcome("blocked", "the model cannot be asked about this case")
        if task.kind == "judge" and task.who not in (ALL_MAPS, NULLS):
            made = self.outcomes[f"{self.plan.folder(task)}/map-{task.who}"]
            if made.status == "refused":
                return Outcome("refused", made.note, earlier=True)
            if made.status != "ok":
                return Outcome("blocked", f"there are no maps ({made.status})")
        if task.who == ALL_MAPS and not self._map_keys.get(task.group):
            return Outcome("blocked", "there are no maps")
        return None

    def _kind(self, name: str) -> str:
        return self.plan.by_name[name].kind

    def order(self, task: Task) -> Order:
        """What a worker must know to do a task, its key among it."""
        match task.kind:
            case "model":
                return {"key": ""}
            case "ask":
                shown = self.plan.settings.maps.model_dump(mode="json", include={"save", "format"})
                question = self.keys.ask(*task.group)
                parts = {"ask": question, "shown": shown, "costs": self.keys.costs}
                tell = task.group in self.tellers
                return {"key": of_parts(parts), "question": question, "tell": tell, **self._network(task)}
            case "map":
                return {"key": self.keys.shown(task), "map_key": self.keys.map(task), **self._network(task)}
            case "table":
                return {"key": self.keys.table(task), **self._network(task)}
            case "game":
                return {"key": self.keys.game(task), **self._network(task)}
            case "judge":
                unable = self.asked.get(task.group, {}).get("unable", {})
                maps = self._judged_maps(task)
                keys = {
                    name: self.keys.metric(task, name, maps)
                    for name in self.plan.metrics_of(task)
                    if name not in unable
                }
                if task.who == ALL_MAPS:
                    keys[AGREEMENT] = self.keys.agreement(maps)
                return {"key": of_parts(keys), "metric_keys": keys, **self._network(task)}

    def _network(self, task: Task) -> Order:
        """What a worker's own copy of the model must be."""
        return {"network": self.keys.models[task.model]}

    def _judged_maps(self, task: Task) -> dict[str, str]:
        if task.who == NULLS:
            return {}
        made = self._map_keys.get(task.group, {})
        return dict(sorted(made.items())) if task.who == ALL_MAPS else {task.who: made.get(task.who, "")}

    def _is_wanted(self, task: Task) -> bool:
        """Whether a map on the network's grid is needed, since something of its group is still to be judged."""
        if task.group not in self._needs_working:
            self._needs_working[task.group] = self._to_be_judged(task.group)
        return self._needs_working[task.group]

    def _to_be_judged(self, group: Group) -> bool:
        """Looked at as if all maps whose markers say so were there."""
        tasks = self.pending.get(group, [])
        made, unmade = {}, set()
        for task in (t for t in tasks if t.kind == "map"):
            found = self.ledger.done(task.name, self.keys.shown(task))
            if found is None:
                unmade.add(task.who)
            elif found.get("status") == "ok":
                made[task.who] = self.keys.map(task)
        if unmade:
            return True  # maps that are still to come are compared with the others
        before, self._map_keys[group] = self._map_keys.get(group, {}), made | self._map_keys.get(group, {})
        try:
            judging = [t for t in tasks if t.kind == "judge"]
            refused = {t.who for t in tasks if t.kind == "map"} - made.keys()
            wanted = [t for t in judging if t.who not in refused and self.order(t)["metric_keys"]]
            return any(self.ledger.done(t.name, self.order(t)["key"]) is None for t in wanted)
        finally:
            self._map_keys[group] = before
