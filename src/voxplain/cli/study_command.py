"""`voxplain study`: the flags."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxplain.cli.explain_command import given
from voxplain.cli.ray_option import Ray
from voxplain.cli.run_options import (
    CompareOnly,
    DryRun,
    Memory,
    Out,
    Overrides,
    Shard,
    Threads,
    Timeout,
    Workers,
)

Text = str | None


def study(
    *,
    config: Annotated[Path, typer.Argument(help="YAML; `voxplain config --study` prints one to start from.")],
    out: Out = None,
    workers: Workers = None,
    threads: Threads = None,
    timeout: Timeout = None,
    memory: Memory = None,
    shard: Shard = None,
    ray: Ray = None,
    overrides: Overrides = None,
    dry_run: DryRun = False,
    compare_only: CompareOnly = False,
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
