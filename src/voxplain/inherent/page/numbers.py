"""Rows of an evaluation as tables that a person reads: a number with its interval in every cell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxplain.inherent.evaluate.rows import Row

if TYPE_CHECKING:
    from voxplain.inherent.threshold import Threshold

MASKS = (
    "dice median", "dice mean", "iou median", "hd95 median", "missed", "false mask rate", "lesion sensitivity",
)  # fmt: skip
# no upper bounds: what an oracle maximises is neither a median nor what is left after the steps that follow a threshold
ORACLES = (
    "Oracles: thresholds chosen with the truth that they are scored with, which nobody has for a new image. That of the "
    "data set has the best mean Dice of all single thresholds, that of each image its best Dice, both before parts are "
    "dropped and before healthy decisions leave an image without a mask; so other numbers, such as the median, can be lower "
    "than another threshold’s"
)
MAPS = ("pxap", "pxap with healthy", "max box acc", "max box acc v2")


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: above it.
        head: names of the columns.
        rows: cells; the first one names the row.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def class_table(rows: Iterable[Row], classes: Sequence[str]) -> Table:
    """What was measured per class."""
    chosen = [r for r in rows if r["part"] == "classification"]
    by_class = {(r["class"], r["metric"]): r for r in chosen}
    metrics = list(dict.fromkeys(r["metric"] for r in chosen if r["class"]))
    lines = [
        (name, *(cell(by_class.get((name, metric))) for metric in metrics), _of(by_class, name))
        for name in classes
    ]
    return Table("Decisions on the test part, per class", ("class", *metrics, "images"), tuple(lines))


def overall_table(rows: Iterable[Row]) -> Table:
    """What was measured of all classes together."""
    chosen = [r for r in rows if r["part"] == "classification" and r["class"] == ""]
    lines = tuple((r["metric"], cell(r), str(r["cases"])) for r in chosen)
    return Table("Decisions on the test part, all classes together", ("measure", "value", "images"), lines)


def map_table(rows: Iterable[Row], of: str = "") -> Table | None:
    """PxAP and MaxBoxAcc of the network's map and of what knows nothing; None where no image has a mask."""
    chosen = [r for r in rows if r["part"] == "map"]
    if not chosen:
        return None
    found = {(r["score"], r["metric"]): r for r in chosen}
    names = list(dict.fromkeys(r["score"] for r in chosen))
    lines = [
        (_SCORES.get(name, name), *(cell(found.get((name, metric))) for metric in MAPS)) for name in names
    ]
    caption = "Maps before any threshold (boxes choose theirs on the images that they score: upper bounds)"
    return Table(f"{of}{caption}", ("map", *MAPS), tuple(lines))


def mask_tables(
    rows: Iterable[Row], headline: Threshold | None, of: str = "", *, caption: str, unit: str
) -> tuple[Table, ...]:
    """The headline with its strata; honest thresholds; what knows nothing; oracles.

    Args:
        rows: of the evaluation.
        headline: the threshold whose masks come first.
        of: before every caption.
        caption: what the headline's masks are.
        unit: of distances.
    """
    chosen = [r for r in rows if r["part"] == "localisation"]
    title = headline.title if headline else ""
    network = [r for r in chosen if r["score"] == "class"]
    first = [r for r in network if r["threshold"] == title]
    others = [r for r in network if r["stratum"] == "all" and r["threshold"] != title]
    blind = [r for r in chosen if r["score"] != "class" and not r["oracle"]]
    bounds = [r for r in chosen if r["oracle"]]
    told = [
        _mask_table(f"{of}{caption}", first, ("stratum", "mask"), unit),
        _mask_table(
            f"{of}Other thresholds of the same maps",
            [r for r in others if not r["oracle"]],
            ("threshold", "supervision"),
            unit,
        ),
        _mask_table(
            f"{of}The same protocol for maps that no network made",
            blind,
            ("score", "threshold", "supervision"),
            unit,
        ),
        _mask_table(
            f"{of}{ORACLES}",
            bounds,
            ("score", "threshold"),
            unit,
        ),
    ]
    return tuple(table for table in told if table is not None)


def calibration_tables(rows: Iterable[Row], of: str = "") -> tuple[Table, ...]:
    """ECE, Brier score and NLL as trained and scaled; whether confidence predicts Dice and errors."""
    listed = list(rows)
    tables = []
    for part, caption in (
        ("calibration", "Are probabilities right?"),
        ("uncertainty", "Does confidence predict Dice, and errors?"),
    ):
        chosen = [r for r in listed if r["part"] == part]
        if not chosen:
            continue
        metrics = list(dict.fromkeys(r["metric"] for r in chosen))
        states = list(dict.fromkeys(r["stratum"] for r in chosen))
        found = {(r["stratum"], r["metric"]): r for r in chosen}
        lines = tuple((state, *(cell(found.get((state, m))) for m in metrics)) for state in states)
        tables.append(Table(f"{of}{caption}", ("", *metrics), lines))
    return tuple(tables)


def _mask_table(caption: str, rows: Sequence[Row], keys: Sequence[str], unit: str) -> Table | None:
    """Lines of no case at all are left out, such as small lesions where all are large."""
    lines: dict[tuple[str, ...], dict[str, Row]] = {}
    for r in (r for r in rows if r["cases"]):
        lines.setdefault(tuple(str(r[k]) for k in keys), {})[r["metric"]] = r
    if not lines:
        return None
    body = []
    for names, found in lines.items():
        shown = [_SCORES.get(n, n) for n in names if n]
        body.append((" · ".join(shown), *(cell(found.get(metric)) for metric in MASKS)))
    named = (f"{metric} ({unit})" if metric.startswith("hd95") else metric for metric in MASKS)
    return Table(caption, (", ".join(k for k in keys if k != "mask"), *named), tuple(body))


_SCORES = {"class": "network", "image intensity": "image intensity, no network"}


def cell(row: Row | None) -> str:
    """A number and its interval.

    >>> cell({"value": 0.5, "low": 0.25, "high": float("nan")}), cell(None)
    ('0.500', '–')
    """
    if row is None or math.isnan(row["value"]):
        return "–"
    if math.isnan(row["low"]) or math.isnan(row["high"]):
        return _short(row["value"])
    return f"{_short(row['value'])} [{_short(row['low'])}, {_short(row['high'])}]"


def _short(value: float) -> str:
    if math.isinf(value):
        return "∞"
    return fixed(value) if abs(value) < 10 else fixed(value, 1)


def fixed(value: float, digits: int = 3) -> str:
    """A number with so many decimals and the true minus, which no zero has.

    >>> fixed(-1.25), fixed(-0.0004), fixed(0.0)
    ('−1.250', '0.000', '0.000')
    """
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def _of(found: dict[tuple[str, str], Row], name: str) -> str:
    row = found.get((name, "recall"))
    return "–" if row is None else str(row["cases"])
