"""One worker process: started, written to, listened to, ended with all that it started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

Message = dict[str, Any]

LAST_WORDS = 400  # characters of a worker's log that are told when it ends without a word
GRACE = 2.0  # seconds in which a dead worker's last words are listened for


class Child:
    """A process of `voxplain.study.working.process`.

    It ends with the thread that made it, on Linux: whoever makes it stays.

    Args:
        setup: what it is told first.
        threads: of it on the CPU.
        log: what it prints is appended to this file.
        hear: told each of its messages, and once None, after the last of them: its end.
        folder: that it works in; this process's where not given.
        environment: that it gets; this process's where not given.
    """

    def __init__(
        self,
        setup: Message,
        threads: int,
        log: Path,
        hear: Callable[[Message | None], None],
        folder: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.log, self._hear = log, hear
        log.parent.mkdir(parents=True, exist_ok=True)
        given = dict(os.environ if environment is None else environment)
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "voxplain.study.working.process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
                encoding="utf-8",
                cwd=folder,
                env={
                    **given,
                    "OMP_NUM_THREADS": str(threads),
                    "MKL_NUM_THREADS": str(threads),
                    "PYTHONUNBUFFERED": "1",
                },
                # Ctrl-C in a terminal is the driver's; and whatever a worker starts is ended with it
                start_new_session=True,
            )
        self.send(setup)
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        threading.Thread(target=self._tell_end, daemon=True).start()

    def send(self, message: Message) -> None:
        """Tell it something; where it is gone already, its end is heard of."""
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps(message, default=str) + "\n")
            self._process.stdin.flush()

    def dismiss(self) -> None:
        """Say that there is no more."""
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):
            self._process.stdin.write("\n")
            self._process.stdin.close()

    def wait(self, seconds: float | None = None) -> None:
        """Until it has ended, or so long."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def kill(self) -> int:
        """End it with all that it started; its exit code, negative for a signal."""
        self._kill_group()
        code = self._process.wait()
        with suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()
        return code

    def last_words(self) -> str:
        """The end of what it printed, in one line."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return " / ".join(lines[-3:])[-LAST_WORDS:]

    def tidy(self) -> None:
        """Remove its log, if it never printed anything."""
        with suppress(OSError):
            if self.log.stat().st_size == 0:
                self.log.unlink()

    def _kill_group(self) -> None:
        with suppress(OSError):  # what it started may live on after it
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                message = json.loads(line)
            except ValueError:  # cut off by its end
                break
            self._hear(message)
        self._process.stdout.close()

    def _tell_end(self) -> None:
        self._process.wait()
        self._listener.join(GRACE)
        if self._listener.is_alive():  # what it started holds its end of the pipe open
            self._kill_group()
            self._listener.join(GRACE)
        self._hear(None)
