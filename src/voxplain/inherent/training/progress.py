"""A bar with the time that is left, and a line per epoch."""

from __future__ import annotations

import sys
from typing import TextIO

from voxplain.inherent.training.callbacks import Callback
from voxplain.inherent.training.history import Row


class Progress(Callback):
    """On a terminal a bar over all steps; in a pipe or log file the lines alone.

    Args:
        monitor: the metric that chooses the best epoch.
        stream: where to; by default the standard error.
    """

    def __init__(self, monitor: str, stream: TextIO | None = None) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress as Bar,
            TextColumn,
            TimeRemainingColumn,
        )

        self.monitor = monitor
        self._console = Console(file=stream or sys.stderr, highlight=False, soft_wrap=True)
        self._bar = Bar(
            TextColumn("training, step"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("left"),
            console=self._console, transient=True, disable=not self._console.is_terminal,
        )  # fmt: skip
        self._task = self._bar.add_task("", start=False)

    def start(self, step: int, steps: int) -> None:
        self._bar.start()
        self._bar.reset(self._task, total=steps, completed=step)

    def step(self, step: int, steps: int) -> None:
        if self._console.is_terminal:
            self._bar.update(self._task, completed=step)

    def epoch(self, row: Row, best: Row) -> None:
        told = f"best {best[self.monitor]:.4g} in epoch {best['epoch']:g}"
        self._console.print(
            f"epoch {row['epoch']:g}: training loss {row['train_loss']:.4g}, validation loss {row['loss']:.4g}, balanced "
            f"accuracy {row['balanced_accuracy']:.3f}, AUROC {row['auroc']:.3f} ({self.monitor}: {told}), "
            f"{row['seconds']:.1f} s"
        )

    def end(self) -> None:
        self._bar.stop()
