"""A bar with the time that is left, and a line per epoch."""

from __future__ import annotations

from voxplain.inherent.training.history import Row
from voxplain.inherent.training.progress import Progress


class SimulatorProgress(Progress):
    """As of classifiers, with what counts for a simulator."""

    def __init__(self) -> None:
        super().__init__("loss")

    def epoch(self, row: Row, best: Row) -> None:
        self._console.print(
            f"epoch {row['epoch']:g}: training loss {row['train_loss']:.4g}, validation loss {row['loss']:.4g} (best "
            f"{best['loss']:.4g} in epoch {best['epoch']:g}), {100 * row['flipped']:.0f} % flipped, "
            f"{row['missed']:.2f} of the classes' distance missed, {row['folded']:.3g} % folded, {row['seconds']:.1f} s"
        )
