"""`voxplain view`: the flags."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def view(
    *,
    study: Annotated[
        Path, typer.Argument(help="the folder that `voxplain study` or `voxplain explain` wrote")
    ],
    port: Annotated[int, typer.Option(help="of 127.0.0.1; 0: a free one")] = 0,
    browser: Annotated[bool, typer.Option(help="open the browser of this machine")] = True,
    blinded: Annotated[
        bool,
        typer.Option(
            "--blinded", help="a reader study: methods are A, B, C …, each reader rates all of them"
        ),
    ] = False,
    seed: Annotated[
        int, typer.Option(min=0, help="of the order of cases and methods (--blinded), and of --agreement")
    ] = 0,
    reader: Annotated[str, typer.Option(help="who reads; else the page asks")] = "",
    export: Annotated[
        Path | None, typer.Option(help="write all notes to this CSV, with true names, and end")
    ] = None,
    agreement: Annotated[
        bool,
        typer.Option(
            "--agreement", help="print how far readers agree and what they think of methods, and end"
        ),
    ] = False,
) -> int:
    """Look at a study in the browser: cases, maps, notes. Only this machine can reach it.

    Loads volumes when they are looked at, in full resolution. Notes are kept in the study's folder (notes.sqlite).
    """
    if export is None and not agreement:
        from voxplain.viewing import serve

        return serve(study, port=port, browser=browser, blinded=blinded, seed=seed, reader=reader)
    from voxplain.viewing import export_notes, study_agreement

    if export is not None:
        print(f"notes   {export_notes(study, export)}")
    if agreement:
        from voxplain.viewing.readers import told

        print(told(study_agreement(study, seed=seed)))
    return 0
