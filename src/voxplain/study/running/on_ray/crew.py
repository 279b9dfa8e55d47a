"""Workers of a Ray cluster, as the driver sees them."""

from __future__ import annotations

import math
import os
import re
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxplain.study.places import driver_name
from voxplain.study.running.child import LAST_WORDS
from voxplain.study.running.crew import Heard, Worker
from voxplain.study.running.hearing import Hearing
from voxplain.study.running.on_ray.keeper import Keeper, Surroundings

if TYPE_CHECKING:
    from voxplain.study.planning.task import Task
    from voxplain.study.running.on_ray.slots import Slots

LISTEN = 20.0  # seconds after which a keeper answers though its process says nothing
ENDING = 5.0  # seconds in which a keeper must have ended its process
KILLED, LOST = -9, 1  # how a process ended of which only that is known: it was killed; its node is gone
IN_ITS_MAKING = "error raised in its creation task"  # Ray's words where a node lacks what a keeper imports
THREADS = 4  # of a keeper: it listens, and is told something meanwhile


@dataclass(eq=False)
class _Hand:
    """An actor, and how its process ended.

    Attributes:
        placed: whether the cluster has found room for it.
        code: of its process, once that has ended.
    """

    actor: Any
    log: Path
    placed: bool = False
    code: int | None = None
    words: str = ""


class RayCrew:
    """All workers of a driver on a cluster; a `voxplain.study.running.crew.Crew`.

    Args:
        ray: connected.
        settings: of the study, as plain data.
        logs: folder of what workers print, which all nodes see.
    """

    def __init__(
        self, ray: Any, settings: dict[str, Any], slots: Slots, logs: Path, around: Surroundings
    ) -> None:
        self.ray, self.settings, self.slots, self.logs, self.around = ray, settings, slots, logs, around
        self.devices, self.memory = slots.devices, slots.memory
        self.workers: list[Worker] = []
        self._hands: dict[Worker, _Hand] = {}
        self._starts = 0
        self._hearing: Hearing[Heard] = Hearing()
        self._keeper = ray.remote(Keeper).options(
            num_cpus=slots.cpus,
            num_gpus=slots.gpus,
            max_concurrency=THREADS,
            max_restarts=0,
            max_task_retries=0,
        )

    def start(self, number: int) -> Worker:
        self._starts += 1
        worker = Worker(number, self.devices[number], started=math.inf)
        for before in [w for w in self.workers if w.number == number]:
            self.workers.remove(before)
            _tidy(self._hands.pop(before).log)
        log = self.logs / f"worker-{self.driver}-{self._starts}.log"
        hand = _Hand(self._keeper.remote(), log)
        self._hands[worker] = hand
        self.workers.append(worker)
        threading.Thread(target=self._listen, args=(worker, hand), daemon=True).start()
        return worker

    @property
    def driver(self) -> str:
        """This process, among all that share the folder."""
        return driver_name(os.getpid())

    def give(self, worker: Worker, task: Task, order: dict[str, Any]) -> None:
        self._hands[worker].actor.give.remote(worker.begin(task, order))

    def hear(self, seconds: float) -> list[Heard]:
        return self._hearing.within(seconds)

    def kill(self, worker: Worker) -> int:
        hand = self._hands[worker]
        self._end([hand])
        assert hand.code is not None
        return hand.code

    def last_words(self, worker: Worker) -> str:
        return self._hands[worker].words

    def dismiss(self) -> None:
        living = [h for h in self._hands.values() if h.placed and h.code is None]
        self._wait([h.actor.dismiss.remote(ENDING) for h in living])
        self.kill_all()

    def kill_all(self) -> None:
        self._end(list(self._hands.values()))
        for hand in self._hands.values():
            _tidy(hand.log)

    def _end(self, hands: list[_Hand]) -> None:
        """First the processes, by their keepers; then the keepers."""
        ends = {h: h.actor.end.remote() for h in hands if h.placed and h.code is None}
        self._wait(list(ends.values()))
        for hand in hands:
            if hand.code is None:
                hand.code = KILLED
                if hand in ends:
                    with suppress(self.ray.exceptions.RayError):
                        hand.code = self.ray.get(ends[hand], timeout=0)
            self.ray.kill(hand.actor)

    def _wait(self, refs: list[Any]) -> None:
        if refs:
            self.ray.wait(refs, num_returns=len(refs), timeout=ENDING + 1)

    def _listen(self, worker: Worker, hand: _Hand) -> None:
        """Until the process, or its keeper, is gone."""
        errors = self.ray.exceptions
        try:
            trouble = self._begin(worker, hand)
            if trouble:
                self._hearing.put((worker, {"event": "unable", "note": trouble}))
            while hand.code is None and not trouble:
                for message in self.ray.get(hand.actor.listen.remote(LISTEN)):
                    if message["event"] == "ended":
                        hand.words, hand.code = message["words"], message["code"]
                    else:
                        self._hearing.put((worker, message))
        except errors.RayTaskError as error:
            self._hearing.put((worker, {"event": "unable", "note": _line(error.cause or error)}))
        except (errors.ActorDiedError, errors.OutOfMemoryError) as error:
            self._died(worker, hand, _line(error))
        except Exception as error:  # noqa: BLE001  the connection is gone
            hand.words, hand.code = _line(error), LOST
        finally:
            self._hearing.put((worker, None))

    def _died(self, worker: Worker, hand: _Hand, text: str) -> None:
        """The actor is gone, with its process."""
        if IN_ITS_MAKING in text:
            note = f"a worker of the cluster cannot be made: {text.rpartition('Error: ')[2]}"
            self._hearing.put((worker, {"event": "unable", "note": note}))
        hand.words, hand.code = how_it_died(text)

    def _begin(self, worker: Worker, hand: _Hand) -> str:
        """Wait for room, and for the process to be started there; why it cannot be."""
        setup = {"settings": self.settings, "device": worker.device, "driver": self.driver}
        begun = hand.actor.start.remote(self.around, setup, self.slots.cpus, str(hand.log))
        trouble: str = self.ray.get(begun)
        hand.placed, worker.started = True, time.monotonic()
        return trouble


def how_it_died(text: str) -> tuple[str, int]:
    """The gist of what Ray says of a dead actor, and an exit code for it: one that was killed may have lacked memory.

    >>> how_it_died("The actor died because its node has died. Node Id: 9a")
    ('its node has died', 1)
    """
    gist = re.search(r"its node has died|the node running low on memory|Worker exit type: \S+", text)
    return (gist[0] if gist else text[:LAST_WORDS]), (LOST if "its node has died" in text else KILLED)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _tidy(log: Path) -> None:
    """Remove the log of one that never printed anything."""
    with suppress(OSError):
        if log.stat().st_size == 0:
            log.unlink()
