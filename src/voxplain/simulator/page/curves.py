"""Curves of a training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from voxplain.case.atomic import write_whole
from voxplain.inherent.page.curves import legend, panels
from voxplain.inherent.training.history import Row
from voxplain.report import Drawing, png
from voxplain.report.colours import FAINT, INK, OUTLINES

_BLUE, _ORANGE = "#4fb8ff", "#ff8a1f"


def write_curves(path: Path, history: Sequence[Row]) -> Path:
    """Losses and what they are for by epoch, as PNG."""
    return write_whole(path, png(training_curves(history)))


def training_curves(history: Sequence[Row]) -> Drawing:
    """Losses on the left, what the validation part's images do on the right; a line at the epoch that was kept."""
    figure, (left, right) = panels(2)
    epochs = [row["epoch"] for row in history]
    best = min(history, key=lambda row: row["loss"])["epoch"]
    shown = (
        (left, "train_loss", "training loss", _BLUE),
        (left, "loss", "validation loss", _ORANGE),
        (right, "flipped", "share that flips", _BLUE),
        (right, "missed", "missed, share of the classes' distance", _ORANGE),
        (right, "folded", "% of voxels folded", OUTLINES[0]),
    )
    for axes, name, words, colour in shown:
        axes.plot(epochs, [row[name] for row in history], color=colour, label=words)
    for axes in (left, right):
        axes.axvline(best, color=FAINT, lw=0.8, ls="--")
        axes.set_xlabel("epoch", color=INK)
        legend(axes)
    caption = f"By epoch; the dashed line is epoch {best:g}, whose weights were kept. Left: losses. Right: validation."
    return Drawing(figure, caption, "Curves of losses and of what the validation part's images do, by epoch.")
