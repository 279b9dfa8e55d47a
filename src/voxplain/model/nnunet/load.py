"""From a trained nnU-Net's folder to what `Model` wants."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from voxplain.errors import InputError, ModelError
from voxplain.model.checks import first_line
from voxplain.model.nnunet import checkpoint, folder, library
from voxplain.model.nnunet.network import Ensemble, mirrorings
from voxplain.model.nnunet.options import Options
from voxplain.model.nnunet.preparation import Steps, channel_names, of_totalsegmentator
from voxplain.model.preparation import Preparation
from voxplain.model.weights import fit
from voxplain.model.windows import Windows

if TYPE_CHECKING:
    from voxplain.model.model import Output


@dataclass(frozen=True)
class Found:
    """What a model folder says."""

    module: nn.Module
    prepare: Preparation
    windows: Windows
    classes: tuple[str, ...]
    label_values: tuple[tuple[int, ...], ...]
    output: Output
    dims: int
    channels: int
    name: str


def load(
    path: Path,
    given: Mapping[str, Any],
    trust_code: bool,
    prepare: Preparation | None,
    windows: Windows | None,
) -> Found:
    """Read a trained nnU-Net.

    Args:
        path: a folder with plans.json and dataset.json, a fold inside, or a dataset's folder with one such folder.
        given: see `Options`.
        trust_code: unpickle anything, and let the plans name any class.
        prepare: instead of nnU-Net's preprocessing.
        windows: instead of nnU-Net's.

    Raises:
        ModelError: parts are missing, would run code, or do not fit; nnU-Net is not installed; a cascade.
        InputError: an option that cannot be.
    """
    options = Options.of(given)
    where, fold = folder.find(path)
    dataset = _json(where / folder.DATASET)
    plans = library.plans_manager(_json(where / folder.PLANS))
    folds = options.folds or ((fold,) if fold else tuple(folder.folds(where, options.checkpoint)))
    files = [folder.checkpoint_of(where, one, options.checkpoint) for one in folds]
    first = checkpoint.read(files[0], trust_code)
    try:
        with library.quiet():
            configuration = plans.get_configuration(first.configuration)
            labels = plans.get_label_manager(dataset)
        patch = tuple(int(n) for n in configuration.patch_size)
        channels = len(channel_names(dataset))
    except Exception as error:
        raise ModelError(
            f"nnU-Net folder {where}: plans.json or dataset.json is not whole ({_said(error)})"
        ) from error
    _refuse_cascade(configuration, first.configuration, where)
    library.settle_architecture(configuration, where / folder.PLANS, trust_code)
    trainer = library.trainer(options.trainer or first.trainer, where)
    networks: dict[str, nn.Module] = {}
    for one, file in zip(folds, files, strict=True):
        found = first if file == files[0] else checkpoint.read(file, trust_code)
        network = library.build(trainer, plans, configuration, channels, labels.num_segmentation_heads)
        fit(network, found.weights, f"checkpoint {file}")
        networks[f"fold_{one}"] = network.eval()
    asked = False if options.mirroring is None and of_totalsegmentator(plans) else options.mirroring
    axes = mirrorings(_mirrored(asked, first.mirroring, len(patch), files[0]))
    named = _classes(labels, dataset)
    alone = len(networks) * len(axes) == 1
    return Found(
        module=next(iter(networks.values())) if alone else Ensemble(networks, axes),
        prepare=prepare
        or Preparation(transforms=Steps(plans, configuration, dataset, where), dims=len(patch)),
        windows=windows or _windows(patch, options),
        classes=tuple(name for name, _ in named),
        label_values=tuple(values for _, values in named),
        output="sigmoid" if labels.has_regions else "softmax",
        dims=len(patch),
        channels=channels,
        name=where.resolve().name,
    )


def _windows(patch: tuple[int, ...], options: Options) -> Windows:
    return Windows(
        roi=patch,
        overlap=1 - options.step_size,
        blend="gaussian-filter" if options.gaussian else "constant",
        placement="even",
    )


def _mirrored(asked: bool | None, allowed: tuple[int, ...], dims: int, file: Path) -> tuple[int, ...]:
    if asked is False:
        return ()
    if asked and not allowed:
        raise InputError(
            f"mirroring: asked for, but {file.parents[1].name} was trained without; leave it out"
        )
    if len(set(allowed)) < len(allowed) or not set(allowed) <= set(range(dims)):
        raise ModelError(
            f"checkpoint {file}: inference_allowed_mirroring_axes is {allowed}, expected different axes of a "
            f"{dims}-D image, 0 to {dims - 1}; give the argument mirroring=false to do without"
        )
    return allowed


def _refuse_cascade(configuration: Any, name: str, where: Path) -> None:
    before = configuration.previous_stage_name
    if before is not None:
        raise ModelError(
            f"nnU-Net folder {where}: {name} is the second stage of a cascade, whose input holds the segmentation by "
            f"{before}; such a network is not supported, explain the folder of {before} or of 3d_fullres instead"
        )


def _classes(labels: Any, dataset: Mapping[str, Any]) -> list[tuple[str, tuple[int, ...]]]:
    """Names in the order of the network's outputs, of regions or of labels without ``ignore``, and their label values."""
    named = {name: _listed(value) for name, value in dataset["labels"].items() if name != "ignore"}
    if labels.has_regions:
        return [(name, values) for name, values in named.items() if set(values) != {0}]
    return [
        (next((name for name, values in named.items() if values == (label,)), f"label {label}"), (label,))
        for label in map(int, labels.all_labels)
    ]


def _listed(value: Any) -> tuple[int, ...]:
    return tuple(int(v) for v in value) if isinstance(value, (list, tuple)) else (int(value),)


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{file}: not readable JSON ({first_line(error)})") from error
    if not isinstance(content, dict):
        raise ModelError(f"{file}: found {type(content).__name__}, expected nnU-Net's JSON object")
    return content


def _said(error: BaseException) -> str:
    return f"no {error}" if isinstance(error, KeyError) else first_line(error)
