"""A bar with the time that is left, and a line per round."""

from __future__ import annotations

from voxplain.inherent.training.history import Row
from voxplain.inherent.training.progress import Progress

_TOLD = ("kid", "fid", "diversity", "copy error", "real called real", "chance", "code error")


class GeneratorProgress(Progress):
    """As of classifiers, with what counts for generators.

    Args:
        what: is trained.
    """

    def __init__(self, what: str) -> None:
        super().__init__("")
        self.what = what

    def epoch(self, row: Row, best: Row) -> None:
        told = ", ".join(f"{name} {row[name]:.3g}" for name in _TOLD if name in row)
        self._console.print(
            f"{self.what}, step {row['step']:g}: {told} (best at step {best['step']:g}), {row['seconds']:.1f} s"
        )
