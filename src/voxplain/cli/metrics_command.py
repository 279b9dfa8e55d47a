"""`voxplain metrics`: what there is to judge maps by."""

from __future__ import annotations

import dataclasses
import inspect
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from voxplain.metric import Metric


def metrics(
    name: Annotated[str | None, typer.Argument(help="One metric in full; all in a table by default.")] = None,
) -> int:
    """List the metrics, how to read them, and their sources."""
    from voxplain.cli.listing import Listing
    from voxplain.metric import metric, metrics as registered
    from voxplain.metric.metric import FAMILIES

    known = registered()
    if name is not None:
        print(_in_full(type(metric(name))))
        return 0
    listing = Listing(
        f"{len(known)} metrics; voxplain metrics NAME tells more, docs/metrics has a card for each"
    )
    order = sorted(known.values(), key=lambda m: (FAMILIES.index(m.family), m.name))
    listing.table(
        ("name", "family", "better", "needs", "nulls", "source"),
        [
            (m.name, m.family, m.better, ", ".join(m.needs) or "–", ", ".join(m.nulls) or "–", m.source)
            for m in order
        ],
    )
    listing.print()
    return 0


def _in_full(metric: type[Metric]) -> str:
    fields = ", ".join(
        f"{f.name}={'auto' if f.default is None else f.default}" for f in dataclasses.fields(metric)
    )
    return "\n".join(
        [
            f"{metric.name}: {metric.title} ({metric.family})",
            f"source  {metric.source}",
            f"better  {metric.better}, from {metric.span[0]:g} to {metric.span[1]:g}",
            f"nulls   {', '.join(metric.nulls) or 'none'}",
            f"read it {metric.reads}",
            f"set     {fields or '–'}",
            "",
            inspect.getdoc(metric) or "",
        ]
    )
