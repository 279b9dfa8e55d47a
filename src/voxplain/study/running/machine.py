"""How many workers this machine can have, on which devices, and with how much memory each."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import torch

from voxplain.engine.footprint import available_bytes

if TYPE_CHECKING:
    from voxplain.study.settings.study_config import RunSettings

FREE_SHARE = 0.9  # of the free memory that workers may take together
OWN_BYTES = 1 << 30  # that a worker takes before it does anything
GIB = 1 << 30


def devices(run: RunSettings) -> list[str]:
    """The device of every worker; several workers take turns on the devices that were named."""
    named = [d for asked in run.devices for d in _spelled_out(asked)]
    if run.workers != "auto":
        return [named[i % len(named)] for i in range(run.workers)]
    if any(d != "cpu" for d in named):
        return named
    most = max(int(available_bytes(torch.device("cpu")) // (2 * OWN_BYTES)), 1)
    return ["cpu"] * max(min(cores() // run.threads, most), 1)


def cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1


def memory_limit(run: RunSettings, workers: list[str]) -> int | None:
    """Bytes that each worker on the CPU may take; none where there is no limit, or a GPU is at work."""
    if run.memory == "unlimited" or any(d != "cpu" for d in workers):
        return None
    if run.memory != "auto":
        return int(run.memory * GIB)
    if len(workers) == 1:
        return None
    return int(FREE_SHARE * available_bytes(torch.device("cpu")) / len(workers))


def _spelled_out(asked: str) -> list[str]:
    if asked != "auto":
        return [asked]
    found = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return found or ["cpu"]
