"""What a driver asks of its workers, wherever they are."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from voxplain.study.planning.task import Task
    from voxplain.study.running.child import Message


@dataclass(eq=False)
class Worker:
    """One that does tasks, and what it does now.

    Attributes:
        ready: whether it has said that it can work.
        task: what it works on; None while it waits.
        since: when it was given that, by the monotonic clock.
        doing: its last word on how far it is.
        ended: whether it was ended on purpose.
        gone: whether its end has been dealt with.
        started: when its process was; infinite while a cluster has no room for it.
    """

    number: int
    device: str
    ready: bool = False
    task: Task | None = None
    since: float = 0.0
    alone: bool = False
    doing: tuple[str, int, int] = ("", 0, 0)
    ended: bool = False
    gone: bool = False
    started: float = field(default_factory=time.monotonic)

    @property
    def idle(self) -> bool:
        return self.ready and self.task is None and not self.ended

    def begin(self, task: Task, order: dict[str, Any]) -> Message:
        """Take on a task; what its process is to be told."""
        self.task, self.since, self.doing = task, time.monotonic(), ("", 0, 0)
        self.alone = bool(order.get("alone"))
        return {"task": task.plain(), **order}


Heard = tuple[Worker, "Message | None"]


class Crew(Protocol):
    """All workers of a driver.

    Attributes:
        devices: one per worker.
        memory: bytes that each may take; None for no limit.
        workers: those that were started last, one per number.
    """

    devices: list[str]
    memory: int | None
    workers: list[Worker]

    def start(self, number: int) -> Worker:
        """Start the worker of that number."""

    def give(self, worker: Worker, task: Task, order: dict[str, Any]) -> None:
        """Give a worker something to do; one that is gone already is heard of as such."""

    def hear(self, seconds: float) -> list[Heard]:
        """What workers say within so many seconds, as soon as one does; None is the end of one, and comes once."""

    def kill(self, worker: Worker) -> int:
        """End one with all that it started; its exit code, negative for a signal."""

    def last_words(self, worker: Worker) -> str:
        """The end of what it printed, in one line."""

    def dismiss(self) -> None:
        """Say to all that there is no more, and wait a little for them to end."""

    def kill_all(self) -> None:
        """End all, whatever they do."""
