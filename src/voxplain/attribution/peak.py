"""Peak memory of a piece of work."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType

import torch


class PeakMemory:
    """Largest memory while the block ran: of the device on CUDA, resident memory of the process on the CPU.

    The CPU figure is sampled every few milliseconds, so that it belongs to this block alone.
    """

    def __init__(self, device: torch.device, interval: float = 0.02) -> None:
        self.device, self.interval = device, interval
        self.bytes = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> PeakMemory:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        else:
            self._sample()
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.device.type == "cuda":
            self.bytes = torch.cuda.max_memory_allocated(self.device)
            return
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._sample()

    def _watch(self) -> None:
        while not self._stop.wait(self.interval):
            self._sample()

    def _sample(self) -> None:
        self.bytes = max(self.bytes, resident_bytes())


def resident_bytes() -> int:
    """Memory of this process that is in RAM now; 0 where the system does not say."""
    try:
        from resource import getpagesize  # not on Windows

        text = Path("/proc/self/statm").read_text(encoding="ascii")
    except (ImportError, OSError):
        return 0
    return int(text.split()[1]) * getpagesize()
