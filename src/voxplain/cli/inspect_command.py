"""`voxplain inspect`: what an image, a model or a file of weights is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Text = str | None
MODEL_SUFFIXES = {".pt", ".pth", ".ts", ".jit", ".pt2", ".safetensors", ".py", ".ckpt", ".zip"}


def inspect(
    what: Annotated[
        list[str], typer.Argument(help="An image (several are stacked), a model's source, or a weights file.")
    ],
    *,
    weights: Annotated[Text, typer.Option("--weights", "-w", help="Weights of a factory's network.")] = None,
    classes: Annotated[Text, typer.Option(help="Names with commas, or a JSON file.")] = None,
    head: Annotated[Text, typer.Option(help="Which tensor of a nested output.")] = None,
    series: Annotated[Text, typer.Option(help="Which DICOM series of a folder.")] = None,
    label: Annotated[Text, typer.Option(help="Ground truth on the image's grid.")] = None,
    roi: Annotated[
        Text, typer.Option(help="Window in voxels, for networks that need a certain size.")
    ] = None,
    device: Annotated[Text, typer.Option(help="auto, cpu, cuda:0, …")] = None,
    trust_code: Annotated[
        bool, typer.Option("--trust-code", help="Let a bundle run Python of its own.")
    ] = False,
) -> int:
    """Print what an image, a model or a weights file is.

    Geometry and values of an image; input, output, classes, layers and shapes of a model.
    """
    kind = kind_of(what[0])
    if kind == "image":
        from voxplain.cli.inspect_image import print_image

        print_image([Path(w) for w in what], label=label, series=series)
        return 0
    if len(what) > 1:
        raise typer.BadParameter(f"found {len(what)} models, expected one; images alone can be stacked")
    if kind == "weights" and weights is None:
        from voxplain.cli.inspect_weights import print_weights

        print_weights(Path(what[0]))
        return 0
    from voxplain.cli.inspect_model import print_model

    flags = {
        "source": what[0],
        "weights": weights,
        "classes": classes,
        "head": head,
        "device": device,
        "trust_code": trust_code,
    }
    print_model({k: v for k, v in flags.items() if v is not None}, roi)
    return 0


def kind_of(what: str) -> str:
    """``image``, ``model`` or ``weights`` (tensors without a network).

    >>> kind_of("nets.py:unet"), kind_of("scan.nii.gz"), kind_of("package.module:function")
    ('model', 'image', 'model')
    """
    path = Path(what)
    if path.is_dir():
        from voxplain.model.nnunet import folder

        is_bundle = any((path / "configs").glob("*.json")) or any((path / "configs").glob("*.y*ml"))
        return "model" if is_bundle or folder.looks_like(path) else "image"
    if path.suffix.lower() in MODEL_SUFFIXES:
        return "weights" if path.is_file() and _holds_tensors_only(path) else "model"
    return "model" if ":" in what and not path.exists() else "image"


def _holds_tensors_only(path: Path) -> bool:
    from voxplain.cli.inspect_weights import read_tensors

    return path.suffix.lower() not in {".py", ".pt2"} and read_tensors(path) is not None
