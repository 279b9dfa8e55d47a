"""What a model is: input, output, classes, and the layers that can be named."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxplain.cli.listing import Listing
from voxplain.errors import VoxplainError
from voxplain.study.sizes import by

if TYPE_CHECKING:
    from voxplain.model import Model


def print_model(flags: Mapping[str, Any], roi: str | None = None) -> None:
    """Load the model and print what is known of it.

    Raises:
        ModelError: it cannot be loaded.
    """
    from voxplain.settings.reading import settings_of
    from voxplain.study.make import load
    from voxplain.study.settings.anchor import anchored
    from voxplain.study.settings.config import ModelSettings, WindowSettings

    asked = settings_of(ModelSettings, anchored({"model": dict(flags)}, Path.cwd())["model"])
    windows = settings_of(WindowSettings, {} if roi is None else {"roi": roi})
    model = load(asked, windows=windows)
    listing = Listing(f"model  {flags['source']}")
    _facts(model, listing)
    _meaning(model, listing)
    _layers(model, listing)
    listing.print()


def _facts(model: Model, listing: Listing) -> None:
    from voxplain.model.nnunet.network import Ensemble

    parameters = list(model.module.parameters())
    count = sum(p.numel() for p in parameters)
    listing.row("network", type(model.module).__name__)
    size = sum(p.numel() * p.element_size() for p in parameters) / 2**20
    listing.row("parameters", f"{count:,}, {size:.1f} MB")
    channels = "any or unknown" if model.channels_in is None else model.channels_in
    listing.row("input", f"{model.spatial_dims}-D, channels: {channels}")
    if model.fixed_shape or model.fixed_batch:
        shape = "any" if model.fixed_shape is None else by(model.fixed_shape)
        listing.row("fixed", f"shape: {shape}, batch: {model.fixed_batch or 'any'}")
    listing.row(
        "windows",
        f"roi {model.windows.roi or 'whole image'}, overlap {model.windows.overlap}, {model.windows.blend}",
    )
    if model.windows.placement != "dense":
        listing.row("", f"placement {model.windows.placement}")
    if isinstance(model.module, Ensemble):
        listing.row("members", model.module.summary)
    listing.row("prepare", _steps(model))
    listing.row("device", f"{model.device}, {model.precision}")


def _steps(model: Model) -> str:
    from dataclasses import fields

    if model.prepare.transforms is not None:
        return str(getattr(model.prepare.transforms, "summary", "transforms of the bundle"))
    plain = type(model.prepare)()
    given = {f.name: getattr(model.prepare, f.name) for f in fields(plain) if f.name != "dims"}
    changed = [f"{k} {v}" for k, v in given.items() if v != getattr(plain, k)]
    return ", ".join(changed) or "nothing"


def _meaning(model: Model, listing: Listing) -> None:
    try:
        listing.row("task", model.task)
        listing.row("output", f"{model.output}, {model.channels_out} channels")
        names = [f"{i} {name}" for i, name in enumerate(model.classes)]
        lines = [", ".join(names[i : i + 6]) for i in range(0, len(names), 6)]
        listing.row("classes", ",\n".join(lines))
    except VoxplainError as error:
        listing.row("output", f"not known yet: {error}")


def _layers(model: Model, listing: Listing) -> None:
    try:
        layers = model.layers()
    except VoxplainError as error:
        listing.row("layers", f"cannot be listed: {error}")
        return
    assert model.input_seen is not None
    listing.row("probed with", f"an input of {by(model.input_seen)}")
    listing.table(
        ("layer", "type", "output", ""),
        [
            (
                layer.name,
                layer.type,
                by(layer.shape[1:]),
                "" if layer.spatial(model.spatial_dims) else "not a map",
            )
            for layer in layers
        ],
    )
