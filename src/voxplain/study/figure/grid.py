"""One call from results to a figure."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from voxplain.errors import InputError
from voxplain.report.figure import Style, draw_grid, write_figure
from voxplain.report.figure.saving import DPI, format_of
from voxplain.report.figure.style import width_of
from voxplain.study.figure.asked import Asked, Rows
from voxplain.study.figure.explain_rows import SETTINGS, explain_rows
from voxplain.study.figure.given_rows import given_rows
from voxplain.study.figure.study_rows import study_rows

if TYPE_CHECKING:
    from voxplain.attribution import Attribution
    from voxplain.report import Drawing
    from voxplain.report.figure.scaling import Shared


def figure_grid(
    source: str | Path | Attribution | Sequence[Attribution],
    *,
    cases: Sequence[str] = (),
    methods: Sequence[str] = (),
    targets: Sequence[str] = (),
    model: str | None = None,
    planes: Sequence[str] = ("axial",),
    at: Sequence[float] | None = None,
    scale: Shared = "method",
    percentile: float = 99.5,
    window: tuple[float, float] | None = None,
    names: Mapping[str, str] | None = None,
    title: str = "",
    width: float | str = "double",
    points: float = 7.0,
    outlines: bool = True,
    letters: bool = True,
    scale_bar: bool = True,
    path: str | Path | None = None,
    dpi: float = DPI,
) -> Drawing:
    """Draw a grid for a paper: rows are cases or targets, columns the image and the map of each method.

    Args:
        source: the folder of a study or of `explain`, or attributions.
        cases, methods, targets: names, in the order in which they are drawn; all by default.
        model: of a study with several networks, which.
        planes: of volumes, ``axial``, ``coronal``, ``sagittal``.
        at: slices through this place in RAS mm; by default where the predicted class is largest, or maps are strongest.
        scale: maps that share a colour range: of each ``method``, of each ``row``, or ``all``.
        percentile: of |value| over non-zero voxels, where the colours end.
        window: grey levels of all images, in their unit.
        names: what cases, methods, targets and classes are called in the figure.
        title: above everything; papers have a caption instead.
        width: mm, or ``single`` (89) or ``double`` (183).
        points: size of the text.
        outlines, letters, scale_bar: whether they are drawn.
        path: also write it there, in the format of its suffix: .png, .svg or .pdf.
        dpi: of the file.

    Returns:
        the figure, and a caption that says what it shows.

    Raises:
        InputError: a name that is not there, nothing to draw, units that cannot share a range, an unknown suffix.
    """
    style = Style(width_of(width), points, letters=letters, scale_bar=scale_bar, outlines=outlines)
    if path is not None:
        format_of(Path(path))  # before anything is read
    found = _rows(source, Asked(cases, methods, targets, model, names or {}))
    if not found.rows:
        raise InputError(
            f"figure: there is no map to draw ({found.told or 'none was kept'}); run with maps.save: true"
        )
    if found.without:
        warnings.warn(f"figure: nothing to draw of {found.told}", stacklevel=2)
    drawing = draw_grid(
        found.rows, found.columns, planes=planes, at=at, scale=scale, percentile=percentile, window=window, title=title,
        style=style,
    )  # fmt: skip
    if path is not None:
        write_figure(path, drawing, dpi=dpi)
    return drawing


def _rows(source: str | Path | Attribution | Sequence[Attribution], asked: Asked) -> Rows:
    if isinstance(source, str | Path):
        folder = Path(source)
        return explain_rows(folder, asked) if (folder / SETTINGS).is_file() else study_rows(folder, asked)
    # mypy takes a sequence for something that may still be text
    return given_rows(
        cast("Sequence[Attribution]", source if isinstance(source, Sequence) else [source]), asked
    )
