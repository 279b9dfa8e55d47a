"""Figures for papers: cases × methods on one sheet, in mm, with editable text, the same bytes each time."""

from voxplain.report.figure.grid import draw_grid
from voxplain.report.figure.row import FigureRow
from voxplain.report.figure.saving import FORMATS, figure_bytes, write_figure
from voxplain.report.figure.style import WIDTHS, Style

__all__ = ["FORMATS", "WIDTHS", "FigureRow", "Style", "draw_grid", "figure_bytes", "write_figure"]
