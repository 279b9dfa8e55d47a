"""Flags that all commands have which run tasks: where the results go, by how many, which part, and what is only told."""

from __future__ import annotations

from typing import Annotated

import typer

Out = Annotated[str | None, typer.Option("--out", "-o", help="Folder of the results.")]
Workers = Annotated[str | None, typer.Option(help="Processes: a number, or auto.")]
Threads = Annotated[str | None, typer.Option(help="Of each process on the CPU.")]
Timeout = Annotated[str | None, typer.Option(help="Seconds after which a task is ended.")]
Memory = Annotated[str | None, typer.Option(help="GiB that a process may take: a number, auto or unlimited.")]
Shard = Annotated[
    str | None,
    typer.Option(help="Only part K of N, as 2/8 (K from 1 or from 0): for job arrays that share the folder."),
]
NewImages = Annotated[
    list[str] | None,
    typer.Argument(help="New images instead of the parts; channels of one with ; between (in quotes)."),
]
Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="Any setting of the YAML: run.workers=2; repeatable.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Ask each model about one case, and say what all would cost.")
]
CompareOnly = Annotated[
    bool, typer.Option("--compare-only", help="Do no task; tables and page of what is there.")
]
