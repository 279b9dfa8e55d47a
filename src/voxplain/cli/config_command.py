"""`voxplain config`: a settings file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def config(
    *,
    path: Annotated[Path | None, typer.Argument(help="File to write; printed where not given.")] = None,
    study: Annotated[
        bool, typer.Option("--study", help="Of `voxplain study` instead of `voxplain explain`.")
    ] = False,
    inherent: Annotated[bool, typer.Option("--inherent", help="Of `voxplain inherent`.")] = False,
    simulate: Annotated[bool, typer.Option("--simulate", help="Of `voxplain simulate`.")] = False,
    counterfactual: Annotated[
        bool, typer.Option("--counterfactual", help="Of `voxplain counterfactual`.")
    ] = False,
) -> int:
    """Print or write a settings file with every default."""
    from voxplain.errors import InputError
    from voxplain.study.settings.template import study_template, template

    if inherent:
        from voxplain.inherent.settings import inherent_template

        text, command = inherent_template(), "inherent train"
    elif simulate:
        from voxplain.simulator.settings import simulator_template

        text, command = simulator_template(), "simulate train"
    elif counterfactual:
        from voxplain.counterfactual.settings import counterfactual_template

        text, command = counterfactual_template(), "counterfactual train"
    else:
        text, command = (study_template(), "study") if study else (template(), "explain --config")
    if path is None:
        print(text, end="")
        return 0
    if path.exists():
        raise InputError(f"{path}: exists already; choose another name or remove it first")
    from voxplain.case.atomic import write_whole

    write_whole(path, text.encode())
    print(f"wrote {path}; edit it, then: voxplain {command} {path}")
    return 0
