"""Volumes that a reader can walk through, inside the page: integers in little room, and the viewer that shows them."""

from voxplain.report.viewer.assets import Assets, assets
from voxplain.report.viewer.embedded import Embedded
from voxplain.report.viewer.pack import MB, Packed, pack
from voxplain.report.viewer.shown import ShownCase, ShownLabels, ShownMap, ShownTarget

__all__ = [
    "MB",
    "Assets",
    "Embedded",
    "Packed",
    "ShownCase",
    "ShownLabels",
    "ShownMap",
    "ShownTarget",
    "assets",
    "pack",
]
