"""Flags that say who is asked, and what happens to an image before."""

from __future__ import annotations

from typing import Annotated

import typer

Source = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="file.py:function, package.module:function, TorchScript, .pt2, bundle or nnU-Net folder.",
    ),
]
Weights = Annotated[str | None, typer.Option("--weights", "-w", help="Weights: .pt, .pth, .safetensors.")]
Classes = Annotated[str | None, typer.Option(help="Names with commas, or a JSON file.")]
Task = Annotated[str | None, typer.Option(help="classification or segmentation; found out by default.")]
Output = Annotated[
    str | None,
    typer.Option("--output", help="softmax, sigmoid, binary or probabilities; found out by default."),
]
Head = Annotated[str | None, typer.Option(help="Which tensor of a nested output: out, 0, out.1.")]
Device = Annotated[str | None, typer.Option(help="auto, cpu, cuda:0, …")]
Precision = Annotated[str | None, typer.Option(help="fp32 or bf16.")]
Orientation = Annotated[str | None, typer.Option(help="Axis codes the network wants, such as RAS or LIA.")]
Spacing = Annotated[str | None, typer.Option(help="Voxel size in mm: 1 or 1,1,2.5.")]
Size = Annotated[str | None, typer.Option(help="Fixed grid in voxels instead: 128 or 128,128,64.")]
Scale = Annotated[
    str | None,
    typer.Option(help="minmax, percentile, zscore, zscore-nonzero, max, or LOW,HIGH in image units."),
]
Crop = Annotated[str | None, typer.Option(help="foreground: keep the box around what is not background.")]
Divisible = Annotated[
    str | None, typer.Option(help="Pad every axis to a multiple of this many voxels, for networks that pool.")
]
Roi = Annotated[
    str | None, typer.Option(help="Window in voxels: 96 or 96,96,64; the whole image by default.")
]
Overlap = Annotated[str | None, typer.Option(help="Share that windows have in common, such as 0.25.")]
Blend = Annotated[str | None, typer.Option(help="constant or gaussian.")]
