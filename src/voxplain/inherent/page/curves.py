"""Curves of a training, of calibration and of rejection."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voxplain.case.atomic import write_whole
from voxplain.inherent.training.history import Row
from voxplain.report import Drawing, png
from voxplain.report.colours import DARK, FAINT, INK, OUTLINES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from voxplain.inherent.training.train import Best
    from voxplain.inherent.uncertainty import Rejection, Reliability

_FEW = 0.1  # share of the images below which their mean is left to leave the frame of a rejection curve
_BLUE, _ORANGE = "#4fb8ff", "#ff8a1f"


def write_curves(path: Path, history: Sequence[Row], best: Best) -> Path:
    """Losses and scores by epoch, as PNG."""
    return write_whole(path, png(training_curves(history, best.epoch)))


def training_curves(history: Sequence[Row], best: int) -> Drawing:
    """Losses on the left, scores of the validation part on the right; a line at the epoch that was kept."""
    figure, (left, right) = panels(2)
    epochs = [row["epoch"] for row in history]
    for axes, names in ((left, ("train_loss", "loss")), (right, ("balanced_accuracy", "auroc", "f1"))):
        for name, colour in zip(names, (_BLUE, _ORANGE, OUTLINES[0]), strict=False):
            axes.plot(epochs, [row[name] for row in history], color=colour, label=_WORDS[name])
        axes.axvline(best, color=FAINT, lw=0.8, ls="--")
        axes.set_xlabel("epoch", color=INK)
        legend(axes)
    left.set_yscale("log")
    caption = f"By epoch; the dashed line is epoch {best}, whose weights were kept. Left: losses. Right: validation."
    return Drawing(figure, caption, "Curves of losses and scores by epoch.")


def reliability_diagram(bins: Reliability, of: str = "") -> Drawing:
    """Share of right decisions against the probability that was given, with how many there are of each."""
    figure, (left, right) = panels(2)
    some = bins.count > 0
    left.plot([0, 1], [0, 1], color=FAINT, lw=0.8, ls="--")
    left.plot(bins.confidence[some], bins.accuracy[some], "o-", color=_BLUE)
    left.set_xlabel("probability of the decision", color=INK)
    left.set_ylabel("share that is right", color=INK)
    right.bar(bins.edges[:-1], bins.count, width=np.diff(bins.edges), align="edge", color=_BLUE)
    right.set_xlabel("probability of the decision", color=INK)
    right.set_ylabel("images", color=INK)
    caption = f"{of}Reliability as trained: on the dashed line a probability means what it says. ECE {bins.error:.3f}."
    return Drawing(figure, caption, "Reliability diagram.")


def rejection_curve(found: Rejection, of: str = "") -> Drawing:
    """Mean Dice of what is kept as the least sure images are rejected."""
    figure, (axes,) = panels(1)
    axes.plot(found.kept, found.quality, color=_BLUE, drawstyle="steps-post")
    axes.axhline(found.quality[0], color=FAINT, lw=0.8, ls="--")
    # the mean of a handful of images jumps between 0 and 1, and would flatten the rest of the curve
    shown = found.quality[found.kept >= _FEW]
    margin = 0.05 * max(float(np.ptp(shown)), 0.02)
    axes.set_ylim(float(shown.min()) - margin, float(shown.max()) + margin)
    axes.set_xlabel("share of images kept, the surest ones", color=INK)
    axes.set_ylabel("mean Dice", color=INK)
    caption = (
        f"{of}Mean Dice of the images that are kept. A line that rises to the left: confidence predicts Dice."
    )
    return Drawing(figure, caption, "Mean Dice against the share of images kept.")


_WORDS = {
    "train_loss": "training loss",
    "loss": "validation loss",
    "balanced_accuracy": "balanced accuracy",
    "auroc": "AUROC",
    "f1": "F1",
}


def panels(count: int) -> tuple[Figure, list[Axes]]:
    """An empty figure with axes side by side, in the pages' colours."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6 * count, 2.8), facecolor=DARK, layout="constrained")
    FigureCanvasAgg(figure)
    axes = [figure.add_subplot(1, count, n + 1, facecolor=DARK) for n in range(count)]
    for one in axes:
        one.tick_params(which="both", colors=INK, labelsize=8)
        for side in one.spines.values():
            side.set_edgecolor(FAINT)
    return figure, axes


def legend(axes: Axes) -> None:
    """What the lines are, in the pages' colours."""
    axes.legend(facecolor=DARK, edgecolor=FAINT, labelcolor=INK, fontsize=8)
