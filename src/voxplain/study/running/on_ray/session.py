"""A connection to a Ray cluster: one that is there, or one of this machine that ends with the driver."""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from voxplain.errors import InputError
from voxplain.study.running.on_ray.guard import MARK, PATIENCE

if TYPE_CHECKING:
    from voxplain.study.running.on_ray.slots import Slots

LOCAL, FOUND = "local", "auto"
REACHED = 5.0  # seconds in which a cluster must answer
SHORT = 40  # characters of a folder under which Ray can still make its sockets
OBJECTS = 80 * 2**20  # bytes of Ray's object store, about the least that it takes: nothing large travels
LONGEST = 300  # characters of what Ray says
# Nothing is reported to anybody, nor told to people who did not ask. On a cluster of this machine, Ray would make workers
# nicer than the driver, and end them by an idea of memory of its own.
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_SCHEDULER_EVENTS": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",
    "RAY_worker_niceness": "0",
    "RAY_memory_monitor_refresh_ms": "0",
}


def checked_address(address: str) -> str:
    """An address that can be tried, and Ray is there to do it.

    Raises:
        InputError: it is none, or Ray is not installed.
    """
    if address.startswith("ray://"):
        raise InputError(
            f"--ray: found {address!r}, a Ray Client; run the study on a node of the cluster, with HOST:PORT or auto"
        )
    if address not in (LOCAL, FOUND) and not re.fullmatch(r"[^\s/]+:\d{1,5}", address):
        raise InputError(
            f"--ray: found {address!r}, expected HOST:PORT, auto, or nothing for a cluster of this machine alone"
        )
    imported(address)
    return address


def imported(address: str) -> Any:
    """Ray, for a cluster of that address, which reads what it is to be like when it is imported.

    Raises:
        InputError: it is not installed.
    """
    os.environ.update(QUIET)
    if address != LOCAL:
        os.environ["RAY_NUM_REDIS_GET_RETRIES"] = "1"  # a try is 40 s already
    try:
        import ray
    except ImportError as error:
        if getattr(error, "name", "") != "ray":
            raise InputError(
                f"--ray: Ray cannot be imported ({error}); pip install 'voxplain[ray]'"
            ) from None
        raise InputError("--ray: Ray is not installed; pip install 'voxplain[ray]'") from None
    return ray


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Ray, connected to a cluster that is there; one that this process is connected to already is left as it is.

    Raises:
        InputError: it is not there, or not like this process.
    """
    if address != FOUND:
        _must_answer(address)
    ray = imported(address)
    if ray.is_initialized():
        yield ray
        return
    with _init(ray, address, address=address):
        yield ray


@contextmanager
def started(slots: Slots) -> Iterator[Any]:
    """Ray, with a cluster of this machine for as long as this lasts, and no longer than this process.

    Raises:
        InputError: it cannot be started.
    """
    ray = imported(LOCAL)
    if not os.environ.get("RAY_AUTH_TOKEN_PATH"):
        os.environ.setdefault(
            "RAY_AUTH_TOKEN", secrets.token_hex(32)
        )  # nobody else on the network is to use it
    folder = _own_folder()
    how = {
        "address": LOCAL,
        "num_cpus": slots.cpus * len(slots.devices),
        "num_gpus": len(slots.cards or ()),
        "object_store_memory": OBJECTS,
        "include_dashboard": False,
        "_temp_dir": folder,
    }
    with _guarded(folder), _variable(MARK, folder), _cards(slots), _init(ray, LOCAL, **how):
        yield ray


@contextmanager
def _init(ray: Any, where: str, **how: Any) -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    try:
        try:
            with _silent():
                ray.init(**how, log_to_driver=False, logging_level=logging.CRITICAL)
        except SystemExit:  # Ray's answer to SIGTERM
            raise KeyboardInterrupt from None
        except Exception as error:  # noqa: BLE001  Ray raises all kinds
            raise InputError(f"--ray: {_said(error, where)}") from None
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, before)
        yield
    finally:
        ray.shutdown()


@contextmanager
def _silent() -> Iterator[None]:
    """Ray's C++ warns on standard error before it knows where its logs are."""
    sys.stderr.flush()
    kept, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)


def _said(error: Exception, where: str) -> str:
    """What Ray says, in one line: the last of what it has told itself."""
    told = " ".join(str(error.__cause__ or error).split()).rpartition("Error: ")[2]
    text = (told or type(error).__name__)[:LONGEST]
    if where == LOCAL:
        return f"a cluster of this machine cannot be started: {text}"
    if where == FOUND and isinstance(error, ConnectionError):
        return "no running cluster was found; give its address, HOST:PORT, or nothing for one of this machine alone"
    return f"{where}: {text}"


def _must_answer(address: str) -> None:
    """Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACHED).close()
    except (OSError, OverflowError) as error:
        raise InputError(
            f"--ray: {address} does not answer ({error}); is the cluster running, and is this its address?"
        ) from None


def _own_folder() -> str:
    """Only this user's, and with a name that leaves room for those of Ray's sockets."""
    room = tempfile.gettempdir()
    return tempfile.mkdtemp(prefix="voxplain-ray-", dir=room if len(room) <= SHORT else "/tmp")


@contextmanager
def _guarded(folder: str) -> Iterator[None]:
    """A process that cleans up, however this one ends."""
    guard = subprocess.Popen(
        [sys.executable, "-m", "voxplain.study.running.on_ray.guard", folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        assert guard.stdin is not None
        guard.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            guard.wait(PATIENCE)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _cards(slots: Slots) -> Iterator[None]:
    """Only the GPUs that the settings name are Ray's to give."""
    if not slots.cards:
        yield
        return
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = shown.split(",") if shown else None
    chosen = [names[i].strip() if names and i < len(names) else str(i) for i in slots.cards]
    with _variable("CUDA_VISIBLE_DEVICES", ",".join(chosen)):
        yield


@contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before


def nodes_of(ray: Any) -> list[dict[str, float]]:
    """What every node that lives has."""
    return [dict(node["Resources"]) for node in ray.nodes() if node["Alive"]]
