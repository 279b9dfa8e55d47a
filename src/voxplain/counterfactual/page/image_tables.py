"""Tables over all images that were explained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from voxplain.inherent.page.numbers import Table

Record = dict[str, Any]


def overview_table(records: Sequence[Record]) -> Table:
    """How many of each way are right, flipped, reached …, and medians."""
    lines = []
    for way in dict.fromkeys((r["decision"], r["towards"]) for r in records):
        mine = [r for r in records if (r["decision"], r["towards"]) == way]
        counts = [
            str(sum(bool(r[k]) for r in mine))
            for k in ("right", "flipped", "reached", "monotone", "withheld")
        ]
        medians = [
            f"{float(np.median([r[k] for r in mine])):.2g}".replace("-", "−")
            for k in ("dose", "change", "distance ratio", "cout", "random flips")
        ]
        lines.append((f"{way[0]} towards {way[1]}", str(len(mine)), *counts, *medians))
    head = (
        "way", "images", "rightly decided", "flipped", "target reached", "monotone", "withheld", "median dose", "change",
        "typical distances", "COUT", "random flips",
    )  # fmt: skip
    return Table("All images that were explained", head, tuple(lines))


def metrics_table(records: Sequence[Record]) -> Table:
    """Medians of each way."""
    lines = []
    for way in dict.fromkeys((r["decision"], r["towards"]) for r in records):
        mine = [r for r in records if (r["decision"], r["towards"]) == way]
        medians = [
            f"{float(np.median([r[name] for r in mine])):.2g}".replace("-", "−", 1)
            for name in ("change", "l2", "sparsity", "cout", "composition", "reversibility", "identity")
        ]
        lines.append(
            (f"{way[0]} towards {way[1]}", *medians, f"{sum(r['own nearest'] for r in mine)} of {len(mine)}")
        )
    head = (
        "way", "change (L1)", "L2", "share of voxels", "COUT", "composition", "reversibility", "identity",
        "nearest to its own",
    )  # fmt: skip
    return Table("Metrics of counterfactuals, medians", head, tuple(lines))


def realism_table(found: Sequence[dict[str, Any]]) -> Table | None:
    """KID of the ends; None where none was measured."""
    if not found:
        return None
    rows = tuple(
        (
            row["towards"], str(row["images"]), f"{row['real images']} by {row['by']}",
            *(f"{row[name]:.3g}".replace("-", "−", 1) for name in ("kid before", "kid", "null")),
        )
        for row in found
    )  # fmt: skip
    head = (
        "towards",
        "images",
        "real ones of that class",
        "KID before",
        "KID after",
        "real to real (95 % quantile)",
    )
    return Table("Do the ends look like held-out images of their new class?", head, rows)
