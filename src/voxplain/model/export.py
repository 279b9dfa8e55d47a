"""Networks saved by ``torch.export``."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from voxplain.errors import ModelError
from voxplain.model import export_safety
from voxplain.model.checks import first_line
from voxplain.model.heads import flatten

_FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
# operators with an argument that says whether they are training, and its position
_TRAINING = {"dropout": 2, "feature_dropout": 2, "alpha_dropout": 2, "batch_norm": 5}


@dataclass(frozen=True)
class Exported:
    """An exported network and what it insists on."""

    module: nn.Module
    channels_in: int | None
    fixed_batch: int | None
    fixed_shape: tuple[int, ...] | None
    spatial_dims: int


def load(path: Path, trust_code: bool = False, device: torch.device | str = "cpu") -> Exported:
    """The network of a ``.pt2`` file on a device; with its own submodules, where they can be told apart.

    Raises:
        ModelError: a broken file, one that would run code, or a network exported in training mode.
    """
    if not trust_code:
        export_safety.check(path)
    try:
        with warnings.catch_warnings(), _weights_only(not trust_code):
            warnings.simplefilter("ignore")
            program = torch.export.load(path)
    except Exception as error:
        raise ModelError(
            f"model {path}: not a torch.export file that torch {torch.__version__} can read ({first_line(error)})"
        ) from error
    _refuse_training(program, path)
    program = _moved(program, torch.device(device), path)
    shape = _input_shape(program, path)
    known = [int(n) if isinstance(n, int) else None for n in shape]
    spatial = tuple(n for n in known[2:] if n is not None)
    return Exported(
        module=_with_layers(program, shape, torch.device(device)),
        channels_in=known[1],
        fixed_batch=known[0],
        fixed_shape=spatial if len(spatial) == len(known) - 2 else None,
        spatial_dims=len(shape) - 2,
    )


def _input_shape(program: Any, path: Path) -> list[Any]:
    """Sizes of the one input; those that may vary are symbols."""
    names = set(program.graph_signature.user_inputs)
    inputs = [n for n in program.graph.nodes if n.op == "placeholder" and n.name in names]
    shapes = [list(n.meta["val"].shape) for n in inputs if isinstance(n.meta.get("val"), torch.Tensor)]
    if len(shapes) != 1 or len(shapes[0]) not in (4, 5):
        raise ModelError(
            f"model {path}: it takes inputs of shapes {shapes}, expected one image (N, C, *spatial) in 2-D or 3-D"
        )
    return shapes[0]


def _refuse_training(program: Any, path: Path) -> None:
    for node in program.graph.nodes:
        name = getattr(node.target, "_opname", "")
        position = _TRAINING.get(name)
        if position is not None and len(node.args) > position and node.args[position] is True:
            raise ModelError(
                f"model {path}: {name} is active, since the network was exported in training mode; "
                "call net.eval() before torch.export.export"
            )


def _moved(program: Any, device: torch.device, path: Path) -> Any:
    """The program with its constants, and the tensors that it makes, on the device: ``module.to`` leaves them."""
    if device.type == "cpu":
        return program
    from torch.export.passes import move_to_device_pass

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return move_to_device_pass(program, str(device))
    except Exception as error:
        raise ModelError(
            f"model {path}: cannot be moved to {device} ({first_line(error)}); export it on that device"
        ) from error


def _with_layers(program: Any, shape: list[Any], device: torch.device) -> nn.Module:
    """The original hierarchy of modules if it gives the same outputs, so that layers have names; else the flat graph."""
    flat: nn.Module = program.module()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            nested: nn.Module = torch.export.unflatten(program)
            x = torch.rand([_example(n) for n in shape], generator=torch.Generator().manual_seed(0))
            parameter = next(iter(flat.parameters()), None)
            x = x.to(device, None if parameter is None else parameter.dtype)
            pairs = zip(flatten(flat(x)), flatten(nested(x)), strict=True)
            same = all(torch.equal(a, b) for (_, a), (_, b) in pairs)
    except Exception:  # noqa: BLE001 the flat graph works as well, only without names of layers
        return flat
    return nested if same else flat


def _example(size: Any) -> int:
    return size if isinstance(size, int) else int(getattr(size.node, "hint", None) or 32)


@contextmanager
def _weights_only(force: bool) -> Iterator[None]:
    """``torch.export.load`` falls back to full unpickling by itself; this variable forbids it."""
    before = os.environ.get(_FORCE)
    if force:
        os.environ[_FORCE] = "1"
    try:
        yield
    finally:
        if force and before is None:
            del os.environ[_FORCE]
        elif before is not None:
            os.environ[_FORCE] = before
