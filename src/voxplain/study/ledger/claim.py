"""Claims on units of work, so that several drivers can share a folder, on one machine or over a shared disk."""

from __future__ import annotations

import json
import os
import socket
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from voxplain.errors import StorageError

BEAT = 5.0  # seconds between signs of life
LEASE = 60.0  # seconds without one after which a claim is nobody's


@dataclass(frozen=True)
class Claim:
    """A unit that is this driver's until it is released."""

    unit: str
    path: Path


class Claims:
    """Exclusive claims on units: files that only one can create, kept alive by their time of change.

    A claim whose driver is gone is taken over by creating the next generation, ``<unit>.<n+1>.claim``, which again only
    one can; so two that find the same dead claim do not both win. Whether a driver is alive is known at once on its own
    machine, elsewhere, and in another container, by its sign of life, whose age is measured by the file system's clock.

    Args:
        folder: of the claims.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._me = {"host": _machine(), "pid": os.getpid(), "born": _born(os.getpid())}
        self._held: dict[str, Claim] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, unit: str) -> Claim | None:
        """The claim, or None where another driver that lives has it.

        Raises:
            StorageError: the folder cannot be written to.
        """
        last = self._last(unit)
        if last is not None and self._alive(last):
            return None
        generation = 0 if last is None else _generation(last) + 1
        path = self.folder / f"{unit}.{generation}.claim"
        if not self._create(path):
            return None
        if any(other != path and self._alive(other) for other in self._all(unit)):
            # while we looked, another took it over and gave it back, and a third has it now
            path.unlink(missing_ok=True)
            return None
        claim = Claim(unit, path)
        with self._lock:
            self._held[unit] = claim
        self._keep_alive()
        return claim

    def release(self, unit: str) -> None:
        """Give a claim back, if it is held; claims of the dead that came before it go with it.

        A later one is another driver's, which took this one for dead: it stays.
        """
        with self._lock:
            claim = self._held.pop(unit, None)
        if claim is None:
            return
        for path in self._all(unit):
            if _generation(path) <= _generation(claim.path):
                with suppress(OSError):
                    path.unlink()

    def release_all(self) -> None:
        """Give everything back."""
        self._stop.set()
        for unit in list(self._held):
            self.release(unit)

    def _all(self, unit: str) -> list[Path]:
        place = self.folder / f"{unit}.claim"
        found = [p for p in place.parent.glob("*.claim") if p.name.rsplit(".", 2)[0] == Path(unit).name]
        return sorted(found, key=_generation)

    def _last(self, unit: str) -> Path | None:
        found = self._all(unit)
        return found[-1] if found else None

    def _create(self, path: Path) -> bool:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{path.parent}: cannot be made: {error.strerror}") from error
        try:
            file = path.open("x", encoding="utf-8")
        except FileExistsError:
            return False
        except OSError as error:
            raise StorageError(f"{path}: cannot be written: {error.strerror}") from error
        try:
            with file:
                json.dump(self._me, file)
        except OSError as error:
            path.unlink(missing_ok=True)  # nobody is to wait for a claim that does not say whose it is
            raise StorageError(f"{path}: cannot be written: {error.strerror}") from error
        return True

    def _alive(self, path: Path) -> bool:
        try:
            owner = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return True  # released a moment ago: the next look will tell
        except (OSError, ValueError):
            owner = None  # being written, or by a driver that died then: its age tells
        if isinstance(owner, dict) and owner.get("host") == self._me["host"] and owner.get("born"):
            return bool(owner["born"] == _born(owner.get("pid")))
        return self._age(path) < LEASE

    def _age(self, path: Path) -> float:
        """Seconds since the last sign of life, both times taken from the file system that holds it."""
        probe = path.with_name(f".{uuid.uuid4().hex}")
        try:
            probe.touch()
            return probe.stat().st_mtime - path.stat().st_mtime
        except OSError:
            return 0.0
        finally:
            with suppress(OSError):
                probe.unlink()

    def _keep_alive(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._beat, daemon=True)
            self._thread.start()

    def _beat(self) -> None:
        while not self._stop.wait(BEAT):
            with self._lock:
                held = list(self._held.values())
            for claim in held:
                with suppress(OSError):
                    os.utime(claim.path)


def _generation(path: Path) -> int:
    text = path.name.rsplit(".", 2)[1]
    return int(text) if text.isdecimal() else -1


def _machine() -> str:
    """What processes have in common that can see each other: the machine since it was started, and the container."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        # containers may share the name of the machine, but not the numbers of processes
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(parts)


def _born(pid: object) -> str | None:
    """When a process of this machine was started, in its own clock; tells it from a later one of the same number.

    None where there is no such process. Where the system does not say, whether there is one.
    """
    if not isinstance(pid, int):
        return None
    try:
        # the name, in brackets, may hold anything; the start is the 20th field after it
        fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
        return None if fields[0] in "ZX" else fields[19]
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
    except OSError:
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass
    return "alive"
