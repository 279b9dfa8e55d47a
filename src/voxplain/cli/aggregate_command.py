"""`voxplain aggregate`: the flags."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from voxplain.cli.explain_command import given
from voxplain.cli.model_options import (
    Blend,
    Classes,
    Crop,
    Device,
    Divisible,
    Orientation,
    Overlap,
    Roi,
    Scale,
    Size,
    Source,
    Spacing,
    Weights,
)
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
            help="A .csv or .tsv with a column image, a folder of images or of folders with one image each, or a path in "
            "which {id} stands for each case."
        ),
    ] = None,
    model: Source = None,
    weights: Weights = None,
    classes: Classes = None,
    orientation: Orientation = None,
    spacing: Spacing = None,
    size: Size = None,
    scale: Scale = None,
    crop: Crop = None,
    divisible: Divisible = None,
    roi: Roi = None,
    overlap: Overlap = None,
    blend: Blend = None,
    device: Device = None,
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
        typer.Option(
            help="Also take regions away; what stands there instead: infill, blur, …, with settings behind it: "
            "infill:parts=64 (Owen values), blur:values=[shapley,interaction],budget=20000; repeatable."
        ),
    ] = None,
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
        "device": device,
        "prepare": {
            "orientation": orientation,
            "spacing": spacing,
            "size": size,
            "scale": scale,
            "crop": crop,
            "divisible": divisible,
        },
        "windows": {"roi": roi, "overlap": overlap, "blend": blend},
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
