"""`voxplain demo`: from nothing to an HTML page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the results.")] = Path("demo-out"),
    seed: Annotated[int, typer.Option(min=0, help="Of phantoms, training and methods.")] = 0,
) -> int:
    """Train, explain and draw on phantoms and a real brain; ends with a page's path.

    Needs no data and about a minute and a half on two cores.
    """
    from voxplain.demo.run import demo as whole
    from voxplain.study.progress import Show

    with Show() as show:
        whole(out, seed, show)
    return 0
