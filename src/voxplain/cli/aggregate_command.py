"""`voxplain aggregate`: the flags."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxplain.cli.explain_command import given
from voxplain.cli.ray_option import Ray
from voxplain.cli.study_command import part

Text = str | None
Words = list[str] | None


def aggregate(
    *,
    config: Annotated[
        Path | None, typer.Argument(help="YAML with any of these settings; flags override it.")
    ] = None,
    cases: Annotated[
        Text,
        typer.Option(
            help="A .csv or .tsv with a column image, or a path in which {id} stands for each case."
        ),
    ] = None,
    model: Annotated[
        Text,
        typer.Option(
            "--model", "-m", help="file.py:function, package.module:function, TorchScript, .pt2 or bundle."
        ),
    ] = None,
    weights: Annotated[
        Text, typer.Option("--weights", "-w", help="Weights: .pt, .pth, .safetensors.")
    ] = None,
    classes: Annotated[Text, typer.Option(help="Names with commas, or a JSON file.")] = None,
    orientation: Annotated[
        Text, typer.Option(help="Axis codes the network wants, such as RAS or LIA.")
    ] = None,
    spacing: Annotated[Text, typer.Option(help="Voxel size in mm: 1 or 1,1,2.5.")] = None,
    size: Annotated[Text, typer.Option(help="Resample to this grid: 128 or 128,128,64.")] = None,
    scale: Annotated[
        Text, typer.Option(help="minmax, percentile, zscore, zscore-nonzero, max, or LOW,HIGH.")
    ] = None,
    roi: Annotated[Text, typer.Option(help="Window size in voxels: 96 or 96,96,64.")] = None,
    target: Annotated[
        Words, typer.Option("--target", "-t", help="all, CLASS, boundary:CLASS:MM, …; repeatable.")
    ] = None,
    method: Annotated[
        Words,
        typer.Option("--method", help="Whose maps are summed: NAME or NAME:parameter=value,…; repeatable."),
    ] = None,
    regions: Annotated[
        Words,
        typer.Option(
            help="predicted, label, or a label image in whose path {id} stands for the case; repeatable."
        ),
    ] = None,
    game: Annotated[
        Words,
        typer.Option(help="Also take regions away; what stands there instead: infill, blur, …; repeatable."),
    ] = None,
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
        typer.Option("--set", help="Any setting of the YAML: regions.redrawn=2; repeatable."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Ask each model about one case, and say what all would cost.")
    ] = False,
    compare_only: Annotated[
        bool, typer.Option("--compare-only", help="Do no task; tables and page of what is there.")
    ] = False,
) -> int:
    """What does each predicted segment depend on, over a cohort? Attributions summed over regions.

    Writes tables/regions.parquet, one row per case, class, region, method and statistic, and cohort.html: what depends on
    what, beside maps that know nothing, outliers, groups. What is finished is never lost and never done twice: the same
    command goes on where a run was cut off.
    """
    from voxplain.study import load_aggregate, run_study

    asked = {
        "source": model,
        "weights": weights,
        "classes": classes,
        "prepare": {"orientation": orientation, "spacing": spacing, "size": size, "scale": scale},
        "windows": {"roi": roi},
    }
    name = (model or "").rpartition(":")[2].rpartition("/")[2].partition(".")[0] or "model"
    flags = {
        "cases": cases,
        "models": {name: asked},
        "targets": target,
        "regions": {"of": regions, "tables": method, "games": game},
        "out": out,
        "run": {"workers": workers, "threads": threads, "timeout": timeout, "memory": memory},
    }
    settings = load_aggregate(config, given(flags), overrides or ())
    return run_study(settings, shard=part(shard), dry_run=dry_run, compare_only=compare_only, ray=ray)
