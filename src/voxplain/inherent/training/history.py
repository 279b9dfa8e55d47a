"""What a training went through, a row per epoch."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from voxplain.case.atomic import write_whole

Row = dict[str, float]
COLUMNS = (
    "epoch", "step", "rate", "train_loss", "loss", "accuracy", "balanced_accuracy", "auroc", "f1", "seconds",
)  # fmt: skip


def write_history(out: Path, rows: Sequence[Row], columns: Sequence[str] = COLUMNS) -> None:
    """``history.csv`` and ``history.json``, whole or not at all. ``seconds`` is the one column that no two runs share."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(out / "history.csv", text.getvalue().encode())
    write_whole(out / "history.json", (json.dumps(list(rows), indent=1) + "\n").encode())
