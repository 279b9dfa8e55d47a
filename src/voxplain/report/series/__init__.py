"""An image on its way to another decision, inside a page: a slider over the dose, and what changes, plane by plane."""

from voxplain.report.series.moving import Moving, moving
from voxplain.report.series.pack import PackedSeries, pack_series
from voxplain.report.series.shown import ShownLayer, ShownMask, ShownSeries, ShownStep

__all__ = [
    "Moving",
    "PackedSeries",
    "ShownLayer",
    "ShownMask",
    "ShownSeries",
    "ShownStep",
    "moving",
    "pack_series",
]
