"""`voxplain config`: a settings file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def config(
    path: Annotated[Path | None, typer.Argument(help="File to write; printed where not given.")] = None,
) -> int:
    """Print or write a settings file with every default."""
    from voxplain.errors import InputError
    from voxplain.study.settings.template import template

    if path is None:
        print(template(), end="")
        return 0
    if path.exists():
        raise InputError(f"{path}: exists already; choose another name or remove it first")
    from voxplain.case.atomic import write_whole

    write_whole(path, template().encode())
    print(f"wrote {path}; edit it, then: voxplain explain --config {path}")
    return 0
