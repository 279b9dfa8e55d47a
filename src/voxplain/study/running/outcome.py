"""How tasks end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "refused", "failed", "crashed", "timeout", "out-of-memory", "blocked", "elsewhere"]
# What a run should not end well with.
BAD: tuple[Status, ...] = ("failed", "crashed", "timeout", "out-of-memory", "blocked")


@dataclass(frozen=True)
class Outcome:
    """How a task ended in this run.

    Attributes:
        status: ``ok``, also where an earlier run had done it; ``refused``: it is not defined here; ``blocked``: what it
            needs failed.
        note: one line for people.
        earlier: whether an earlier run, or another driver, had done it.
        seconds: that it took.
    """

    status: Status
    note: str = ""
    earlier: bool = False
    seconds: float = 0.0

    @property
    def is_bad(self) -> bool:
        return self.status in BAD
