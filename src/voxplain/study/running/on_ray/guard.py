"""Ends what is left of a Ray cluster that a driver started for itself, however the driver ended.

Ray's main processes end with the driver that started them, but their agents live on for a minute, and the folder stays.
``python -m voxplain.study.running.on_ray.guard FOLDER``; the driver holds its standard input open.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

MARK = "VOXPLAIN_RAY"  # an environment variable that all processes of the cluster have
PATIENCE = 10.0  # seconds


def marked(folder: str) -> list[int]:
    """Processes of the cluster with that folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"{MARK}={folder}".encode() in (path / "environ").read_bytes().split(b"\0"):
                found.append(int(path.name))
    return found


def main(folder: str) -> None:
    """Wait for the end of the driver, then clean up."""
    sys.stdin.buffer.read()
    until = time.monotonic() + PATIENCE
    while (left := marked(folder)) and time.monotonic() < until:
        for pid in left:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(sys.argv[1])
