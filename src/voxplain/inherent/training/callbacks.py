"""Who is told how a training goes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from voxplain.errors import InputError
from voxplain.inherent.training.history import Row

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter


class Callback:
    """Is told of every step and epoch, in the first process alone. What it raises ends the training."""

    def start(self, step: int, steps: int) -> None:
        """Training begins, or goes on, with ``step`` of ``steps`` steps of the optimiser done."""

    def step(self, step: int, steps: int) -> None:
        """That many steps are done."""

    def epoch(self, row: Row, best: Row) -> None:
        """An epoch is done and stored; ``best`` is the best row so far."""

    def end(self) -> None:
        """Nothing more comes, also after an error."""


class TensorBoard(Callback):
    """Curves for TensorBoard.

    Args:
        folder: where its event files go.

    Raises:
        InputError: TensorBoard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError:
            raise InputError(
                "tensorboard: is not installed; pip install 'voxplain[train]', or leave it off"
            ) from None
        self._folder, self._make = folder, SummaryWriter
        self._writer: SummaryWriter | None = None

    def start(self, step: int, steps: int) -> None:
        # what an interrupted run wrote after its last checkpoint is shown no more
        self._writer = self._make(str(self._folder), purge_step=step)

    def epoch(self, row: Row, best: Row) -> None:
        assert self._writer is not None
        for name, value in row.items():
            if name not in ("epoch", "step"):
                self._writer.add_scalar(name, value, int(row["step"]))

    def end(self) -> None:
        if self._writer is not None:
            self._writer.close()
