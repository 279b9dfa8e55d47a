"""Figures for papers from what lies in a folder, or from attributions in memory."""

from voxplain.study.figure.grid import figure_grid

__all__ = ["figure_grid"]
