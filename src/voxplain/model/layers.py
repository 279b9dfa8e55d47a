"""The submodules that can be named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import nn

from voxplain.errors import ModelError, suggest
from voxplain.model.heads import flatten

if TYPE_CHECKING:
    from voxplain.model.model import Model


class Layer(NamedTuple):
    """One submodule, and the shape of the first tensor that it returned."""

    name: str
    type: str
    shape: tuple[int, ...]

    def spatial(self, dims: int) -> bool:
        """Whether the output is a map (N, C, *spatial) of an image with ``dims`` axes, larger than one voxel."""
        return len(self.shape) == dims + 2 and max(self.shape[2:]) > 1


def find(model: Model, name: str) -> nn.Module:
    """See `Model.layer`."""
    need_hooks(model, f"layer {name!r}")
    known: dict[str, nn.Module] = {n: m for n, m in model.module.named_modules() if n}
    if name in known:
        if makes_weight(name):
            owner = name.rpartition("parametrizations")[0].rstrip(".") or model.name
            raise ModelError(
                f"layer {name!r}: it makes a weight of {owner}, not features of the image; choose {owner}"
            )
        return known[name]
    raise ModelError(f"layer {name!r}: {model.name} has no such layer; {suggest(name, known)}")


def makes_weight(name: str) -> bool:
    """Whether it is a parametrization (spectral or weight norm), whose output is a weight: no layer."""
    return ".parametrizations" in f".{name}"


def run(model: Model) -> list[Layer]:
    """See `Model.layers`."""
    need_hooks(model, "layers")
    shape = model.input_seen
    if shape is None:
        raise ModelError(
            f"{model.name}: no input is known that the network takes; run one forward pass first"
        )
    seen: dict[str, Layer] = {}
    handles = []

    def record(name: str) -> Any:
        def hook(module: nn.Module, _: Any, out: Any) -> None:
            first = next(flatten(out), None)
            if first is not None and name not in seen:
                seen[name] = Layer(name, type(module).__name__, tuple(first[1].shape))

        return hook

    try:
        for name, module in model.module.named_modules():
            if name and not makes_weight(name):
                handles.append(module.register_forward_hook(record(name)))
        with model.frozen(), torch.no_grad():
            model.forward(
                torch.rand((1, *shape), generator=torch.Generator().manual_seed(0)).to(model.device)
            )
    finally:
        for handle in handles:
            handle.remove()
    order = {name: i for i, (name, _) in enumerate(model.module.named_modules())}
    return sorted(seen.values(), key=lambda layer: order[layer.name])


def need_hooks(model: Model, what: str) -> None:
    """See `Model.need_hooks`."""
    if not model.hookable:
        raise ModelError(
            f"{what}: {model.name} is TorchScript, which runs no Python hooks on its layers; methods that need "
            "layers want the network as a Python factory (file.py:function) with its weights"
        )
