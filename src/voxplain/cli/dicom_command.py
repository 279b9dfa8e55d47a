"""`voxplain dicom`: results of a study as DICOM objects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def dicom(
    *,
    study: Annotated[
        Path, typer.Argument(help="Folder of a finished `voxplain study` or `voxplain explain`.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="A new folder for the files.")],
    source: Annotated[
        Path | None, typer.Option("--source", help="Folder of the DICOM series that the image came from.")
    ] = None,
    case: Annotated[
        str | None, typer.Option("--case", help="Which case; not needed where there is one.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="Which network; not needed where there is one.")
    ] = None,
    method: Annotated[
        list[str] | None, typer.Option("--method", help="Whose maps; all by default. May be repeated.")
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option("--target", help="Maps of which target; all by default. May be repeated."),
    ] = None,
    kinds: Annotated[
        str | None,
        typer.Option(
            "--kinds",
            help="sc (pictures of key slices), seg (prediction), pm (voxel maps), sr (numbers by region), with commas"
            " between; all that there is something for by default.",
        ),
    ] = None,
    series: Annotated[
        str | None,
        typer.Option("--series", help="Which series of the folder: UID, or number in the error's list."),
    ] = None,
    slices: Annotated[int, typer.Option("--slices", min=1, help="Pictures of each map.")] = 3,
    keep_identity: Annotated[
        bool,
        typer.Option(
            "--keep-identity", help="Name patient and study as the series does; by default they stay empty."
        ),
    ] = False,
) -> int:
    """Write a case's maps, prediction and numbers as DICOM that refers to the series of its image.

    Research only, not for diagnosis. UIDs are made from the content: the same results give the same files.
    """
    from voxplain.study import export_dicom

    files = export_dicom(
        study,
        out,
        source=source,
        case=case,
        model=model,
        methods=method or (),
        targets=target or (),
        kinds=None if kinds is None else [kind.strip() for kind in kinds.replace(",", " ").split()],
        series=series,
        slices=slices,
        keep_identity=keep_identity,
    )
    for file in files:
        print(f"wrote {file}")
    return 0
