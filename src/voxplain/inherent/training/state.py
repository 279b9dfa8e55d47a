"""How far a training is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from voxplain.inherent.training.history import Row


@dataclass
class State:
    """Where training is. Batches and steps are whole ones, over all processes.

    Attributes:
        epoch, batch, step: how many are done: epochs, batches of the next epoch, steps of the optimiser in all.
        stale: epochs since the best one.
        best: its row, and the folder of its checkpoint.
        rows: the history.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    stale: int = 0
    best: dict[str, Any] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
