"""Figures of a map on its image, and one self-contained page with all of them."""

from voxplain.report.canvas import Drawing
from voxplain.report.figures import draw_all, montage, picture, planes, projection
from voxplain.report.files import figure_paths, png, save_figures
from voxplain.report.findings import check_finding, findings, status_finding
from voxplain.report.html import render, write_page
from voxplain.report.page import (
    Finding,
    MethodCard,
    Page,
    Picture,
    Predicted,
    Section,
    pictures,
    predicted_classes,
)
from voxplain.report.scene import Outlined, Scene, scenes
from voxplain.report.tile import tile
from voxplain.report.view import Plane, View
from voxplain.target.scene import slug

__all__ = [
    "Drawing",
    "Finding",
    "MethodCard",
    "Outlined",
    "Page",
    "Picture",
    "Plane",
    "Predicted",
    "Scene",
    "Section",
    "View",
    "check_finding",
    "draw_all",
    "figure_paths",
    "findings",
    "montage",
    "picture",
    "pictures",
    "planes",
    "png",
    "predicted_classes",
    "projection",
    "render",
    "save_figures",
    "scenes",
    "slug",
    "status_finding",
    "tile",
    "write_page",
]
