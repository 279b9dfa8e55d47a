"""`voxplain explain`: the flags."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from voxplain.cli.model_options import (
    Blend,
    Classes,
    Crop,
    Device,
    Divisible,
    Head,
    Orientation,
    Output,
    Overlap,
    Precision,
    Roi,
    Scale,
    Size,
    Source,
    Spacing,
    Task,
    Weights,
)

Text = str | None
Words = list[str] | None


def explain(
    *,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="YAML with any of these settings; flags override it."),
    ] = None,
    image: Annotated[
        Words,
        typer.Option("--image", "-i", help="NIfTI, DICOM, picture or NumPy file; repeat to stack channels."),
    ] = None,
    series: Annotated[Text, typer.Option(help="Which DICOM series of a folder: its number or UID.")] = None,
    fill_nan: Annotated[Text, typer.Option(help="Replace NaN in the image by this number.")] = None,
    slice_: Annotated[
        Text, typer.Option("--slice", help="One slice of a volume for a 2-D network: k=40.")
    ] = None,
    label: Annotated[Text, typer.Option(help="Ground truth on the image's grid.")] = None,
    mask: Annotated[Text, typer.Option(help="Mask for targets mask:CLASS.")] = None,
    model: Source = None,
    weights: Weights = None,
    classes: Classes = None,
    task: Task = None,
    model_output: Output = None,
    head: Head = None,
    method: Annotated[
        Words,
        typer.Option("--method", help="NAME or NAME:parameter=value,…; repeatable; see `voxplain methods`."),
    ] = None,
    target: Annotated[
        Words,
        typer.Option("--target", "-t", help="all, CLASS, boundary:CLASS:MM, voxel:I,J,K, …; repeatable."),
    ] = None,
    metrics: Annotated[
        Words,
        typer.Option(
            "--metrics", help="Whether to believe the maps: quick, all, or names with commas; repeatable."
        ),
    ] = None,
    regions: Annotated[
        Words,
        typer.Option("--regions", help="Sum maps by: predicted, label, or a label image; repeatable."),
    ] = None,
    score: Annotated[Text, typer.Option(help="logit, margin, log_probability or probability.")] = None,
    orientation: Orientation = None,
    spacing: Spacing = None,
    size: Size = None,
    scale: Scale = None,
    crop: Crop = None,
    divisible: Divisible = None,
    roi: Roi = None,
    overlap: Overlap = None,
    blend: Blend = None,
    out: Annotated[Text, typer.Option("--out", "-o", help="Folder of the results (default: out).")] = None,
    device: Device = None,
    precision: Precision = None,
    seed: Annotated[Text, typer.Option(help="Of everything random (default: 0).")] = None,
    batch: Annotated[Text, typer.Option(help="Samples per pass; measured by default.")] = None,
    overrides: Annotated[
        Words, typer.Option("--set", help="Any setting of the YAML: windows.padding=reflect; repeatable.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and what it costs.")
    ] = False,
) -> int:
    """Explain what a model says about an image.

    Writes maps in the image's own geometry, table.csv, report.html, and explain.yaml, which runs it again; with --metrics
    also metrics.csv.
    """
    from voxplain.study.settings.load import load_settings

    flags = {
        "image": image,
        "series": series,
        "fill_nan": fill_nan,
        "slice": slice_,
        "label": label,
        "mask": mask,
        "model": {
            "source": model,
            "weights": weights,
            "classes": classes,
            "task": task,
            "output": model_output,
            "head": head,
            "device": device,
            "precision": precision,
        },
        "prepare": {
            "orientation": orientation,
            "spacing": spacing,
            "size": size,
            "scale": scale,
            "crop": crop,
            "divisible": divisible,
        },
        "windows": {"roi": roi, "overlap": overlap, "blend": blend},
        "targets": target,
        "score": score,
        "methods": method,
        "metrics": metrics,
        "regions": regions,
        "out": out,
        "seed": seed,
        "batch": batch,
    }
    settings = load_settings(config, given(flags), overrides or ())
    from voxplain.study.explaining.run import run

    return run(settings, dry_run=dry_run)


def given(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The flags that were used; sections without any are left out.

    >>> given({"image": None, "model": {"source": "a.pt", "head": None}, "windows": {"roi": None}})
    {'model': {'source': 'a.pt'}}
    """
    pruned = {k: given(v) if isinstance(v, Mapping) else v for k, v in flags.items()}
    return {k: v for k, v in pruned.items() if v not in (None, [], {})}
