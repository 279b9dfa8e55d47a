"""What runs on a node of the cluster: an actor that keeps one worker process and passes on what that says.

The process is the one that runs without Ray, so that results are bit-equal, its exit code and its signal are known, its
memory can be limited without Ray's own threads hitting the limit, and what hangs in C++ can be ended. It holds the model;
orders and answers are small, since it reads and writes the shared folder itself.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voxplain.study.ledger.journal import versions
from voxplain.study.running.child import Child
from voxplain.study.running.hearing import Hearing

if TYPE_CHECKING:
    from voxplain.study.running.child import Message

# A node's own, whatever the driver has.
NODES_OWN = ("RAY_", "CUDA_", "HIP_", "ROCR_", "NVIDIA_", "SLURM_", "TMPDIR", "HOSTNAME")


@dataclass(frozen=True)
class Surroundings:
    """What a worker must find on its node as it is where the driver runs.

    Attributes:
        folder: in which paths of the settings are relative.
        environment: the driver's; a node's own variables come before it.
        probe: a file in the folder of the results.
        token: that is in it.
        versions: of the software that results depend on.
    """

    folder: str
    environment: Mapping[str, str]
    probe: str
    token: str
    versions: Mapping[str, str]

    def trouble(self) -> str:
        """What is different here, in one line; nothing where all is as it should be."""
        here = socket.gethostname()
        try:
            seen = Path(self.probe).read_text(encoding="ascii")
        except (OSError, UnicodeDecodeError):
            seen = ""
        if seen != self.token:
            return f"node {here} does not see {Path(self.probe).parent}: --out must lie on a disk that all nodes share"
        if not Path(self.folder).is_dir():
            return f"node {here} does not see {self.folder}, where the study was started: all nodes must share it"
        found = versions(self.versions)
        for name, version in self.versions.items():
            if found.get(name) != version:
                return (
                    f"node {here} has {name} {found.get(name, 'not at all')}, the driver {version}: "
                    "install the same versions on all nodes"
                )
        return ""

    def variables(self) -> dict[str, str]:
        """The environment of a worker here."""
        theirs = {k: v for k, v in self.environment.items() if not k.startswith(NODES_OWN)}
        path = {k: v for k, v in theirs.items() if k == "PYTHONPATH"}
        return {**theirs, **os.environ, **path}


class Keeper:
    """The actor; its methods run in threads of their own."""

    def __init__(self) -> None:
        self._said: Hearing[Message | None] = Hearing()
        self._begun = threading.Event()
        self._child: Child | None = None
        self._trouble = ""

    def start(self, around: Surroundings, setup: Message, threads: int, log: str) -> str:
        """Start the process; why that cannot be, or nothing."""
        if trouble := around.trouble():
            return trouble
        threading.Thread(target=self._keep, args=(around, setup, threads, log), daemon=True).start()
        self._begun.wait()
        return self._trouble

    def _keep(self, around: Surroundings, setup: Message, threads: int, log: str) -> None:
        """In a thread that lives as long as the process, which ends with it."""
        try:
            self._child = Child(setup, threads, Path(log), self._said.put, around.folder, around.variables())
        except OSError as error:
            self._trouble = f"node {socket.gethostname()}: {error}"
            return
        finally:
            self._begun.set()
        self._child.wait()

    def give(self, message: Message) -> None:
        """Tell the process something."""
        if self._child is not None:
            self._child.send(message)

    def listen(self, seconds: float) -> list[Message]:
        """What the process says, as soon as it does; its end is a message too, the last."""
        return [self._end() if said is None else said for said in self._said.within(seconds)]

    def end(self) -> int:
        """End the process with all that it started; its exit code."""
        return 0 if self._child is None else self._child.kill()

    def dismiss(self, seconds: float) -> None:
        """Say that there is no more, and wait a little for it to end."""
        if self._child is not None:
            self._child.dismiss()
            self._child.wait(seconds)

    def _end(self) -> Message:
        assert self._child is not None
        return {"event": "ended", "code": self._child.kill(), "words": self._child.last_words()}
