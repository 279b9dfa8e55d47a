"""`voxplain study`: the flags."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxplain.cli.explain_command import given
from voxplain.cli.ray_option import Ray

Text = str | None


def study(
    *,
    config: Annotated[Path, typer.Argument(help="YAML; `voxplain config --study` prints one to start from.")],
    out: Annotated[Text, typer.Option("--out", "-o", help="Folder of the results.")] = None,
    workers: Annotated[Text, typer.Option(help="Processes: a number, or auto.")] = None,
    threads: Annotated[Text, typer.Option(help="Of each process on the CPU.")] = None,
    timeout: Annotated[Text, typer.Option(help="Seconds after which a task is ended.")] = None,
    memory: Annotated[
        Text, typer.Option(help="GiB that a process may take: a number, auto or unlimited.")
    ] = None,
    shard: Annotated[
        Text,
        typer.Option(help="Only part K of N, as 2/8: for job arrays that share the folder of the results."),
    ] = None,
    ray: Ray = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any setting of the YAML: compare.alpha=0.01; repeatable."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ask each model about one case, and say what all would cost.")
    ] = False,
    compare_only: Annotated[
        bool, typer.Option("--compare-only", help="Do no task; tables and page of what is there.")
    ] = False,
) -> int:
    """Compare methods by numbers: models × cases × targets × methods × metrics.

    What is finished is never lost and never done twice: the same command goes on where a run was cut off. Writes maps in
    the images' own geometry, tables (Parquet, CSV), report.html with a verdict per method, and study.yaml, which runs it
    again.
    """
    from voxplain.study import load_study, run_study

    run = {"workers": workers, "threads": threads, "timeout": timeout, "memory": memory}
    settings = load_study(config, given({"out": out, "run": run}), overrides or ())
    return run_study(settings, shard=part(shard), dry_run=dry_run, compare_only=compare_only, ray=ray)


def part(text: str | None) -> tuple[int, int] | None:
    """``2/8`` as numbers.

    Raises:
        InputError: anything else.

    >>> part("2/8"), part(None)
    ((2, 8), None)
    """
    from voxplain.errors import InputError

    if text is None:
        return None
    k, slash, n = text.partition("/")
    if not (slash and k.strip().isdecimal() and n.strip().isdecimal()):
        raise InputError(f"--shard: found {text!r}, expected K/N such as 2/8")
    return int(k), int(n)
