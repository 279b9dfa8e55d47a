"""Which maps share a colour range."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np

from voxplain.errors import InputError
from voxplain.report.colours import Scale
from voxplain.report.figure.row import Drawn
from voxplain.report.scene import Scene

Shared = Literal["method", "row", "all"]


def scaled(rows: Sequence[Drawn], shared: Shared, percentile: float) -> list[Drawn]:
    """The rows with one colour range for each method, each row, or everything.

    Raises:
        InputError: an unknown choice, or maps of different units that would share a range.
    """
    if shared not in get_args(Shared):
        raise InputError(f"figure: scale {shared!r}; expected {', '.join(get_args(Shared))}")
    if shared == "row":
        return [_with(row, dict.fromkeys(row.scenes, _one(row.scenes.values(), percentile))) for row in rows]
    if shared == "all":
        one = _one((scene for row in rows for scene in row.scenes.values()), percentile)
        return [_with(row, dict.fromkeys(row.scenes, one)) for row in rows]
    columns = dict.fromkeys(name for row in rows for name in row.scenes)
    found = {
        name: _one((row.scenes[name] for row in rows if name in row.scenes), percentile) for name in columns
    }
    return [_with(row, found) for row in rows]


def _with(row: Drawn, scales: dict[str, Scale | None]) -> Drawn:
    made = {}
    for name, scene in row.scenes.items():
        scale = scales[name]
        assert scale is not None  # of maps that are there
        made[name] = replace(scene, scale=scale)
    return replace(row, scenes=made)


def _one(scenes: Iterable[Scene], percentile: float) -> Scale | None:
    """The range of several maps together; None of none."""
    found = list(scenes)
    if not found:
        return None
    units = dict.fromkeys(scene.unit for scene in found)
    if len(units) > 1:
        raise InputError(
            f"figure: maps of different units ({', '.join(units)}) cannot share a colour range; expected scale=method"
        )
    # zeros do not count, and most of a map may be zero
    values = [scene.values[scene.values != 0] for scene in found]
    return Scale.of(np.concatenate(values), percentile)
