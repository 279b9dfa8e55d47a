"""A worker process: takes tasks from its standard input, one line each, and answers on its standard output.

``python -m voxplain.study.working.process``, started by `voxplain.study.running.child`. Lines are JSON. It ends with its
driver: when its input closes, however that came about, nothing is left running.
"""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from voxplain.leaving import leave
from voxplain.study.working.warned import warned

QUIET = 0.5  # seconds between words on progress
DISK_FULL = "disk-full"


def main() -> int:
    """Work until the driver has no more."""
    talk = _Talk()
    try:
        first = talk.next()
        setup = json.loads(first) if first else None
        if setup is None:
            return 0
        work = _Worker(talk, setup)
    except Exception as error:  # noqa: BLE001  told to the driver, who tells it to people
        talk.say({"event": "unable", "note": _one_line(error), "trace": traceback.format_exc()})
        return 1
    talk.say({"event": "ready"})
    while (line := talk.next()) is not None:
        talk.say(work.do(json.loads(line)))
    return 0


class _Talk:
    """Lines from and to the driver; what anything else prints goes to the log, which is standard error."""

    def __init__(self) -> None:
        # the driver's lines must not be mixed with what libraries print
        self._out: IO[str] = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._lock = threading.Lock()
        self._lines: queue.Queue[str | None] = queue.Queue()
        _end_with_parent()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in sys.stdin:
            if not line.strip():
                self._lines.put(None)  # an empty line says: no more
                return
            self._lines.put(line)
        os._exit(1)  # the driver is gone; files that are being written are under temporary names

    def next(self) -> str | None:
        return self._lines.get()

    def say(self, message: dict[str, Any]) -> None:
        with self._lock:
            self._out.write(json.dumps(message, ensure_ascii=False, default=str) + "\n")
            self._out.flush()


class _Worker:
    """Does tasks; whatever they raise becomes an answer."""

    def __init__(self, talk: _Talk, setup: dict[str, Any]) -> None:
        from voxplain.settings.fields import CHECKED
        from voxplain.study.planning.plan import plan
        from voxplain.study.settings.study_config import StudySettings
        from voxplain.study.working.held import Held

        faulthandler.enable()
        _prefer_me_when_memory_is_short()
        self.talk, self._told = talk, 0.0
        import torch

        settings = StudySettings.model_validate(setup["settings"], context=CHECKED)
        torch.set_num_threads(settings.run.threads)
        self.held = Held(plan(settings), setup["device"], self._progress)
        self.held.places.driver = setup["driver"]

    def do(self, order: dict[str, Any]) -> dict[str, Any]:
        """Do one task and say how it went."""
        started = time.perf_counter()
        limit_memory(order.get("memory"))
        self.held.one_by_one = bool(order.get("one_by_one"))
        self.held.network = order.get("network", "")
        with warned() as self.held.warned:
            answer = self._answer(order)
            said = self.held.warned()
        self._told = 0.0
        return {**answer, "took": time.perf_counter() - started, "warnings": said}

    def _answer(self, order: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"event": "done", "result": self._result(order)}
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001  whatever a task does, others go on
            from voxplain.engine.process_memory import ran_out

            status = _status(error, ran_out(error))
            trace = traceback.format_exc()
            if status == "out-of-memory":
                self.held.let_go()
            return {"event": "failed", "status": status, "note": _one_line(error), "trace": trace}

    def _result(self, order: dict[str, Any]) -> dict[str, Any]:
        from voxplain.study.planning.task import Task
        from voxplain.study.working.ask import ask, describe_model
        from voxplain.study.working.games import play_game
        from voxplain.study.working.judge import judge
        from voxplain.study.working.maps import make_maps
        from voxplain.study.working.tables import make_table

        task, key = Task.from_plain(order["task"]), order.get("key", "")
        match task.kind:
            case "model":
                return describe_model(self.held, task)
            case "ask":
                return ask(self.held, task, key, order["question"], tell=order["tell"])
            case "map":
                return make_maps(self.held, task, key, order["map_key"])
            case "judge":
                return judge(self.held, task, key, order["metric_keys"])
            case "table":
                return make_table(self.held, task, key)
            case "game":
                return play_game(self.held, task, key)

    def _progress(self, what: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._told >= QUIET:
            self._told = now
            self.talk.say({"event": "progress", "what": what, "done": done, "total": total})


def _status(error: BaseException, memory: bool) -> str:
    from voxplain.errors import StorageError

    if memory or isinstance(error, MemoryError):
        return "out-of-memory"
    return DISK_FULL if isinstance(error, StorageError) else "failed"


def _one_line(error: BaseException) -> str:
    from voxplain.errors import VoxplainError

    text = " ".join(str(error).split())
    if isinstance(error, VoxplainError):
        return text
    return f"unexpected {type(error).__name__}: {text or 'no message'}"


def limit_memory(limit: float | None) -> None:
    """Let this process take no more than so many bytes of memory of its own; None for no limit."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    wanted = resource.RLIM_INFINITY if limit is None else int(limit)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    if most != resource.RLIM_INFINITY:
        wanted = most if wanted == resource.RLIM_INFINITY else min(wanted, most)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, most))


def _end_with_parent() -> None:
    """On Linux the kernel ends this process with its driver, even while it is in the middle of a convolution."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _prefer_me_when_memory_is_short() -> None:
    """Where all memory is used up, the kernel ends a worker, which is started again, and not the driver."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


if __name__ == "__main__":
    leave(main())
