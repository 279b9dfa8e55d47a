"""Figures of a study's page, drawn on a light card so that they can be read in light and dark pages."""

from voxplain.report.study.figures.boxes import boxes
from voxplain.report.study.figures.heat import heat
from voxplain.report.study.figures.lines import lines
from voxplain.report.study.figures.ranks import ranks
from voxplain.report.study.figures.svg import as_image, svg

__all__ = ["as_image", "boxes", "heat", "lines", "ranks", "svg"]
