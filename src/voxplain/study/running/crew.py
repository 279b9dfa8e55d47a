"""Worker processes: started, given tasks, listened to, ended."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voxplain.study.planning.task import Task

LAST_WORDS = 400  # characters of a worker's log that are told when it ends without a word


@dataclass(eq=False)
class Worker:
    """A process, and what it does now.

    Attributes:
        ready: whether it has said that it can work.
        task: what it works on; None while it waits.
        since: when it was given that, by the monotonic clock.
        doing: its last word on how far it is.
        ended: whether it was ended on purpose.
        gone: whether its end has been dealt with.
    """

    number: int
    device: str
    process: subprocess.Popen[str]
    log: Path
    ready: bool = False
    task: Task | None = None
    since: float = 0.0
    alone: bool = False
    doing: tuple[str, int, int] = ("", 0, 0)
    ended: bool = field(default=False)
    gone: bool = field(default=False)
    started: float = field(default_factory=time.monotonic)
    seen: float = field(default_factory=time.monotonic)

    @property
    def idle(self) -> bool:
        return self.ready and self.task is None and not self.ended


Heard = tuple[Worker, dict[str, Any] | None]


class Crew:
    """All workers of a driver.

    Args:
        settings: of the study, as plain data.
        devices: one per worker.
        threads: of each.
        logs: folder of what workers print.
    """

    def __init__(self, settings: dict[str, Any], devices: list[str], threads: int, logs: Path) -> None:
        self.settings, self.devices, self.threads, self.logs = settings, devices, threads, logs
        self.workers: list[Worker] = []
        self._starts = 0
        self._heard: queue.Queue[Heard] = queue.Queue()

    def start(self, number: int) -> Worker:
        """Start the worker of that number."""
        self.logs.mkdir(parents=True, exist_ok=True)
        self._starts += 1
        log = self.logs / f"worker-{os.getpid()}-{self._starts}.log"
        threads = str(self.threads)
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            "PYTHONUNBUFFERED": "1",
        }
        with log.open("ab") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "voxplain.study.working.process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                encoding="utf-8",
                env=environment,
                # Ctrl-C in a terminal is the driver's; and whatever a worker starts is ended with it
                start_new_session=True,
            )
        worker = Worker(number, self.devices[number], process, log)
        self._send(worker, {"settings": self.settings, "device": worker.device})
        threading.Thread(target=self._listen, args=(worker,), daemon=True).start()
        self.workers = [w for w in self.workers if w.number != number] + [worker]
        return worker

    def give(self, worker: Worker, task: Task, order: dict[str, Any]) -> None:
        """Give a worker something to do; one that is gone already is heard of as such."""
        worker.task, worker.since, worker.doing = task, time.monotonic(), ("", 0, 0)
        worker.alone = bool(order.get("alone"))
        self._send(worker, {"task": task.plain(), **order})

    def hear(self, seconds: float) -> list[Heard]:
        """What workers say within so many seconds, as soon as one does; None is the end of one."""
        found = []
        with suppress(queue.Empty):
            found.append(self._heard.get(timeout=seconds))
            while True:
                found.append(self._heard.get_nowait())
        return found

    def dismiss(self) -> None:
        """Say to all that there is no more, and wait a little for them to end."""
        for worker in self.workers:
            with suppress(OSError, ValueError):
                assert worker.process.stdin is not None
                worker.process.stdin.write("\n")
                worker.process.stdin.close()
        until = time.monotonic() + 5
        for worker in self.workers:
            with suppress(subprocess.TimeoutExpired):
                worker.process.wait(max(until - time.monotonic(), 0.1))
        self.kill_all()

    def kill_all(self) -> None:
        """End all, whatever they do."""
        for worker in self.workers:
            self.kill(worker)
        for worker in self.workers:
            with suppress(OSError):
                if worker.log.stat().st_size == 0:
                    worker.log.unlink()

    @staticmethod
    def kill(worker: Worker) -> int:
        """End one with all that it started; its exit code, negative for a signal."""
        with suppress(OSError):  # what it started may live on after it
            if sys.platform == "win32":
                worker.process.kill()
            else:
                os.killpg(worker.process.pid, signal.SIGKILL)
        code = worker.process.wait()
        with suppress(OSError):
            assert worker.process.stdin is not None
            worker.process.stdin.close()
        return code

    @staticmethod
    def last_words(worker: Worker) -> str:
        """The end of what it printed, in one line."""
        try:
            text = worker.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return " / ".join(lines[-3:])[-LAST_WORDS:]

    def _send(self, worker: Worker, message: dict[str, Any]) -> None:
        assert worker.process.stdin is not None
        with suppress(OSError, ValueError):  # its end is heard of by the listener
            worker.process.stdin.write(json.dumps(message, default=str) + "\n")
            worker.process.stdin.flush()

    def _listen(self, worker: Worker) -> None:
        assert worker.process.stdout is not None
        for line in worker.process.stdout:
            try:
                message = json.loads(line)
            except ValueError:  # cut off by its end
                break
            self._heard.put((worker, message))
        worker.process.stdout.close()
        self._heard.put((worker, None))
