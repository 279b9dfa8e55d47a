"""Memory of this process: what its limits leave, how it is handed back, and how its lack shows."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import torch

from voxplain.model.checks import PassError, out_of_memory

UNLIMITED = 1 << 62
STATUS = Path("/proc/self/status")
# All that oneDNN says where it finds no memory; what it does not support is "a primitive descriptor for …".
_ONEDNN = ("could not create a primitive", "could not execute a primitive")


def own_room() -> int:
    """Bytes that the limits of this process leave (`RLIMIT_AS`, `RLIMIT_DATA`), many where there are none."""
    try:
        import resource  # not on Windows
    except ImportError:
        return UNLIMITED
    limits = {
        field: soft
        for field, which in (("VmSize", resource.RLIMIT_AS), ("VmData", resource.RLIMIT_DATA))
        if (soft := resource.getrlimit(which)[0]) != resource.RLIM_INFINITY
    }
    if not limits:
        return UNLIMITED
    used, free = _used(), _freed()
    return min((max(soft - used[f] + free, 0) for f, soft in limits.items() if f in used), default=UNLIMITED)


def _freed() -> int:
    """Bytes that are freed but kept by the C library for the next that asks.

    They count as this process's, so that without them the room would depend on what was done before.
    """
    with suppress(AttributeError, OSError, TypeError):  # where it is not glibc, or an old one
        ask = ctypes.CDLL(None).mallinfo2
        ask.restype = _MallInfo
        return int(ask().fordblks)
    return 0


class _MallInfo(ctypes.Structure):
    """What mallinfo2(3) answers."""

    _fields_: ClassVar = [
        (name, ctypes.c_size_t)
        for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()
    ]


def _used() -> dict[str, int]:
    """Bytes of this process by the kernel's names for them; empty where it does not say."""
    try:
        lines = STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.split(":") for line in lines if line.startswith(("VmSize:", "VmData:")))
    return {name: int(value.split()[0]) * 1024 for name, value in pairs}


def hand_back(device: torch.device) -> None:
    """Hand what is freed on a device back to the system, so that others than its allocator may have it."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        return
    with suppress(AttributeError, OSError, TypeError):  # where it is not glibc
        ctypes.CDLL(None).malloc_trim(0)


def ran_out(error: BaseException) -> bool:
    """Whether a pass failed for memory, also where oneDNN was in need of it and the network seems to have failed."""
    cause = error.__cause__ if isinstance(error, PassError) else error
    told = str(cause).strip().splitlines()[:1]
    return out_of_memory(error) or (isinstance(cause, RuntimeError) and told != [] and told[0] in _ONEDNN)
