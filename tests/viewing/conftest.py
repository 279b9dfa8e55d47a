"""Studies to look at, and a server around them in this process."""

from __future__ import annotations

import copy
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from asgi_client import Client
from viewing_folder import ViewedStudy

from voxplain.viewing.folder import opened
from voxplain.viewing.server import Session, make_app
from voxplain.viewing.server.guard import HEADER, Gate
from voxplain.viewing.server.start import bound

PORT = 8765


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> ViewedStudy:
    """Nine cases; nobody writes into it."""
    return ViewedStudy(tmp_path_factory.mktemp("viewed"))


@pytest.fixture(scope="session")
def _three(tmp_path_factory: pytest.TempPathFactory) -> ViewedStudy:
    return ViewedStudy(tmp_path_factory.mktemp("three") / "study", 3, undone=(1,))


@pytest.fixture
def own_study(_three: ViewedStudy, tmp_path: Path) -> ViewedStudy:
    """Three cases, the second not done, to write into: a copy, since making one takes longer."""
    whole, own = _three.out.parent, copy.copy(_three)
    shutil.copytree(whole, tmp_path / "study")
    own.images, own.out = tmp_path / "study" / "images", tmp_path / "study" / "out"
    settings = own.out / "study.yaml"
    settings.write_text(
        settings.read_text(encoding="utf-8").replace(str(whole), str(tmp_path / "study")), encoding="utf-8"
    )
    return own


def client_of(out: Path, **how: Any) -> Client:
    """A browser with the token."""
    gate = Gate(PORT)
    host = f"127.0.0.1:{PORT}"
    own = {"host": host, "origin": f"http://{host}", HEADER: gate.token}
    return Client(make_app(Session.of(opened(out), **how), gate), own)


@dataclass
class Running:
    """A server at a port of its own."""

    gate: Gate

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.gate.port}/"


@pytest.fixture
def running() -> Iterator[Callable[..., Running]]:
    """Starts servers; all end with the test."""
    started = []

    def start(out: Path, **how: Any) -> Running:
        listening = bound(0)
        gate = Gate(listening.getsockname()[1])
        config = uvicorn.Config(
            make_app(Session.of(opened(out), **how), gate),
            log_level="error",
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        started.append((server, thread, listening))
        return Running(gate)

    yield start
    for server, thread, listening in started:
        server.should_exit = True
        thread.join(20)
        listening.close()
