"""Tables of the page: volumes of regions, overview of subjects, tests of regions, trainings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from voxplain.inherent.page.numbers import Table
from voxplain.simulator.surrogate import Fidelity

Record = dict[str, Any]


def region_table(record: Record) -> Table | None:
    """Volumes of one subject before and after; None without an atlas."""
    rows = record["regions"]
    if not rows:
        return None
    unit = rows[0]["unit"]
    lines = tuple(
        (
            r["region"],
            amount(r["before"]),
            amount(r["after"]),
            signed(r["change"]),
            f"{signed(r['percent'], 1)} %",
        )
        for r in rows
    )
    return Table(
        f"Volumes on the way from {record['decision']} to {record['towards']}",
        ("region", f"before ({unit})", f"after ({unit})", f"change ({unit})", "change"),
        lines,
    )


def overview(records: Sequence[Record]) -> Table:
    """How many subjects went which way, and how far their maps can be trusted."""
    lines = []
    for way in dict.fromkeys((r["decision"], r["towards"]) for r in records):
        mine = [r for r in records if (r["decision"], r["towards"]) == way]
        shares = [
            f"{sum(bool(r[key]) for r in mine)}" for key in ("right", "reached", "monotone", "withheld")
        ]
        dose, error = (_median(mine, key) for key in ("dose", "inverse error (voxels)"))
        lines.append((f"{way[0]} towards {way[1]}", str(len(mine)), *shares, dose, error))
    head = (
        "way", "images", "rightly decided", "target reached", "monotone", "folded, withheld", "median dose",
        "median inverse error (voxels)",
    )  # fmt: skip
    return Table("All images that were explained", head, tuple(lines))


def tested_regions(rows: Iterable[Record], title: str) -> Table | None:
    """One test's regions, with corrected p and q; None where there are none."""
    mine = [r for r in rows if r["test"] == title]
    if not mine:
        return None
    lines = tuple(
        (
            r["region"], f"{signed(r['percent'], 1)} %", f"{signed(r['change'])} {r['unit']}", chance(r["p_any"]),
            chance(r["q"]),
        )
        for r in mine
    )  # fmt: skip
    head = ("region", "mean change", "mean change in volume", "p for any false alarm", "q")
    return Table(f"Regions of {mine[0]['subjects']} subjects", head, lines)


def training_table(trainings: Mapping[int, tuple[Sequence[Mapping[str, float]], Mapping[str, Any]]]) -> Table:
    """What each training came to, on the validation part at its best epoch.

    Args:
        trainings: by seed, rows of the history, and what is told of typical logits.
    """
    lines = []
    for seed, (history, typical) in trainings.items():
        best = min(history, key=lambda row: row["loss"])
        used, logits = typical["used"], typical["logits"]
        lines.append((
            f"seed {seed}", f"{best['epoch']:g} of {len(history)}", f"{100 * best['flipped']:.0f} %",
            f"{100 * best['missed']:.0f} %", f"{best['folded']:.2g} %",
            *(f"{used[part][0]} of {used[part][1]}" for part in ("train", "validation")),
            f"{logits['healthy']:.2f}, {logits['diseased']:.2f}".replace("-", "−"),
        ))  # fmt: skip
    head = (
        "training", "best epoch", "flips", "misses the target by (of the classes' distance)", "folded voxels",
        "used in training (rightly decided)", "used in validation", "typical logits",
    )  # fmt: skip
    return Table(
        "Fidelity on the validation part: whether the classifier changes its mind", head, tuple(lines)
    )


def surrogate_table(found: Fidelity) -> Table:
    """How well the surrogate of a black box says what that says."""
    lines = ((f"{found.images}", f"{100 * found.agreement:.0f} %", f"{found.r2:.2f}".replace("-", "−")),)
    return Table(
        "Fidelity of the surrogate, on images that it has not learned from", ("images", "same decision", "R² of logits"),
        lines,
    )  # fmt: skip


def amount(value: float) -> str:
    """A volume with three digits.

    >>> amount(3.14159), amount(1520.4)
    ('3.14', '1520')
    """
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def signed(value: float, digits: int | None = None) -> str:
    """With its sign and the true minus.

    >>> signed(-0.1234), signed(12.34, 1)
    ('−0.123', '+12.3')
    """
    text = f"{value:+.3g}" if digits is None else f"{value:+.{digits}f}"
    return text.replace("-", "−", 1)


def chance(value: float) -> str:
    """A p or q.

    >>> chance(0.0002), chance(0.04), chance(float("nan"))
    ('0.0002', '0.040', '–')
    """
    if math.isnan(value):
        return "–"
    return f"{value:.3f}" if value >= 0.001 else f"{value:.1g}"


def _median(records: Sequence[Record], key: str) -> str:
    return f"{float(np.median([r[key] for r in records])):.2g}"
