"""Tiny studies in real processes, and methods of another package that misbehave."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from command_line import NETS

from voxplain.case import Geometry, write_array

FAULTY = '''
"""Methods that misbehave, as another package brings them."""
import ctypes, os, sys, time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from voxplain.attribution.gradient.plain import Gradient


@dataclass(frozen=True)
class Faulty(Gradient):
    family: ClassVar[str] = "gradient"
    title: ClassVar[str] = "misbehaves"
    source: ClassVar[str] = "this test"
    aliases: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True)
class Hang(Faulty):
    name: ClassVar[str] = "hang"

    def compute(self, problem):
        while True:
            time.sleep(60)


@dataclass(frozen=True)
class Raise(Faulty):
    name: ClassVar[str] = "raise"

    def compute(self, problem):
        raise KeyError("nobody thought of this")


@dataclass(frozen=True)
class Abort(Faulty):
    name: ClassVar[str] = "abort"

    def compute(self, problem):
        print("about to abort", file=sys.stderr, flush=True)
        os.abort()


@dataclass(frozen=True)
class Leave(Faulty):
    name: ClassVar[str] = "leave"

    def compute(self, problem):
        os._exit(7)


@dataclass(frozen=True)
class Slow(Faulty):
    """The gradient, after a while; it notes each time that it is made."""

    name: ClassVar[str] = "slow"
    wait: float = 0.4

    def compute(self, problem):
        with open(os.environ["MADE"], "a") as file:
            file.write(f"{problem.case.id}\\n")
        time.sleep(self.wait)
        return super().compute(problem)


@dataclass(frozen=True)
class Greedy(Faulty):
    """Takes more memory than a worker may have, as long as others are at work."""

    name: ClassVar[str] = "greedy"
    gib: float = 3.0

    def compute(self, problem):
        torch.zeros(int(self.gib * 2**30 / 4)).add_(1)
        return super().compute(problem)


@dataclass(frozen=True)
class Killed(Faulty):
    """Is ended from outside the first time, as by a system that is short of memory."""

    name: ClassVar[str] = "killed"
    times: int = 1

    def compute(self, problem):
        tries = Path(os.environ["MADE"]).with_suffix(".tries")
        count = int(tries.read_text()) if tries.exists() else 0
        tries.write_text(str(count + 1))
        if count < self.times:
            os.kill(os.getpid(), 9)
        return super().compute(problem)
'''
NAMES = ("Hang", "Raise", "Abort", "Leave", "Slow", "Greedy", "Killed")


@dataclass(frozen=True)
class Studied:
    """What a study's command did."""

    code: int
    out: str
    err: str


class Place:
    """A folder with a network, cases, the misbehaving package, and a study of them."""

    def __init__(self, folder: Path, cases: int = 2) -> None:
        self.folder = folder
        (folder / "nets.py").write_text(NETS, encoding="utf-8")
        affine = np.diag([-2.0, 2.0, 2.0, 1.0])
        for number in range(cases):
            image = np.random.default_rng(number).normal(size=(12, 10, 8)).astype(np.float32)
            write_array(folder / f"case-{number}.nii.gz", image, Geometry(affine, image.shape))
        site = folder / "site" / "faulty-1.0.dist-info"
        site.mkdir(parents=True)
        (site.parent / "faulty.py").write_text(FAULTY, encoding="utf-8")
        (site / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n", encoding="utf-8"
        )
        lines = "\n".join(f"{n.lower()} = faulty:{n}" for n in NAMES)
        (site / "entry_points.txt").write_text(f"[voxplain.methods]\n{lines}\n", encoding="utf-8")

    def write(self, methods: str, metrics: str = "[complexity]", more: str = "") -> None:
        (self.folder / "study.yaml").write_text(
            f"models: {{net: 'nets.py:unet'}}\ncases: [{{image: 'case-{{id}}.nii.gz'}}]\ntargets: ['1']\n"
            f"methods: {methods}\nmetrics: {metrics}\nout: out\n{more}",
            encoding="utf-8",
        )

    @property
    def environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(self.folder / "site"), os.environ.get("PYTHONPATH", "")])
        return {
            **os.environ,
            "PYTHONPATH": path,
            "MADE": str(self.folder / "made.txt"),
            "OMP_NUM_THREADS": "1",
        }

    def start(
        self, *words: str, config: str = "study.yaml", command: str = "study", **how: Any
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "voxplain", command, config, *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **how,
        )

    def run(self, *words: str, **how: Any) -> Studied:
        process = self.start(*words, **how)
        out, err = process.communicate(timeout=300)
        return Studied(process.returncode, out, err)

    def marker(self, task: str) -> dict[str, Any]:
        return json.loads(
            (self.folder / "out" / "ledger" / "net" / f"{task}.json").read_text(encoding="utf-8")
        )

    def status(self, task: str) -> tuple[str, str]:
        found = self.marker(task)["result"]
        return found["status"], found.get("note", "")

    @property
    def made(self) -> Counter[str]:
        """How often the slow method was begun, by case."""
        file = self.folder / "made.txt"
        return Counter(file.read_text(encoding="utf-8").split()) if file.exists() else Counter()

    def workers(self) -> list[int]:
        """Processes of this folder's study that are workers and live."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                line = (path / "cmdline").read_bytes()
                here = (path / "cwd").readlink() == self.folder
                gone = (path / "stat").read_text().rpartition(")")[2].split()[0] in "ZX"
            except OSError:
                continue
            if here and b"voxplain.study.working.process" in line and not gone:
                found.append(int(path.name))
        return found


def wait_for(what: Any, seconds: float = 60.0) -> None:
    """Until it is true."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.05)


def kill(process: subprocess.Popen[str]) -> None:
    """As nobody can prepare for."""
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def finished(place: Place) -> dict[str, str]:
    """Finished units and a hash of their markers."""
    found = {}
    root = place.folder / "out" / "ledger"
    for path in root.rglob("*.json"):
        content = path.read_bytes()
        if json.loads(content)["key"] is not None:
            found[path.relative_to(root).as_posix()] = hashlib.sha256(content).hexdigest()
    return found
