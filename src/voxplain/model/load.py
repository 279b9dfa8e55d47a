"""One door for every form in which a network comes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from torch import nn

from voxplain.errors import InputError, ModelError, suggest
from voxplain.model import archives, checks, factory, torchscript
from voxplain.model.classes import read_classes
from voxplain.model.model import Model, Output, Task
from voxplain.model.nnunet import folder
from voxplain.model.preparation import Preparation
from voxplain.model.weights import load_weights
from voxplain.model.windows import Windows

if TYPE_CHECKING:
    import torch


def load_model(
    source: nn.Module | str | os.PathLike[str],
    weights: str | os.PathLike[str] | None = None,
    *,
    classes: str | Path | Sequence[str] | Mapping[Any, Any] | None = None,
    task: Task | None = None,
    output: Output | None = None,
    head: str | int | None = None,
    prepare: Preparation | None = None,
    windows: Windows | None = None,
    device: str | torch.device = "cpu",
    precision: Literal["fp32", "bf16"] = "fp32",
    spatial_dims: int | None = None,
    trust_code: bool = False,
    factory_arguments: Mapping[str, Any] | None = None,
    resize_output: bool = False,
    label_values: Sequence[Sequence[int]] | None = None,
) -> Model:
    """A network, ready to be asked.

    Args:
        source: a module; ``"file.py:function"`` or ``"package.module:function"``; a TorchScript file; a ``.pt2``
            file of ``torch.export``; a MONAI bundle folder; the folder of a trained nnU-Net v2 or TotalSegmentator.
        weights: a state dict (PyTorch or safetensors) for a module, a factory or a bundle.
        classes: names, or a JSON file; see `read_classes`.
        task: see `Model`, as are the arguments that are not named here.
        output: see `Model`.
        head: see `Model`.
        prepare: instead of a bundle's or nnU-Net's preprocessing.
        windows: instead of a bundle's inferer, or nnU-Net's.
        device: where the network runs.
        precision: ``"fp32"`` or ``"bf16"``.
        spatial_dims: 2 or 3, where it cannot be told from the network.
        trust_code: run code that files hold (pickled objects, a bundle's expressions). A Python factory is code
            that you name yourself, so it needs no such trust.
        factory_arguments: keyword arguments of the factory, or an nnU-Net's options: ``folds``, ``checkpoint``,
            ``mirroring``, ``step_size``, ``gaussian``, ``trainer`` (see docs/nnunet.md).
        resize_output: see `Model`.
        label_values: see `Model`; instead of those of an nnU-Net.

    Raises:
        ModelError: the network cannot be loaded.
        InputError: an argument that cannot be.

    >>> from torch import nn
    >>> model = load_model(nn.Conv3d(1, 3, 1), classes=["background", "liver", "spleen"])
    >>> model.task, model.output, model.class_index("spleen")
    ('segmentation', 'softmax', 2)
    """
    asked: dict[str, Any] = {
        "classes": read_classes(classes),
        "task": task,
        "output": output,
        "head": head,
        "prepare": prepare,
        "windows": windows,
        "device": checks.device(device),
        "precision": precision,
        "spatial_dims": spatial_dims,
        "resize_output": resize_output,
        "label_values": label_values,
    }
    file = Path(weights) if weights is not None else None
    if isinstance(source, nn.Module):
        return _python(source, type(source).__name__, file, asked, trust_code)
    if not isinstance(source, (str, os.PathLike)):
        raise InputError(
            f"model: found {type(source).__name__}, expected a torch.nn.Module, 'file.py:function', or a file or folder"
        )
    text, path = os.fspath(source), Path(source)
    if folder.looks_like(path):
        return _nnunet(path, file, asked, trust_code, factory_arguments or {})
    if factory_arguments and (path.exists() or ":" not in text):
        raise InputError(f"factory_arguments: {text} is not a factory; write file.py:function")
    if path.is_dir():
        return _bundle(path, file, asked, trust_code)
    if path.is_file():
        return _file(path, file, asked, trust_code)
    if ":" in text:
        return _python(
            factory.build(text, factory_arguments), text.rpartition(":")[2], file, asked, trust_code
        )
    near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    raise ModelError(
        f"model: no file or folder {text}; {suggest(path.name, near)} (a factory is written file.py:function)"
    )


def _python(
    module: nn.Module, name: str, weights: Path | None, asked: dict[str, Any], trust_code: bool
) -> Model:
    if weights is not None:
        load_weights(module, weights, trust_code)
    return Model(module, name=name, **asked)


def _bundle(path: Path, weights: Path | None, asked: dict[str, Any], trust_code: bool) -> Model:
    from voxplain.model import bundle

    found = bundle.load(path, asked["device"], weights, trust_code, asked["prepare"], asked["windows"])
    for field in ("classes", "output", "prepare", "windows"):
        if asked[field] is None:
            asked[field] = getattr(found, field)
    return Model(found.module, name=path.resolve().name, **asked)


def _nnunet(
    path: Path, weights: Path | None, asked: dict[str, Any], trust_code: bool, options: Mapping[str, Any]
) -> Model:
    from voxplain.model.nnunet import load as nnunet
    from voxplain.model.nnunet.network import Ensemble

    if weights is not None:
        raise InputError(
            f"weights: {path} has its own; leave weights out, and name another checkpoint by the argument checkpoint"
        )
    found = nnunet.load(path, options, trust_code, asked["prepare"], asked["windows"])
    for field in ("classes", "label_values", "output", "prepare", "windows"):
        if asked[field] is None:
            asked[field] = getattr(found, field)
    given = asked["spatial_dims"]
    if given not in (None, found.dims):
        raise InputError(f"spatial_dims: found {given}, but {path} takes {found.dims}-D images")
    asked["spatial_dims"] = found.dims
    asked["task"] = asked["task"] or "segmentation"
    alone = found.module.one_for_all() if isinstance(found.module, Ensemble) else nullcontext()
    with alone:
        return Model(found.module, name=found.name, channels_in=found.channels, **asked)


def _file(path: Path, weights: Path | None, asked: dict[str, Any], trust_code: bool) -> Model:
    if path.suffix == ".py":
        raise ModelError(f"model {path}: which function of it? write {path}:function")
    kind = archives.kind(path)
    if kind not in ("torchscript", "export"):
        raise ModelError(
            f"model {path}: found {'weights without a network' if kind else 'no network'}; give the network as "
            "file.py:function with this as weights, or a TorchScript file, a .pt2 file or a MONAI bundle folder"
        )
    if weights is not None:
        raise InputError(f"weights: {path} has its own; leave weights out")
    if kind == "torchscript":
        return Model(torchscript.load(path, asked["device"]), name=path.name, **asked)
    from voxplain.model import export

    found = export.load(path, trust_code, asked["device"])
    given = asked["spatial_dims"]
    if given not in (None, found.spatial_dims):
        raise InputError(f"spatial_dims: found {given}, but {path} takes {found.spatial_dims}-D images")
    asked["spatial_dims"] = found.spatial_dims
    if found.fixed_shape is not None and asked["windows"] is not None and asked["windows"].roi is None:
        asked["windows"] = replace(asked["windows"], roi=found.fixed_shape)
    return Model(
        found.module,
        name=path.name,
        channels_in=found.channels_in,
        fixed_batch=found.fixed_batch,
        fixed_shape=found.fixed_shape,
        **asked,
    )
