"""From a folder to a running server, and to its end by Ctrl-C."""

from __future__ import annotations

import os
import socket
import threading
import webbrowser
from contextlib import suppress
from pathlib import Path

from voxplain.errors import InputError, VoxplainError
from voxplain.viewing.folder import opened
from voxplain.viewing.notes.note import author_of
from voxplain.viewing.server.guard import Gate
from voxplain.viewing.server.session import Session

HOST = "127.0.0.1"
LAST_PORT = 65535
WAITING = 128  # connections


def serve(
    study: str | Path,
    *,
    port: int = 0,
    browser: bool = True,
    blinded: bool = False,
    seed: int = 0,
    reader: str = "",
) -> int:
    """Show a study's folder in a browser, until Ctrl-C; it can be reached from this machine alone.

    Args:
        study: the folder that `voxplain study` or `voxplain explain` wrote.
        port: of 127.0.0.1; 0: a free one.
        browser: open it in the browser of this machine.
        blinded: a reader study: methods are A, B, C … in an order of each reader and case.
        seed: of these orders.
        reader: who reads; none: the page asks.

    Returns:
        0.

    Raises:
        InputError: no study, a port that is taken, no viewer in this installation.
    """
    import uvicorn

    from voxplain.viewing.server.app import make_app

    session = Session.of(
        opened(study), blinded=blinded, seed=seed, reader=author_of(reader) if reader else ""
    )
    with suppress(KeyboardInterrupt), bound(port) as listening:
        gate = Gate(listening.getsockname()[1])
        config = uvicorn.Config(
            make_app(session, gate),
            log_level="error",
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=2,
        )
        _tell(session, gate)
        threading.Thread(target=_warm, args=(session,), daemon=True).start()
        if browser:
            threading.Thread(target=webbrowser.open, args=(gate.address_once(),), daemon=True).start()
        uvicorn.Server(config).run(sockets=[listening])
    print("stopped", flush=True)
    return 0


def bound(port: int) -> socket.socket:
    """A socket that listens at this machine's loopback alone; who comes before the server is ready waits.

    Raises:
        InputError: the port is taken, or none.
    """
    if not 0 <= port <= LAST_PORT:
        raise InputError(f"--port: found {port}, expected 1 to {LAST_PORT}, or none for a free one")
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # a server that has just ended does not keep its port
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((HOST, port))
        found.listen(WAITING)
    except OSError as error:
        found.close()
        why = (error.strerror or str(error)).lower()
        raise InputError(
            f"--port: {port} cannot be used ({why}); choose another, or none for a free one"
        ) from None
    return found


def _tell(session: Session, gate: Gate) -> None:
    count = len(session.folder.items)
    print(f"{session.folder.title}: {count} case{'' if count == 1 else 's'}. Open on this machine:")
    print(f"  {gate.address}\nCtrl-C ends it.", flush=True)


def _warm(session: Session) -> None:
    """Read the first case while the browser starts; what is wrong with it is told when it is asked for."""
    items = session.folder.items if session.blinding is None or session.reader else ()
    if session.blinding is not None and session.reader:
        items = tuple(session.blinding.cases(session.reader))
    with suppress(VoxplainError, OSError):
        for item in items[:1]:
            session.volumes.describe(item)
            session.volumes.labels(item)
            maps = session.folder.maps(item)
            for target in list(maps)[:1]:
                for method in list(maps[target])[:1]:
                    session.volumes.map(item, target, method)
