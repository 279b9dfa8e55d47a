"""Curves of a generator's training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from voxplain.case.atomic import write_whole
from voxplain.inherent.page.curves import legend, panels
from voxplain.inherent.training.history import Row
from voxplain.report import Drawing, png
from voxplain.report.colours import FAINT, INK

_BLUE, _ORANGE = "#4fb8ff", "#ff8a1f"


def write_curves(path: Path, history: Sequence[Row], kept: Row) -> Path:
    """KID and diversity by step, as PNG."""
    return write_whole(path, png(training_curves(history, kept)))


def training_curves(history: Sequence[Row], kept: Row) -> Drawing:
    """KID on the left; diversity and the error of copies on the right; a line at the step that was kept."""
    figure, (left, right) = panels(2)
    shown = (
        (left, "kid", "KID to held-out images", _BLUE),
        (right, "diversity", "diversity, share of real", _BLUE),
        (right, "copy error", "error of copies", _ORANGE),
    )
    for axes, name, words, colour in shown:
        found = [(row["step"], row[name]) for row in history if name in row]
        if found:
            axes.plot(*zip(*found, strict=True), ".-", color=colour, label=words)
    for axes in (left, right):
        axes.axvline(kept["step"], color=FAINT, lw=0.8, ls="--")
        axes.set_xlabel("step", color=INK)
        legend(axes)
    caption = (
        f"By step; the dashed line is step {kept['step']:g}, whose weights were kept. Left: KID (0 is no difference). "
        "Right: how much images differ from each other (1 is as real ones; below 0.3 is a collapse)."
    )
    return Drawing(figure, caption, "Curves of KID and diversity by step.")
