"""`voxplain figure`: maps of a study side by side, for a paper."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

if TYPE_CHECKING:
    from voxplain.report.figure.scaling import Shared

_REPEATED = "All by default; repeat it for several, in the order of the figure."


def figure(
    *,
    study: Annotated[Path, typer.Argument(help="Folder of a `voxplain study` or `voxplain explain`.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The figure: .png, .svg or .pdf.")],
    case: Annotated[list[str] | None, typer.Option("--case", help=f"Which cases. {_REPEATED}")] = None,
    method: Annotated[list[str] | None, typer.Option("--method", help=f"Whose maps. {_REPEATED}")] = None,
    target: Annotated[
        list[str] | None, typer.Option("--target", help=f"Of which targets. {_REPEATED}")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Which network; not needed where there is one.")
    ] = None,
    plane: Annotated[
        list[str] | None, typer.Option("--plane", help="axial (the default), coronal, sagittal; repeatable.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", help="Slices through this place, RAS mm: =-24,-12,-18 (the = lets it begin with a minus)."
        ),
    ] = None,
    scale: Annotated[
        str, typer.Option("--scale", help="What shares a colour range: method (its column), row, or all.")
    ] = "method",
    window: Annotated[
        str | None, typer.Option("--window", help="Grey levels of the images: =-160,240.")
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="What something is called in the figure: grad_cam=Grad-CAM; repeatable."),
    ] = None,
    title: Annotated[
        str, typer.Option("--title", help="Above everything; papers have a caption instead.")
    ] = "",
    width: Annotated[str, typer.Option("--width", help="mm, or single (89) or double (183).")] = "double",
    points: Annotated[float, typer.Option("--points", help="Size of the text.", min=3, max=30)] = 7.0,
    dpi: Annotated[float, typer.Option("--dpi", help="Of a PNG.", min=30, max=2400)] = 300,
    outlines: Annotated[bool, typer.Option(help="Outlines of the class that is asked about.")] = True,
    letters: Annotated[bool, typer.Option(help="The patient's directions.")] = True,
    scale_bar: Annotated[bool, typer.Option(help="A bar of a round length.")] = True,
) -> int:
    """Draw cases × methods for a paper, in mm, with text that stays text; print the caption.

    Rows are cases or targets, columns the image and each method's map. The same results give the same file.
    """
    from voxplain.study.figure import figure_grid

    drawing = figure_grid(
        study, cases=case or (), methods=method or (), targets=target or (), model=model, planes=plane or ("axial",),
        at=None if at is None else _numbers("at", at, 3), scale=cast("Shared", scale),
        window=None if window is None else cast("tuple[float, float]", _numbers("window", window, 2)),
        names=_names(name or ()), title=title, width=width, points=points, outlines=outlines, letters=letters,
        scale_bar=scale_bar, path=out, dpi=dpi,
    )  # fmt: skip
    print(f"wrote {out}\n{drawing.caption}")
    return 0


def _numbers(what: str, text: str, count: int) -> tuple[float, ...]:
    from voxplain.errors import InputError

    try:
        found = tuple(float(part) for part in text.removeprefix("=").split(","))
    except ValueError:
        found = ()
    if len(found) != count:
        raise InputError(f"{what}: found {text!r}, expected {count} numbers with commas between")
    return found


def _names(given: list[str] | tuple[str, ...]) -> dict[str, str]:
    from voxplain.errors import InputError

    for pair in given:
        if not pair.partition("=")[2]:
            raise InputError(
                f"name: found {pair!r}, expected what it is called in the results = what to write"
            )
    return {old: new for old, _, new in (pair.partition("=") for pair in given)}
