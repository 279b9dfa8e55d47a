"""Workers that are processes of this machine."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxplain.study.places import driver_name
from voxplain.study.running.child import Child
from voxplain.study.running.crew import Heard, Worker
from voxplain.study.running.hearing import Hearing

if TYPE_CHECKING:
    from voxplain.study.planning.task import Task


class LocalCrew:
    """All workers of a driver on its own machine; a `voxplain.study.running.crew.Crew`.

    Args:
        settings: of the study, as plain data.
        devices: one per worker.
        threads: of each.
        memory: bytes that each may take; None for no limit.
        logs: folder of what workers print.
    """

    def __init__(
        self, settings: dict[str, Any], devices: list[str], threads: int, memory: int | None, logs: Path
    ) -> None:
        self.settings, self.devices, self.threads = settings, devices, threads
        self.memory, self.logs = memory, logs
        self.workers: list[Worker] = []
        self._children: dict[Worker, Child] = {}
        self._starts = 0
        self._hearing: Hearing[Heard] = Hearing()

    def start(self, number: int) -> Worker:
        self._starts += 1
        worker = Worker(number, self.devices[number])
        for before in [w for w in self.workers if w.number == number]:
            self.workers.remove(before)
            self._children.pop(before).tidy()
        self._children[worker] = Child(
            {"settings": self.settings, "device": worker.device, "driver": driver_name(os.getpid())},
            self.threads,
            self.logs / f"worker-{os.getpid()}-{self._starts}.log",
            lambda message: self._hearing.put((worker, message)),
        )
        self.workers.append(worker)
        return worker

    def give(self, worker: Worker, task: Task, order: dict[str, Any]) -> None:
        self._children[worker].send(worker.begin(task, order))

    def hear(self, seconds: float) -> list[Heard]:
        return self._hearing.within(seconds)

    def kill(self, worker: Worker) -> int:
        return self._children[worker].kill()

    def last_words(self, worker: Worker) -> str:
        return self._children[worker].last_words()

    def dismiss(self) -> None:
        children = list(self._children.values())
        for child in children:
            child.dismiss()
        until = time.monotonic() + 5
        for child in children:
            child.wait(max(until - time.monotonic(), 0.1))
        self.kill_all()

    def kill_all(self) -> None:
        for child in self._children.values():
            child.kill()
        for child in self._children.values():
            child.tidy()
